"""`dorefa export`: a network as a QONNX file, for other tools."""

import argparse

from dorefa.golden.errors import InputError

from .common import options
from .common.output import Output

SUMMARY = "write a network as a QONNX file"
EXAMPLE = "dorefa export digits -o digits.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("model", metavar="MODEL", help="a .npz network or a zoo name (see `dorefa zoo`)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.onnx", help="where the network goes")
    options.add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.golden.onnx import export

    out = Output(args.json, outputs={"--output": args.output}, inputs=options.input_files(args))
    if not args.output.endswith(".onnx"):
        raise InputError(f"--output is {args.output}; accepted: a name ending in .onnx")
    network = options.load_network(args.model, args)
    if isinstance(network, IntegerNetwork):
        raise InputError(f"{args.model} is a QONNX file already; accepted: a .npz network or a zoo name")
    export.save(network, args.output)
    out.say(f"{network.name}: {len(network.layers)} layers, images of {network.input_bits} bits")
    out.say(f"wrote {args.output}")
    out.report({"network": network.name, "files": [args.output]})
    return 0
