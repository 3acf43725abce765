"""Options of a training: widths, steps, seeds, the data."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dorefa.golden.errors import InputError

from ..common import options

if TYPE_CHECKING:
    from dorefa.golden.backward.shape import ConvolutionShape
    from dorefa.golden.train.recipe import Recipe
    from dorefa.golden.zoo.architecture import Architecture
    from dorefa.hw.config.engine import EngineConfig

_KINDS = ("quantized", "float")
DEFAULT_BATCH = 64
NET_G_HELP = "gradient bits, 1 to 8 in integers, 9 to 31 computed in floating point, or 32: float"


def add_widths(group: argparse._ArgumentGroup) -> None:
    """Adds the widths of operands and what is left in floating point."""
    group.add_argument(
        "--net-w", type=int, default=1, metavar="BITS", help="weight bits, 1 to 8, or 32: float"
    )
    group.add_argument(
        "--net-a", type=int, default=2, metavar="BITS", help="activation bits, 1 to 8, or 32: float"
    )
    group.add_argument("--net-g", type=int, default=6, metavar="BITS", help=NET_G_HELP)
    group.add_argument("--net-first-w", type=int, metavar="BITS", help="weight bits, first layer")
    group.add_argument("--net-last-w", type=int, metavar="BITS", help="weight bits, last layer")
    group.add_argument("--net-size", type=options.image_size, metavar="HxW", help="image size")
    group.add_argument(
        "--first", choices=_KINDS, default="quantized", help="weights and gradients of the first layer"
    )
    group.add_argument(
        "--last",
        choices=_KINDS,
        default="quantized",
        help="weights and gradients of the last layer, and the activations that it reads",
    )
    group.add_argument(
        "--noise", choices=("on", "off"), default="on", help="off: gradients are rounded to nearest"
    )


def add_steps(group: argparse._ArgumentGroup) -> None:
    """Adds steps, optimizer and seeds."""
    group.add_argument("--epochs", type=int, default=6, metavar="N", help="default 6")
    group.add_argument("--steps", type=int, metavar="N", help="end after N steps in all")
    group.add_argument(
        "--batch", type=int, default=DEFAULT_BATCH, metavar="N", help=f"default {DEFAULT_BATCH}"
    )
    group.add_argument("--rate", type=float, default=1e-3, metavar="R", help="default 0.001")
    group.add_argument("--optimizer", choices=("adam", "sgd"), default="adam", help="default adam")
    group.add_argument("--momentum", type=float, metavar="M", help="of sgd, default 0.9")
    group.add_argument(
        "--weight-decay", type=float, default=0.0, metavar="D", help="rate x D of every weight a step"
    )
    group.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of initial weights and order, default 1"
    )
    group.add_argument(
        "--noise-seed", type=int, metavar="N", help="of the gradient quantizer (default: --seed)"
    )


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that the options of a training describe."""
    from dorefa.golden.train.recipe import Recipe

    if args.momentum is not None and args.optimizer != "sgd":
        raise InputError(f"--momentum is {args.momentum} with {args.optimizer}; accepted: with sgd")
    names = "epochs", "batch", "rate", "seed", "noise_seed", "first", "last", "optimizer", "weight_decay"
    fields = {name: getattr(args, name) for name in names}
    if args.momentum is not None:
        fields["momentum"] = args.momentum
    return Recipe(**fields, **_widths(args), noise=args.noise == "on")


def step_of(model: str, args: argparse.Namespace, batch: int) -> tuple[Architecture, Recipe]:
    """(architecture, recipe of a step) of a verb that says what steps of MODEL with `batch` images take."""
    from dorefa.golden.train.recipe import Recipe

    if options.is_network_file(model):
        raise InputError(
            f"{model} holds a trained network; accepted with --training: a zoo name, or a file (.toml, .py) "
            "of an architecture"
        )
    given = {name: value for name, value in _widths(args).items() if value is not None}
    widths = {"w_bits": 1, "a_bits": 2, "g_bits": 6} | given
    recipe = Recipe(**widths, batch=batch, epochs=1, seed=0)
    return sized_architecture(model, args), recipe


def training_asked(args: argparse.Namespace) -> bool:
    """Whether the engine of the command line trains; refuses what only says more of one that does."""
    trains = bool(options.engine_overrides(args).get("training"))
    if args.net_g is not None and not trains:
        raise InputError(f"--net-g is {args.net_g} without --training; accepted: both, or neither")
    return trains


def training_config(args: argparse.Namespace, sizes: Mapping[str, int | str] | None = None) -> EngineConfig:
    """The configuration of an engine that trains, sized for steps of ``--model`` if it is given; `sizes` as
    of :func:`training_engine`."""
    own = {**(sizes or {})}
    if args.model is None:
        own |= {"results": "wide", "weights": "stream", "port_bytes": 4}
        return options.engine_config(args, sizes=own)
    return training_engine(args.model, args, own)[2]


def training_engine(
    model: str, args: argparse.Namespace, sizes: Mapping[str, int | str] | None = None
) -> tuple[Architecture, list[ConvolutionShape], EngineConfig, Recipe]:
    """(architecture, its convolutions, configuration, recipe) of the steps that the command line describes:
    ``--batch`` are the images of a step; `sizes` are engine parameters that it has unless the command line
    says otherwise."""
    from dorefa.golden.train.network import convolution_shapes
    from dorefa.hw.compiler.training.sizing import fit_training

    overrides: dict[str, Any] = {**(sizes or {}), **options.engine_overrides(args)}
    batch = int(overrides.pop("batch", DEFAULT_BATCH))
    architecture, recipe = step_of(model, args, batch)
    recipe.check_integers(architecture, "engine")
    shapes = convolution_shapes(architecture, recipe)
    return architecture, shapes, fit_training(shapes, batch, **overrides), recipe


def sized_architecture(name: str, args: argparse.Namespace) -> Architecture:
    """The architecture of this name or in this file, for images of ``--net-size``."""
    from dorefa.golden.zoo import architectures

    architecture = architectures.find(name)
    return architecture if args.net_size is None else architecture.sized(args.net_size)[0]


def _widths(args: argparse.Namespace) -> dict[str, Any]:
    names = {"w_bits": "net_w", "a_bits": "net_a", "g_bits": "net_g"}
    names |= {"first_w": "net_first_w", "last_w": "net_last_w"}
    return {field: getattr(args, option) for field, option in names.items()}
