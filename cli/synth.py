"""`dorefa synth`: how large an engine, or one component of it, is on a target."""

from . import options
from .output import Output, make_folder

SUMMARY = "synthesize an engine or one of its components with Yosys"
EXAMPLE = "dorefa synth --target ecp5 --lanes 64 --rows 16 --unit engine"

_COUNTS = ("luts", "ffs", "brams", "cells")


def add_arguments(parser):
    """Adds the verb's options to `parser`."""
    from dorefa.synth import yosys

    parser.add_argument("--target", choices=yosys.TARGETS, default="ecp5", help="default ecp5")
    parser.add_argument(
        "--unit",
        choices=("engine", "popcount", "dot", "quantizer"),
        default="engine",
        help="what to synthesize (default engine)",
    )
    parser.add_argument("--model", metavar="MODEL", help="size the engine for this network")
    parser.add_argument(
        "--no-components",
        action="store_true",
        help="totals only, without the second run that keeps the components apart",
    )
    parser.add_argument("--keep", metavar="DIR", help="keep the Verilog, script and log here")
    parser.add_argument(
        "--timeout", type=float, default=yosys.DEFAULT_TIMEOUT, metavar="S", help="default 3600 s"
    )
    options.add_network_options(parser)
    options.add_engine_options(parser)


def run(args):
    """Runs the verb; returns the exit status."""
    import tempfile

    from dorefa.golden import lower
    from dorefa.synth import report, yosys
    from dorefa.synth.units import make_unit

    out = Output(args.json)
    network = args.model and lower(options.load_network(args.model, args))
    config = options.engine_config(args, network or None)
    folder = args.keep and make_folder(args.keep)
    unit = make_unit(args.unit, config)
    with tempfile.TemporaryDirectory(prefix="dorefa-") as scratch:
        statistics = yosys.synthesize(
            unit.write(folder or scratch),
            top=unit.top,
            target=args.target,
            components=not args.no_components,
            folder=folder,
            timeout=args.timeout,
        )
    contents = report.report(
        statistics,
        unit=unit.name,
        top=unit.top,
        target=args.target,
        binary_ops_per_cycle=unit.binary_ops_per_cycle,
    )
    contents["config"] = config.as_dict()
    out.say(
        f"{unit.name} on {args.target}: {config.lanes} lanes x {config.rows} rows x "
        f"{config.cols} columns"
    )
    rows = [
        [line["name"], line["instances"], *(line[key] for key in _COUNTS)]
        for line in contents["components"]
    ]
    rows.append(["total, flattened", 1, *(contents[key] for key in _COUNTS)])
    out.table(["component", "instances", "LUTs", "FFs", "BRAMs", "cells"], rows)
    if contents["luts_per_binary_op"] is not None:
        out.say(
            f"{contents['luts_per_binary_op']:.2f} LUTs per binary operation per cycle "
            f"({contents['binary_ops_per_cycle']:,} a cycle)"
        )
    out.report(contents)
    return 0
