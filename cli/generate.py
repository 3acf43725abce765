"""`dorefa generate`: the engine as Verilog, with its manifest and the files of a network."""

import argparse

from dorefa.golden.errors import InputError

from . import options
from .output import Output, new_folder, write_bytes

SUMMARY = "write an engine as portable Verilog"
EXAMPLE = "dorefa generate -o engine --model digits --preload"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="DIR",
        help="gets engine.v, .json, .h, .core and what loads the network",
    )
    parser.add_argument(
        "--model", metavar="MODEL", help="size the engine for this network, write what loads it"
    )
    parser.add_argument("--preload", action="store_true", help="put the network of --model into the Verilog")
    parser.add_argument(
        "--memory",
        choices=("logic", "macro"),
        default="logic",
        help="macro: a black-box module per shape of memory in engine.v, models of them in memories.v",
    )
    parser.add_argument(
        "--librelane",
        nargs="?",
        type=float,
        const=10.0,
        metavar="NS",
        help="write config.json for LibreLane, with this clock period (default 10 ns)",
    )
    options.add_network_options(parser)
    options.add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden import lower
    from dorefa.hw.compiler.compile import compile_network
    from dorefa.hw.generate.manifest import engine_files
    from dorefa.hw.generate.network_files import network_files

    out = Output(args.json)
    if args.preload and not args.model:
        raise InputError("--preload needs a network; accepted: --model MODEL beside it")
    network = lower(options.load_network(args.model, args)) if args.model else None
    config = options.engine_config(args, network)
    # Compiled even when not preloaded: an engine that cannot run its model is not worth a file.
    compiled = compile_network(network, config) if network else None
    texts = engine_files(
        config,
        compiled if args.preload else None,
        memory=args.memory,
        librelane_period_ns=args.librelane,
    )
    contents = {name: text.encode() for name, text in texts.items()}
    if compiled:
        contents |= network_files(compiled, preloaded=args.preload)
    files = []
    with new_folder(args.output) as folder:
        for name, content in contents.items():
            write_bytes(folder / name, content)
            files.append(str(folder / name))
            out.say(f"wrote {files[-1]}")
    out.report({"files": files, "config": config.as_dict(), "preloaded": args.preload})
    return 0
