"""`dorefa generate`: the engine as Verilog, with its manifest and the files of a network."""

import argparse

from dorefa.golden.errors import InputError

from .common import options
from .common.output import Output, new_folder
from .pipeline.generate import generate_streamed
from .pipeline.options import add_architecture, is_streamed
from .training.options import training_asked, training_config

SUMMARY = "write an engine as Verilog, portable or with a target's own cells"
EXAMPLE = "dorefa generate -o engine --model digits --preload"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    from dorefa.synth.targets import catalog

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
    parser.add_argument(
        "--target",
        choices=catalog.TARGETS,
        help="size the engine for this target and use its cells (default: portable)",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="of the module; all other modules, the FuseSoC core and the C macros begin with it, so that two "
        "designs go into one (default: dorefa_engine, dorefa_pipeline or dorefa_hybrid)",
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
    options.add_network_options(parser, training=True)
    options.add_engine_options(parser)
    add_architecture(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden import lower
    from dorefa.hw.compiler.compile import compile_network
    from dorefa.hw.generate.file_set import file_set, paths, write_set
    from dorefa.hw.generate.names import checked_name
    from dorefa.hw.generate.testbench import BENCH, IMAGE, RESULTS
    from dorefa.hw.verilog.export import MODULE
    from dorefa.synth.targets.catalog import find_target

    name = None if args.name is None else checked_name(args.name, "--name")
    if is_streamed(args):
        return generate_streamed(args, name)
    out = Output(args.json, inputs=options.input_files(args))
    if args.preload and args.model is None:
        raise InputError("--preload needs a network; accepted: --model MODEL beside it")
    target = None if args.target is None else find_target(args.target)
    fabric = target.fabric_name if target else None
    if fabric and args.librelane is not None:
        raise InputError(
            f"--librelane is for gates, and {args.target} has cells of its own; accepted: without --target"
        )
    if training_asked(args):
        if args.preload:
            raise InputError("--preload is for engines that infer; accepted: without --training")
        network, config = None, training_config(args, target.sizes if target else {})
    else:
        network = lower(options.load_network(args.model, args)) if args.model is not None else None
        config = options.engine_config(args, network, target=target)
    # Compiled even when not preloaded: an engine that cannot run its model is not worth a file.
    compiled = compile_network(network, config) if network else None
    with new_folder(args.output) as folder:
        # What is written besides the engine's own files.
        wanted = {"memories.v": args.memory == "macro", "config.json": args.librelane is not None}
        wanted |= dict.fromkeys(("network.json", "load.bin", "weights.bin"), compiled is not None)
        wanted |= dict.fromkeys((BENCH, IMAGE, RESULTS), compiled is not None and fabric is None)
        out.claim(outputs={"--output": [path for path in paths(folder) if wanted.get(path.name, True)]})
        contents = file_set(
            config,
            compiled,
            preload=args.preload,
            memory=args.memory,
            librelane_period_ns=args.librelane,
            fabric=fabric,
            name=name or MODULE,
        )
        write_set(folder, contents)
    files = [str(folder / name) for name in contents]
    for name in files:
        out.say(f"wrote {name}")
    if target:
        options.say_chosen(out, args, config, target)
    out.report({"files": files, "config": config.as_dict(), "preloaded": args.preload})
    return 0
