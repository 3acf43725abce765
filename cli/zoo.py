"""`dorefa zoo`: the networks that have a name."""

import argparse
import math
from typing import Any

from dorefa.golden.errors import InputError

from .common import options
from .common.output import Output

SUMMARY = "list the named networks, or tabulate their layers"
EXAMPLE = "dorefa zoo --table --net-w 1 --net-a 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("name", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument(
        "--table", action="store_true", help="layers with operations, weight and feature bits"
    )
    parser.add_argument(
        "--toml", action="store_true", help="write the architecture as TOML, to begin one of your own with"
    )
    options.add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.golden.zoo import catalog as networks

    out = Output(args.json, inputs={"NAME": [name for name in args.name if options.is_file(name)]})
    if args.toml:
        text = _toml(args)
        out.say(text.rstrip())
        out.report({"toml": text})
        return 0
    described: list[dict[str, Any]] = []
    for name in args.name or networks.names():
        network = options.network_outline(name, args)
        if isinstance(network, IntegerNetwork):
            raise InputError(f"{name} is a QONNX file; accepted: a .npz network or a zoo name")
        layers = [
            _describe(layer, shapes, links)
            for layer, shapes, links in zip(network.layers, network.shapes, network.links, strict=True)
        ]
        totals = {
            key: sum(layer[key] for layer in layers)
            for key in ("macs", "binary_ops", "weight_bits", "feature_bits", "trunk_bits")
        }
        described.append({"name": name, "layers": layers, **totals})
        height, width, channels = network.input_shape
        out.say(
            f"{name}: {height}x{width}x{channels} images of {network.input_bits} bits, "
            f"{network.classes} classes, {len(layers)} layers, {totals['macs']:,} MACs"
        )
        if args.table:
            out.table(
                [
                    "layer",
                    "output",
                    "W",
                    "A",
                    "MACs",
                    "binary ops",
                    "weight bits",
                    "feature bits",
                    "trunk bits",
                ],
                [list(layer.values()) for layer in layers] + [["total", "", None, None, *totals.values()]],
            )
    trained = ", ".join(f"{name} {w}-{a}-{g}" for (name, w, a), g in networks.TRAINED.items())
    out.say(f"trained weights (W-A-G): {trained}; all other widths: random weights from --seed")
    out.report({"networks": described})
    return 0


def _toml(args):
    """The architecture that the command line names, without widths."""
    from dorefa.golden.zoo import architectures
    from dorefa.golden.zoo.toml_form import architecture_toml

    if len(args.name) != 1 or args.table:
        named = " ".join([*args.name, *(["--table"] if args.table else [])]) or "nothing"
        raise InputError(f"--toml beside {named}; accepted beside --toml: one NAME")
    for option, value in options.zoo_options(args).items():
        raise InputError(
            f"--{option.replace('_', '-')} {value} is no part of an architecture; accepted: --toml without it"
        )
    return architecture_toml(architectures.find(args.name[0]))


def _describe(layer, shapes, links):
    """One layer's line. `a_bits` are of the activations read, `feature_bits` of those written,
    `trunk_bits` of the integers that a later addition needs."""
    from dorefa.golden.network.shapes import macs

    height, width, channels = shapes.out_shape
    count = macs(layer, shapes.conv_shape, shapes.out_shape, links.trunk)
    return {
        "name": layer.name,
        "output": f"{height}x{width}x{channels}",
        "w_bits": layer.w_bits,
        "a_bits": links.bits,
        "macs": count,
        "binary_ops": count * layer.w_bits * links.bits,
        "weight_bits": layer.codes.size * layer.w_bits,
        "feature_bits": height * width * channels * (layer.out_bits or 0),
        "trunk_bits": math.prod(shapes.conv_shape) * layer.rescale.bits if links.trunk else 0,
    }
