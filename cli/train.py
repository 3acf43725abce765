"""`dorefa train`: Algorithm 1 of the paper on a data set in files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError

from .common import options
from .common.output import Output, Progress
from .training.backends import BACKENDS, computing
from .training.board import add_board_options, check_board_options
from .training.options import add_steps, add_widths, recipe_of, sized_architecture
from .training.report import tell

if TYPE_CHECKING:
    from dorefa.golden.data.load import ImageSet
    from dorefa.golden.network.network import Network
    from dorefa.golden.zoo.architecture import Architecture

SUMMARY = "train a network with low-bitwidth weights, activations and gradients"
EXAMPLE = "dorefa train digits -o digits.npz --net-w 1 --net-a 2 --net-g 6 --data mnist"

# Engine parameters that a training has itself, or that all its engines have.
_OWN = ("batch", "training", "results")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("network", metavar="NET", help="zoo name or file (.toml, .py) of the architecture")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where the network goes: a name ending in .npz, or in .onnx for QONNX",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with images and labels: MNIST's IDX, .npy, SVHN, CIFAR-10 or PNG",
    )
    add_widths(parser.add_argument_group("widths"))
    add_steps(parser.add_argument_group("steps"))
    group = parser.add_argument_group("backend")
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default="golden",
        help="what computes convolutions and quantizers, with the same bits: matrix products (golden), bit "
        "planes, the engine's Verilog in Verilator, or the engine on a board",
    )
    group.add_argument(
        "--trace", action="store_true", help="compare every operand and sum with another backend's"
    )
    add_board_options(group)
    group.add_argument(
        "--checkpoint", metavar="FILE", help="written after every epoch, every minute and at the end"
    )
    group.add_argument("--resume", metavar="FILE", help="a checkpoint to go on from, with the same options")
    options.add_engine_options(parser, without=_OWN)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden.data.load import data_files
    from dorefa.golden.train.train import train
    from dorefa.golden.zoo import own

    out = Output(
        args.json,
        outputs={"--output": args.output, "--checkpoint": args.checkpoint},
        # The checkpoint that a training goes on from may be the one that it writes.
        inputs={
            "NET": args.network if own.is_file(args.network) else None,
            "--data": [] if args.data is None else data_files(args.data),
            "--config": args.config,
            "--port": args.port,
            "--settings": args.settings,
            "--resume": None if args.resume == args.checkpoint else args.resume,
        },
    )
    architecture = sized_architecture(args.network, args)
    save = _writer(args.output)
    recipe = recipe_of(args)
    if args.output is not None:
        recipe.check_storable(architecture)
    _check_engine_options(args)
    check_board_options(args)
    data = _data(args, architecture)
    with computing(args, architecture, recipe) as found, Progress("train", 1) as progress:

        def show(step, steps, measures):
            note = "epoch {epoch} loss {loss:.4f} accuracy {train_accuracy:.4f}"
            progress.update(step, total=steps, note=note.format(**measures))

        result = train(
            architecture,
            recipe,
            data.train_images,
            data.train_labels,
            test=(data.test_images, data.test_labels),
            backend=found.backend,
            steps=args.steps,
            checkpoint=args.checkpoint,
            resume=args.resume,
            progress=show,
        )
    if result.network is not None and args.output is not None:
        save(result.network, args.output)
    return tell(out, args, result, found)


def _check_engine_options(args: argparse.Namespace) -> None:
    """Refuses engine parameters where no engine runs."""
    given = options.engine_overrides(args)
    if given and args.backend != "engine":
        name, value = next(iter(given.items()))
        raise InputError(f"{name} is {value} with --backend {args.backend}; accepted: with --backend engine")


def _data(args: argparse.Namespace, architecture: Architecture) -> ImageSet:
    """Training and test images from the folder that the command line names."""
    from dorefa.golden.data.load import ACCEPTED, load_data

    if args.data is None:
        raise InputError(f"--data is missing; accepted: a folder with {ACCEPTED}")
    return load_data(args.data, architecture.input_shape, architecture.layers[-1].channels)


def _writer(path: str | None) -> Callable[[Network, str], None]:
    """What writes a network to `path`; InputError, before the training, where nothing does."""
    from dorefa.golden.network import npz
    from dorefa.golden.onnx import export
    from dorefa.golden.onnx.file.read import import_onnx

    if path is None or path.endswith(".npz"):
        return npz.save
    if not path.endswith(".onnx"):
        raise InputError(f"--output is {path}; accepted: a name ending in .npz or .onnx")
    import_onnx(path, "writing")
    return export.save
