"""`dorefa synth`: how large an engine, or one component of it, is on a target."""

import argparse
from contextlib import nullcontext

from dorefa.golden.errors import InputError

from .common import options
from .common.output import Output, new_folder
from .pipeline.options import add_architecture, is_streamed
from .pipeline.streamed import streamed
from .training.options import training_asked, training_config

SUMMARY = "synthesize, place and route an engine or one of its components"
EXAMPLE = "dorefa synth --target ecp5 --lanes 64 --rows 16 --unit engine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    from dorefa.synth.flow import units, yosys
    from dorefa.synth.targets import catalog

    targets = catalog.TARGETS
    parser.add_argument(
        "--target", choices=targets, default=catalog.DEFAULT, help=f"default {catalog.DEFAULT}"
    )
    parser.add_argument(
        "--unit",
        choices=units.UNITS,
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
    parser.add_argument(
        "--memory",
        choices=("logic", "macro"),
        help="macro: memories are left out (default of gates; with --pnr, registers stand in for them); "
        "logic: they are made of the target's cells, block RAM or, of gates, flip-flops",
    )
    gates = parser.add_argument_group(f"gates (--target {_gate_targets()})")
    gates.add_argument(
        "--liberty", metavar="FILE", help="cell library (default: one of this project, in NAND2 equivalents)"
    )
    routing = parser.add_argument_group("place and route")
    routing.add_argument("--pnr", action="store_true", help="run nextpnr; LUTs are then packed cells")
    devices = [target.devices[0].name for target in targets.values() if target.router]
    routing.add_argument("--device", metavar="D", help=f"default {', '.join(devices)}")
    routing.add_argument(
        "--seed",
        dest="pnr_seeds",
        type=_seeds,
        default=(1,),
        metavar="S[,S...]",
        help="seeds of nextpnr; the fastest result counts (default 1)",
    )
    options.add_network_options(parser, seed=False, training=True)
    options.add_engine_options(parser)
    add_architecture(parser)


def _gate_targets() -> str:
    from dorefa.synth.targets import catalog

    return ", ".join(catalog.names(lambda target: target.gates))


def _seeds(text: str) -> tuple[int, ...]:
    """argparse type of a list of seeds."""
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; accepted: integers, as 1,2,3") from None


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.synth.flow import liberty, nextpnr, yosys
    from dorefa.synth.flow.units import make_unit
    from dorefa.synth.targets.catalog import find_target

    out = Output(args.json, inputs=options.input_files(args))
    weights_are_logic = is_streamed(args)
    target = find_target(args.target)
    if args.device is not None:
        target.find_device(args.device)
    gates = target.gates is not None
    if not gates and args.liberty is not None:
        raise InputError(
            f"--liberty is for gates, not for {args.target}; accepted: --target {_gate_targets()}"
        )
    memory = args.memory or ("macro" if gates and not weights_are_logic else "logic")
    library = liberty.load(args.liberty) if args.liberty is not None else None
    if args.pnr:
        nextpnr.check_installed(args.target, args.device)
    if weights_are_logic:
        unit, described = _streamed_unit(args, target)
    else:
        config = _engine(args, target)
        unit = make_unit(args.unit, config, args.target, memory=memory)
        described = {"config": config.as_dict()}
    with nullcontext() if args.keep is None else new_folder(args.keep) as folder:
        if folder:
            out.claim_matching("--keep", folder, (f"{unit.top}.v", *yosys.FILES, *nextpnr.FILES))
        contents = _measure(args, unit, library, memory, folder)
    contents["memory"] = memory
    contents |= described
    contents |= _times(contents)
    out.say(f"{unit.name} on {args.target}: {unit.size}")
    if not weights_are_logic:
        options.say_chosen(out, args, config, target)
    _say_cells(out, contents, gates, args.pnr)
    if gates:
        _say_gates(out, contents)
    for macro in contents["memory_macros"]:
        out.say(f"left out, counted nowhere: {macro['module']} x {macro['instances']}")
    if args.pnr:
        _say_timing(out, contents)
    out.report(contents)
    return 0


def _streamed_unit(args, target):
    """(a whole pipeline or hybrid, what the report says of it)."""
    from dorefa.golden import lower
    from dorefa.hw.pipeline.top import PipelineTop
    from dorefa.synth.flow.units import absorbs_leaves, make_streamed_unit

    if args.model is None:
        raise InputError(
            f"--architecture {args.architecture} needs a network; accepted: --model MODEL beside it"
        )
    network = lower(options.load_network(args.model, args))
    kind = streamed(args)
    plan = kind.plan(args, network, absorbs=absorbs_leaves(args.target), sizes=target.sizes)
    top, fabric = PipelineTop(plan, make_core=kind.make_core), kind.fabric(args.target)
    return make_streamed_unit(kind.name, top, module=kind.module, fabric=fabric), kind.report(plan)


def _times(contents):
    """Of a network in the logic images a second, and nanoseconds from an image's first pixel to its last
    number, at the median clock; None where nothing was routed."""
    if "interval_cycles" not in contents:
        return {}
    clock = contents.get("fmax_median_mhz")
    if clock is None:
        return {"images_per_second": None, "latency_ns": None}
    return {
        "images_per_second": clock * 1e6 / contents["interval_cycles"],
        "latency_ns": contents["latency_cycles"] * 1e3 / clock,
    }


def _engine(args, target):
    """The configuration of the engine."""
    from dorefa.golden import lower

    if training_asked(args):
        return training_config(args, target.sizes)
    network = None if args.model is None else lower(options.load_network(args.model, args))
    return options.engine_config(args, network, target=target)


def _measure(args, unit, library, memory, folder):
    """The report of a unit's synthesis and, where asked for, of its place and route."""
    from dorefa.golden.process.scratch import scratch_folder
    from dorefa.synth.flow import nextpnr, report, yosys

    with scratch_folder() as scratch:
        statistics = yosys.synthesize(
            unit.write(folder or scratch),
            top=unit.top,
            target=args.target,
            components=not args.no_components,
            library=library,
            memory=memory,
            folder=folder,
            timeout=args.timeout,
        )
        routed = None
        if args.pnr:
            routed = nextpnr.place_and_route(
                unit,
                target=args.target,
                device=args.device,
                seeds=args.pnr_seeds,
                folder=folder or scratch,
                timeout=args.timeout,
            )
    return report.report(
        statistics,
        unit=unit.name,
        top=unit.top,
        target=args.target,
        binary_ops_per_cycle=unit.binary_ops_per_cycle,
        routed=routed,
        memory_macros=unit.memory_macros,
    )


def _say_cells(out, contents, gates, routed):
    """Prints the counts by component, and in total."""
    # Gates have an area where fabrics have LUTs.
    columns = {"area": contents["area_unit"]} if gates else {"luts": "LUTs"}
    columns |= {"ffs": "FFs", "brams": "memories" if gates else "BRAMs", "cells": "cells"}
    rows = [
        [line["name"], line["instances"], *(_shown(line, key) for key in columns)]
        for line in contents["components"]
    ]
    total = "total, placed and routed" if routed else "total, flattened"
    rows.append([total, 1, *(_shown(contents, key) for key in columns)])
    out.table(["component", "instances", *columns.values()], rows)
    if contents["luts_per_binary_op"] is not None:
        out.say(
            f"{contents['luts_per_binary_op']:.2f} LUTs per binary operation per cycle "
            f"({contents['binary_ops_per_cycle']:,} a cycle)"
        )


def _shown(line, key):
    """A number of the table; areas are rounded."""
    return round(line[key]) if key == "area" else line[key]


def _say_gates(out, contents):
    """Prints area, longest path and what became of the memories."""
    per_operation = contents["gate_equivalents_per_binary_op"]
    out.say(
        f"{contents['liberty']}: area {contents['area']:,.1f} {contents['area_unit']}, "
        f"{contents['gate_equivalents']:,.0f} gate equivalents"
        + (f" ({per_operation:.2f} per binary operation per cycle)" if per_operation else "")
    )
    if contents["longest_path_ps"] is not None:
        out.say(f"longest path by the mapper, without wires: {contents['longest_path_ps']:,.0f} ps")
    if contents["memory"] == "logic":
        out.say("memories are flip-flops, counted in the area (--memory macro leaves them out)")


def _say_timing(out, contents):
    """Prints the clock and the critical path by component."""
    if contents["fmax_mhz"] is None:
        out.say(f"{contents['device']}: no path from register to register")
        return
    by_seed = contents["fmax_by_seed"]
    clocks = " / ".join("-" if clock is None else f"{clock:.1f}" for clock in by_seed.values())
    out.say(
        f"{contents['device']}: {clocks} MHz by seed ({' / '.join(by_seed)}), "
        f"median {contents['fmax_median_mhz']:.1f}"
    )
    if "interval_cycles" in contents:
        out.say(
            f"{contents['interval_cycles']:,} cycles an image: {contents['images_per_second']:,.1f} images a "
            f"second at the median; {contents['latency_cycles']:,} cycles from its first pixel to its last "
            f"number: {contents['latency_ns']:,.1f} ns"
        )
    path = contents["critical_path"]
    steps = ", ".join(f"{step['component']} {step['delay_ns']:.2f}" for step in path["steps"])
    out.say(f"critical path {path['delay_ns']:.2f} ns ({path['routing_ns']:.2f} routing): {steps}")
