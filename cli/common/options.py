"""Options that several verbs share: MODEL and its widths, engine parameters, arrays in files."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dorefa.golden import npy
from dorefa.golden.errors import InputError

if TYPE_CHECKING:
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.golden.network.network import Network
    from dorefa.hw.config.engine import EngineConfig
    from dorefa.synth.targets.target import Target

    from .output import Output

# Keyword of zoo.load for each option that describes a zoo network.
_ZOO_OPTIONS = {
    "net_w": "net_w",
    "net_a": "net_a",
    "seed": "seed",
    "net_first_w": "first_w",
    "net_last_w": "last_w",
    "net_size": "size",
}

IMAGES = "uint8 images (batch, height, width, channels) as .npy"
OUTPUT_HELP = (
    "int64 accumulators (batch, classes), or (batch, H, W, C) of a map; of several results an .npz with their"
    " names"
)
MODEL_HELP = (
    "a .npz network, a QONNX file (.onnx), a zoo name (see `dorefa zoo`) or an architecture (.toml, .py)"
)


def add_network_options(
    parser: argparse.ArgumentParser, *, seed: bool = True, training: bool = False
) -> None:
    """Adds the widths and, unless `seed` is false, the seed that complete a zoo name; with `training` the
    width of gradients too."""
    group = parser.add_argument_group("network from the zoo")
    group.add_argument("--net-w", type=int, metavar="BITS", help="weight bits, 1 to 8 (default 1)")
    group.add_argument("--net-a", type=int, metavar="BITS", help="activation bits, 1 to 8 (default 2)")
    parser.set_defaults(seed=None)
    if seed:
        group.add_argument(
            "--seed", type=int, metavar="N", help="seed of random weights (default 0: trained, if any)"
        )
    group.add_argument("--net-first-w", type=int, metavar="BITS", help="weight bits, first layer")
    group.add_argument("--net-last-w", type=int, metavar="BITS", help="weight bits, last layer")
    group.add_argument("--net-size", type=image_size, metavar="HxW", help="image size")
    if training:
        group.add_argument(
            "--net-g", type=int, metavar="BITS", help="with --training: gradient bits, 1 to 8 (default 6)"
        )
    parser.add_argument(
        "--image-type",
        metavar="TYPE",
        help="QONNX file: integers of its input, as INT8 or UINT8/255 (default: what the file quantizes)",
    )


def image_size(text: str) -> tuple[int, int]:
    """argparse type of `HxW`: (height, width)."""
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; accepted: HxW, as 28x28") from error
    return height, width


def input_files(args: argparse.Namespace) -> dict[str, str | None]:
    """The files that the command line in `args` reads, {option: name or None}, for :class:`Output`."""
    model = getattr(args, "model", None)
    files = {name: getattr(args, name, None) for name in ("input", "labels", "config", "settings", "liberty")}
    return {
        "MODEL": model if model is not None and is_file(model) else None,
        **{f"--{name}": path for name, path in files.items()},
    }


def is_network_file(model: str) -> bool:
    """Whether MODEL is the file of a network, with weights and widths of its own."""
    return Path(model).suffix.lower() in (".npz", ".onnx")


def is_file(model: str) -> bool:
    """Whether MODEL is a file, of a network or of an architecture, and no name of the zoo."""
    from dorefa.golden.zoo import own

    return is_network_file(model) or own.is_file(model)


def zoo_options(args: argparse.Namespace) -> dict[str, object]:
    """The options in `args` that complete a zoo name, {option: value}."""
    given = {name: getattr(args, name) for name in _ZOO_OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


def load_network(model: str, args: argparse.Namespace) -> Network | IntegerNetwork:
    """The float :class:`Network` that MODEL and the zoo options in `args` name.

    An .onnx file is an IntegerNetwork already; `lower` takes both.
    """
    from dorefa.golden.zoo import catalog as networks

    return _named_network(model, args, networks.load)


def network_outline(model: str, args: argparse.Namespace) -> Network | IntegerNetwork:
    """The network of :func:`load_network`; without weights for a zoo name, so at once."""
    from dorefa.golden.zoo import catalog as networks

    return _named_network(model, args, networks.outline)


def _named_network(model, args, from_zoo):
    from dorefa.golden.network import npz
    from dorefa.golden.onnx import importer

    given = zoo_options(args)
    suffix = Path(model).suffix.lower()
    if args.image_type is not None and suffix != ".onnx":
        raise InputError(
            f"--image-type {args.image_type} is for QONNX files only; accepted without it: {model}"
        )
    if not is_network_file(model):
        return from_zoo(model, **{_ZOO_OPTIONS[option]: value for option, value in given.items()})
    for option, value in given.items():
        raise InputError(
            f"--{option.replace('_', '-')} {value} is for zoo names only; {model} has its own widths"
        )
    return npz.load(model) if suffix == ".npz" else importer.load(model, args.image_type)


_ENGINE_HELP = {
    "lanes": "bits of the reduction per cycle",
    "rows": "output channels in parallel",
    "cols": "output pixels in parallel",
    "w_bits": "bits of the widest weight",
    "a_bits": "bits of the widest activation read",
    "out_bits": "bits of the widest activation written",
    "encoding": "weights accepted: bipolar, twos_complement, unsigned, any",
    "quantizer": "thresholds or affine",
    "quant": "channels quantized per cycle",
    "fetch_bits": "bits of a feature-memory word",
    "acc_bits": "bits of an accumulator",
    "mul_bits": "bits of an affine multiplier",
    "structure": "structure of the popcount: compress, sum, or mapped to the target's cells",
    "pipeline": "registers in the popcount: none, or after each level, or level2 to level4",
    "engines": "engines that compute different output channels side by side, 1 to 4",
    "port_bytes": "bytes per beat of the image port, and of the port for weights",
    "weights": "onchip, or stream: through a port of their own, for every packet of images again",
    "trunks": "residual trunks: onchip, or stream: out through a port as they are made, in again as they are "
    "added",
    "column_reads": "windows of several columns: separate, read one after another, or shared: read once",
    "results": "sums of the last layer: single, one a beat, or wide, a group of channels a beat",
    "batch": "images per packet, for networks of fully connected layers (weights are read once a packet)",
    "checks": "what the engine watches over: full, basic without a checksum of what is loaded, none",
    "training": "run the jobs of training steps too, with quantizers of gradients and weights",
    "patch_slots": "patches that the window reader may be ahead of the array",
    "prefetch": "0: fetch descriptors between passes, with half the registers and some cycles more",
    "pool_slots": "pooling windows of one axis that overlap",
    "sum_values": "1: average pooling of accumulators",
    "sum_codes": "1: average pooling of codes",
    "row_steps": "1: layers whose channels become pixels",
    "trunk_bits": "bits of a residual trunk, 0 for none",
}


def add_engine_options(
    parser: argparse.ArgumentParser, *, lists: bool = False, without: Collection[str] = ()
) -> None:
    """Adds one option per engine parameter but those `without`, `--config` and `--preset`; with `lists` each
    takes several values, for :func:`engine_lists`."""
    from dorefa.hw.config.engine import PRESETS, EngineConfig

    if lists:
        title = "engine (each option takes one value or several, as 32,64; what is not given is sized)"
    else:
        title = (
            "engine (what is not given is sized from the model, or else from the preset `default`, as far as "
            "what is given allows)"
        )
    group = parser.add_argument_group(title)
    group.add_argument("--config", metavar="FILE.toml", help="engine parameters from a file")
    group.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    for field in fields(EngineConfig):
        if field.name in without:
            continue
        if field.name == "training" and not lists:
            group.add_argument(
                "--training",
                dest="engine_training",
                action="store_const",
                const=1,
                help=_ENGINE_HELP[field.name],
            )
            continue
        number = isinstance(field.default, int)
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            dest=f"engine_{field.name}",
            type=int if number and not lists else str,
            metavar=("N" if number else "NAME") + ("[,...]" if lists else ""),
            help=_ENGINE_HELP.get(field.name, "depth or width, sized automatically"),
        )


def engine_overrides(args: argparse.Namespace) -> dict[str, int | str]:
    """Engine parameters that the command line fixes: preset, then file, then single options."""
    from dorefa.hw.config.engine import EngineConfig

    values = _preset_and_file(args)
    for field in fields(EngineConfig):
        value = getattr(args, f"engine_{field.name}", None)
        if value is not None:
            values[field.name] = value
    return values


def engine_lists(args: argparse.Namespace) -> dict[str, list[int] | list[str]]:
    """Engine parameters of the command line where each takes several values: {name: list}."""
    from dorefa.hw.config.engine import EngineConfig

    values = {name: [value] for name, value in _preset_and_file(args).items()}
    for field in fields(EngineConfig):
        text = getattr(args, f"engine_{field.name}")
        if text is None:
            continue
        values[field.name] = text.split(",")
        if isinstance(field.default, int):
            try:
                values[field.name] = [int(part) for part in values[field.name]]
            except ValueError:
                raise InputError(f"{field.name} is {text!r}; accepted: integers, as 32,64") from None
    return values


def _preset_and_file(args):
    """Engine parameters of the preset, overridden by those of the file."""
    from dorefa.hw.config.engine import preset
    from dorefa.hw.config.toml_file import read_overrides

    values = preset(args.preset).as_dict() if args.preset else {}
    if args.config is not None:
        values |= read_overrides(args.config)
    return values


def engine_config(
    args: argparse.Namespace,
    network: IntegerNetwork | None = None,
    sizes: dict[str, int | str] | None = None,
    *,
    target: Target | None = None,
) -> EngineConfig:
    """The :class:`EngineConfig` of the command line, sized for `network` (integer) if given, and for `target`
    where one is known; `sizes` are parameters that it fixes unless the command line does."""
    from dorefa.hw.compiler.sizing import fit, general
    from dorefa.hw.config.defaults import default_with

    overrides = (target.sizes if target else {}) | (sizes or {}) | engine_overrides(args)
    if network is not None:
        return fit(network, **overrides)
    return general(**overrides) if target else default_with(**overrides)


def say_chosen(out: Output, args: argparse.Namespace, config: EngineConfig, target: Target) -> None:
    """Prints the sizes that :func:`engine_config` has chosen for a target."""
    from dorefa.hw.config.engine import EngineConfig

    given, usual = engine_overrides(args), EngineConfig().as_dict()
    chosen = [
        f"{name} {value}"
        for name, value in config.as_dict().items()
        if name not in given and value != usual[name]
    ]
    if chosen:
        out.say(f"chosen for {target.name}: {', '.join(chosen)}")


def read_images(path: str, network: IntegerNetwork) -> np.ndarray:
    """Images for `network` (integer): uint8 (batch, H, W, C), checked against its input.

    Signed codes may be int8 in the file; they are returned as two's complement of input_bits.
    """
    from dorefa.golden.network.quantized_network import check_images
    from dorefa.golden.run.integer import unsigned_images

    images = npy.load(path, IMAGES)
    try:
        images = unsigned_images(network, images)
        check_images(network, images)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return images


def read_labels(path: str, count: int, network: IntegerNetwork) -> np.ndarray:
    """Labels, integers (count,) from 0 to the network's classes - 1, checked."""
    if not network.score_count:
        raise InputError(
            f"{path}: labels of {network.name}, which gives {_shapes(network)}; accepted: without labels, or "
            "a network that gives one score per class"
        )
    return labels_below(path, count, network.score_count)


def _shapes(network):
    shapes = (network.layers[index].out_shape for index in network.result_layers)
    return " and ".join(f"results of {'x'.join(map(str, shape))}" for shape in shapes)


def labels_below(path: str, count: int, classes: int) -> np.ndarray:
    """Labels, integers (count,) from 0 to classes - 1, checked."""
    labels = npy.load(path, "integer labels, one per image, as .npy")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{path}: labels are {labels.dtype} of shape {labels.shape}; "
            f"accepted: integers of shape ({count},)"
        )
    if len(labels) != count:
        raise InputError(f"{path}: {len(labels)} labels; accepted: {count}, one per image")
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise InputError(f"{path}: label {outside[0]}; accepted: 0 to {classes - 1}")
    return labels
