"""`dorefa simulate`: runs the generated Verilog, or its netlist, and compares with the integer model."""

import argparse
import sys
from dataclasses import replace

from dorefa.golden.errors import InputError

from . import options
from .bipolar import bipolar_inputs, say_bipolar
from .layers import layer_table, say_groups
from .output import Output, Progress, require_writable, write_array

SUMMARY = "run the generated Verilog and compare every layer with the golden model"
EXAMPLE = "dorefa simulate digits --simulator verilator --limit 100"

# Images when no --input and no --limit says how many: what each simulator does in a minute or two.
_DEFAULT_IMAGES = {"verilator": 1000, "icarus": 10, "amaranth": 1}
_FEW_IMAGES = 10  # random ones, and any through a netlist


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    from dorefa.synth.targets import catalog

    parser.add_argument("model", metavar="MODEL", help=options.MODEL_HELP)
    parser.add_argument(
        "--input",
        metavar="X.npy",
        help="uint8 images (batch, H, W, C); default: the shipped test images for digits, else random ones",
    )
    parser.add_argument("--labels", metavar="L.npy", help="true classes; gives the accuracy")
    parser.add_argument(
        "--simulator",
        choices=("auto", *_DEFAULT_IMAGES),
        default="auto",
        help="auto takes the fastest that works here",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="run only the first N images")
    parser.add_argument("--stalls", type=int, default=0, metavar="PERCENT", help="random waits on the ports")
    parser.add_argument(
        "--latency",
        type=int,
        default=0,
        metavar="N",
        help="cycles before each packet of streamed weights or residual trunks",
    )
    parser.add_argument(
        "--sim-seed", type=int, default=1, metavar="N", help="seed of stalls and random images"
    )
    parser.add_argument("--through-port", action="store_true", help="load the network through AXI4-Lite")
    parser.add_argument(
        "--netlist",
        action="store_true",
        help="synthesize, and run the netlist with the vendor's cell models; compares the results",
    )
    parser.add_argument(
        "--target",
        choices=catalog.names(lambda target: target.netlist),
        help=f"of --netlist, default {catalog.DEFAULT}",
    )
    parser.add_argument("--output", metavar="Y.npy", help="int64 accumulators (batch, classes)")
    parser.add_argument("--logits", metavar="L.npy", help="float64 accumulators x scale + bias")
    options.add_network_options(parser)
    options.add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status, 1 where hardware and golden differ."""
    from dorefa.golden import logits, lower
    from dorefa.sim import backends

    out = Output(args.json)
    network = lower(options.load_network(args.model, args))
    simulator = _wanted_simulator(args)
    config = options.engine_config(args, network)
    for path in (args.output, args.logits):
        if path:
            require_writable(path)
    result, netlist = backends.with_simulator(
        simulator, lambda name, why: _simulate(out, args, network, config, name, why)
    )
    for path, array in (
        (args.output, result.outputs),
        (args.logits, logits(network, result.outputs)),
    ):
        if path:
            write_array(path, array)
            out.say(f"wrote {path}")
    _say(out, result)
    contents = result.as_dict()
    if netlist:
        contents["netlist"] = netlist.as_dict()
    else:
        contents["bipolar_activations"] = bipolar_inputs(network, result.layers)
        say_bipolar(out, contents["bipolar_activations"])
    out.report(contents)
    if result.bit_exact:
        return 0
    first = result.mismatches[0]
    print(
        f"dorefa: {args.model} is not bit-exact: {result.mismatch_count} differences, the first: {first}",
        file=sys.stderr,
    )
    return 1


def _wanted_simulator(args):
    """The simulator that the command line asks for, checked against what else it asks; ``auto`` for any."""
    if not args.netlist:
        if args.target:
            raise InputError(f"--target is {args.target}; accepted: only with --netlist")
        return args.simulator
    if args.simulator not in ("auto", "verilator"):
        raise InputError(f"--simulator is {args.simulator}; accepted with --netlist: verilator, auto")
    return "verilator"


def _simulate(out, args, network, config, simulator, why):
    """(report of the simulation, :class:`Netlist` or None) with a simulator, chosen for the reason `why`."""
    from dorefa.sim import simulate

    images, labels = _images(args, network, simulator, config.batch)
    verilog, netlist = _verilog(out, args, network, config, simulator)
    with Progress(simulator, len(images)) as progress:
        result = simulate(
            network,
            images=images,
            config=config,
            labels=labels,
            simulator=simulator,
            limit=args.limit,
            stalls=args.stalls,
            latency=args.latency,
            seed=args.sim_seed,
            through_port=args.through_port,
            verilog_text=verilog,
            ports_only=args.netlist,
            progress=lambda done, total: progress.update(done, total=total),
        )
    why = "netlists run in no other" if args.netlist and args.simulator == "auto" else why
    return replace(result, why=why), netlist


def _verilog(out, args, network, config, simulator):
    """(Verilog to run or None, :class:`Netlist` or None)."""
    from dorefa.golden.process.scratch import scratch_folder
    from dorefa.hw import compile_network
    from dorefa.hw.generate.manifest import engine_files
    from dorefa.sim import backends
    from dorefa.synth.flow.netlist import make_netlist
    from dorefa.synth.flow.units import make_unit
    from dorefa.synth.targets import catalog

    if not args.netlist:
        # What `generate` writes, so that what is compared is what a user gets.
        return engine_files(config)["engine.v"] if backends.needs_verilog(simulator) else None, None
    compile_network(network, config)  # refuses a network that does not fit before synthesis
    target = args.target or catalog.DEFAULT
    with scratch_folder() as scratch:
        made = make_netlist(make_unit("engine", config, target), target, folder=scratch)
    out.say(f"netlist for {target}: {sum(made.cells.values()):,} cells, memories are {made.memories}")
    return made.text, made


def _images(args, network, simulator, batch):
    """(images, labels or None) that the command line asks for."""
    from dorefa.golden import random_images
    from dorefa.golden.zoo.datasets import digits_sample

    few = -(-_FEW_IMAGES // batch) * batch
    count = args.limit or (few if args.netlist else _DEFAULT_IMAGES[simulator])
    labels = None
    if args.input:
        images = options.read_images(args.input, network)
    elif args.model == "digits" and args.net_size is None:
        images, labels = (array[:count] for array in digits_sample())
    else:
        count = args.limit or min(count, few)
        images = random_images(network, count, args.sim_seed)
    if args.labels:
        labels = options.read_labels(args.labels, len(images), network.classes)
    return images, labels


def _say(out, result):
    out.say(f"{result.images} images in {result.simulator} ({result.why})")
    out.say(f"bit-exact: {'yes' if result.bit_exact else 'NO'}")
    if result.accuracy is not None:
        out.say(f"accuracy {result.accuracy:.4f}")
    if result.layers:
        out.table(*layer_table(result.layers, result.config))
        say_groups(out, result.layers)
    else:
        out.say(f"compared: the results of {result.compared[0]} at the port, no layer inside the netlist")
    out.say(f"{result.cycles:,.0f} cycles per image")
    for mismatch in result.mismatches:
        out.say(f"difference: {mismatch}")
