"""`dorefa simulate`: runs the generated Verilog, or its netlist, and compares with the integer model."""

import argparse
from dataclasses import replace

from dorefa.golden.errors import InputError
from dorefa.golden.files import write_file

from .common import options
from .common.layers import bipolar_inputs, layer_table, say_bipolar, say_groups, say_times
from .common.output import Output, Progress, counted, results_file
from .pipeline.options import add_architecture, is_streamed
from .pipeline.simulate import simulate_streamed

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
        "--engine", metavar="DIR", help="run what `dorefa generate -o DIR` wrote, not an engine made now"
    )
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
    parser.add_argument(
        "--trace",
        metavar="FILE.vcd",
        help="write the waveform of all signals but memories (in Verilator or Amaranth); without --input or "
        "--limit of one image",
    )
    parser.add_argument("--output", metavar="Y.npy", help=options.OUTPUT_HELP)
    parser.add_argument("--logits", metavar="L.npy", help="float64 accumulators x scale + bias")
    options.add_network_options(parser)
    options.add_engine_options(parser)
    add_architecture(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status. Where hardware and golden differ, writes the report and raises
    :class:`InputError` with the first difference."""
    from dorefa.golden import lower
    from dorefa.hw.generate import file_set
    from dorefa.sim import backends

    if is_streamed(args):
        return simulate_streamed(args, lambda network, simulator: _images(args, network, simulator, 1))
    out = Output(
        args.json,
        outputs={"--output": args.output, "--logits": args.logits, "--trace": args.trace},
        inputs={
            "--engine": None if args.engine is None else file_set.paths(args.engine),
            **options.input_files(args),
        },
    )
    network = lower(options.load_network(args.model, args))
    wanted = _wanted_simulator(args)
    generated = _generated(args, network)
    config = generated.config if generated else options.engine_config(args, network)
    result, netlist = backends.with_simulator(
        wanted, lambda name, why: _simulate(out, args, network, config, generated, name, why)
    )
    for path, arrays in ((args.output, result.results), (args.logits, result.real)):
        if path is not None:
            write_file(path, results_file(arrays))
            out.say(f"wrote {path}")
    if args.trace is not None:
        out.say(f"wrote {args.trace}")
    _say(out, result)
    contents = result.as_dict() | {"notes": out.notes(network.notes)}
    if netlist:
        contents["netlist"] = netlist.as_dict()
    else:
        contents["bipolar_activations"] = bipolar_inputs(network, result.layers)
        say_bipolar(out, contents["bipolar_activations"])
    out.report(contents)
    if result.bit_exact:
        return 0
    first = result.mismatches[0]
    raise InputError(
        f"{args.model} is not bit-exact: {result.mismatch_count} differences, the first: {first}"
    )


def _wanted_simulator(args):
    """The simulator that the command line asks for, checked against what else it asks; ``auto`` for any."""
    if not args.netlist:
        if args.target:
            raise InputError(f"--target is {args.target}; accepted: only with --netlist")
        return args.simulator
    if args.simulator not in ("auto", "verilator"):
        raise InputError(f"--simulator is {args.simulator}; accepted with --netlist: verilator, auto")
    return "verilator"


def _simulate(out, args, network, config, generated, simulator, why):
    """(report of the simulation, :class:`Netlist` or None) with a simulator, chosen for the reason `why`.

    generated: the :class:`FileSet` whose Verilog is to run, or None.
    """
    from dorefa.hw.verilog.export import MODULE
    from dorefa.sim import backends, simulate

    images, labels = _images(args, network, simulator, config.batch)
    if generated is None:
        verilog, netlist = _verilog(out, args, network, config, simulator)
    elif backends.needs_verilog(simulator):
        verilog, netlist = generated.contents["engine.v"].decode(), None
    else:
        raise InputError(
            f"--engine is {args.engine}; accepted without --simulator {simulator} ({why}), which runs no "
            "Verilog of it"
        )
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
            module=generated.module if generated else MODULE,
            preloaded=generated is not None and generated.engine["preloaded"] is not None,
            ports_only=args.netlist,
            trace=args.trace,
            progress=lambda done, total: progress.update(done, total=total),
        )
    why = "netlists run in no other" if args.netlist and args.simulator == "auto" else why
    return replace(result, why=why), netlist


def _generated(args, network):
    """The :class:`FileSet` of --engine, which has this network's files if any, or None without --engine."""
    from dorefa.hw import compile_network
    from dorefa.hw.generate.file_set import read_set
    from dorefa.hw.generate.network_files import network_parts
    from dorefa.sim import backends

    if args.engine is None:
        return None
    for option in options.engine_overrides(args):
        raise InputError(
            f"--engine is {args.engine}, which fixes {option}; accepted beside it: no engine options"
        )
    if args.netlist or not backends.needs_verilog(args.simulator):
        unfit = "--netlist" if args.netlist else f"--simulator {args.simulator}"
        raise InputError(f"--engine is {args.engine}; accepted without {unfit}, which runs no Verilog of it")
    found = read_set(args.engine)
    if "memories.v" in found.contents:
        raise InputError(f"{args.engine}: its memories are macros; accepted: an engine of --memory logic")
    if found.network is not None:
        compiled = compile_network(network, found.config)
        files, _ = network_parts(compiled, preloaded=found.engine["preloaded"] is not None)
        for name in sorted({*files, *found.network["sha256"]}):
            if found.contents.get(name) != files.get(name):
                raise InputError(
                    f"{found.folder / name}: is not what loads {args.model} into this engine; accepted: the "
                    f"network that the folder was made for, {found.network['network']}"
                )
    return found


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
    count = few if args.netlist else _DEFAULT_IMAGES[simulator]
    # A waveform grows with every cycle.
    count = args.limit or (batch if args.trace is not None else count)
    labels = None
    if args.input is not None:
        images = options.read_images(args.input, network)
    elif args.model == "digits" and args.net_size is None:
        images, labels = (array[:count] for array in digits_sample())
    else:
        count = args.limit or min(count, few)
        images = random_images(network, count, args.sim_seed)
    if args.labels is not None:
        labels = options.read_labels(args.labels, len(images), network)
    return images, labels


def _say(out, result):
    out.say(f"{counted(result.images, 'image')} in {result.simulator} ({result.why})")
    out.say(f"bit-exact: {'yes' if result.bit_exact else 'NO'}")
    if result.accuracy is not None:
        out.say(f"accuracy {result.accuracy:.4f}")
    if result.layers:
        out.table(*layer_table(result.layers, result.config))
        say_groups(out, result.layers)
    else:
        names = ", ".join(result.compared)
        out.say(f"compared: the results of {names} at the port, no layer inside the netlist")
    out.say(f"{result.cycles:,.0f} cycles per image")
    say_times(out, result.interval_cycles, result.latency_cycles)
    for mismatch in result.mismatches:
        out.say(f"difference: {mismatch}")
