"""`dorefa explore`: which engine or pipeline to take for a network on a target, device or board."""

import argparse
import csv
import io
from contextlib import nullcontext

from dorefa.golden.files import write_files

from .common import options
from .common.output import Output, Progress, new_folder
from .pipeline.explore import pipeline_points
from .pipeline.options import add_architecture, refuse_options

SUMMARY = "measure many engines or pipelines for a network and recommend one"
EXAMPLE = "dorefa explore digits --target ecp5 --lanes 16,32,64 --rows 8,16 -o explored"
TABLE = "explore.csv"
PICTURES = tuple(f"{plot}.{kind}" for plot in ("throughput", "efficiency") for kind in ("png", "svg"))
# Engine parameters that are in the table whether explored or not.
_ALWAYS = ("lanes", "rows", "cols", "quantizer", "structure", "pipeline")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    from dorefa.synth.flow import yosys
    from dorefa.synth.targets import catalog

    parser.add_argument("model", metavar="MODEL", help=options.MODEL_HELP)
    parser.add_argument(
        "--target",
        metavar="T",
        help=f"one of {', '.join(catalog.TARGETS)} (default: the board's, or {catalog.DEFAULT})",
    )
    parser.add_argument("--device", metavar="D", help="what has to hold it (a wrong name lists them)")
    parser.add_argument("--board", metavar="B", help="a board that has to hold it (a wrong name lists them)")
    parser.add_argument("-o", "--output", metavar="DIR", help=f"where {TABLE} and the plots (PNG, SVG) go")
    parser.add_argument(
        "--pnr", action="store_true", help="place and route each point; with --board, its whole bitstream"
    )
    parser.add_argument("--pnr-seed", type=int, default=1, metavar="N", help="seed of it (default 1)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, metavar="N", help="points at a time (default: one per processor)")
    where.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler whose workers do it instead")
    parser.add_argument(
        "--timeout",
        type=float,
        default=yosys.DEFAULT_TIMEOUT,
        metavar="S",
        help=f"of each run of a tool (default {yosys.DEFAULT_TIMEOUT} s)",
    )
    options.add_network_options(parser)
    options.add_engine_options(parser, lists=True)
    add_architecture(parser, lists=True)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden import lower
    from dorefa.golden.errors import InputError
    from dorefa.synth.explore import explore
    from dorefa.synth.targets.tool import require

    out = Output(args.json, inputs=options.input_files(args))
    goal = _goal(args)
    if args.jobs is not None and args.jobs < 1:
        raise InputError(f"--jobs is {args.jobs}; accepted: at least 1")
    values = options.engine_lists(args)
    refuse_options(args)
    if args.output is not None:
        require("matplotlib", "explore")
    network = lower(options.load_network(args.model, args))
    tasks = _tasks(args, network, values, goal)
    names = ["architecture", *_ALWAYS]
    names = list(dict.fromkeys((*names, *(name for task in tasks for name in task["parameters"]))))
    with nullcontext() if args.output is None else new_folder(args.output) as folder:
        if folder:
            out.claim(outputs={"--output": [folder / name for name in (TABLE, *PICTURES)]})
        with Progress("explore", len(tasks)) as progress:
            points, cached = explore.explore(
                network, tasks, goal, jobs=args.jobs, cluster=args.cluster, progress=progress.update
            )
        front, best = explore.pareto(points), explore.recommend(points)
        for point in points:
            point["pareto"] = point in front
        files = _write(folder, points, names, f"{network.name} on {_place(goal)}") if folder else []
    why = best and explore.reason_for(points, best)
    _say(out, points, names, cached, goal)
    _recommend(out, best, why, goal)
    for name in files:
        out.say(f"wrote {name}")
    out.report(
        {
            "network": network.name,
            "target": goal.target,
            "device": goal.device,
            "board": goal.board,
            "points": points,
            "measured": len(points) - cached,
            "cached": cached,
            "recommended": best,
            "recommended_because": why,
            "files": files,
            "tools": explore.tool_versions(),
        }
    )
    return 0


def _tasks(args, network, values, goal):
    """Architecture and parameters of every point that is asked for."""
    from dorefa.synth.explore import explore

    grids = {}
    if args.architecture != "pipeline":
        grids["engine"] = explore.grid(network, values, goal)
    if args.architecture != "engine":
        grids["pipeline"] = pipeline_points(args, network, goal)
    return [
        {"architecture": architecture, "parameters": parameters}
        for architecture, grid in grids.items()
        for parameters in grid
    ]


def _goal(args):
    """The :class:`Goal` of the command line."""
    from dorefa.golden.errors import InputError
    from dorefa.synth.boards import catalog as boards
    from dorefa.synth.explore.point import Goal
    from dorefa.synth.flow import nextpnr
    from dorefa.synth.targets import catalog, tool

    board = args.board and boards.find_board(args.board)
    if board and args.target not in (None, board.family):
        raise InputError(f"--target is {args.target!r}; accepted with board {args.board}: {board.family}")
    if board and args.device is not None:
        raise InputError(f"--device is {args.device!r}; accepted with a board: its own, without --device")
    target = board.target if board else catalog.find_target(args.target or catalog.DEFAULT)
    if board:
        device = boards.device_of(board)
    else:
        device = target.find_device(args.device) if args.device is not None else target.largest_device
    if args.pnr and board:
        tool.check_installed(target.tools)
    elif args.pnr:
        nextpnr.check_installed(target.name, device and device.name)
    return Goal(
        target=target.name,
        device=device and device.name,
        board=args.board,
        pnr=args.pnr,
        seed=args.pnr_seed,
        timeout=args.timeout,
    )


def _place(goal):
    return goal.board or goal.device or goal.target


def _parameters(point, names):
    """What a point is, None for parameters that it has not or that could not be sized."""
    own = {"architecture": point["architecture"]} | (point["config"] or point["parameters"])
    return [own.get(name) for name in names]


def _write(folder, points, names, title):
    """Writes table and plots; returns their names."""
    from dorefa.synth.explore import plots
    from dorefa.synth.explore.point import FIGURES

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*names, *FIGURES, "pareto", "reason"])
    for point in points:
        figures = [point[name] for name in FIGURES]
        table.writerow([*_parameters(point, names), *figures, int(point["pareto"]), point["reason"]])
    contents = {TABLE: text.getvalue().encode(), **plots.draw(points, title)}
    write_files({folder / name: content for name, content in contents.items()})
    return [str(folder / name) for name in contents]


def _area_of(goal):
    """(figure of a point's size on this target, its name)."""
    from dorefa.synth.targets.catalog import find_target

    return ("luts", "LUTs") if find_target(goal.target).cells.luts else ("cells", "cells")


def _say(out, points, names, cached, goal):
    """Prints the points, and why some are none."""
    columns = zip(*(_parameters(point, names) for point in points), strict=True)
    changing = [name for name, own in zip(names, columns, strict=True) if len({*own} - {None}) > 1]
    area, area_name = _area_of(goal)
    figures = {"interval_cycles": "interval", "latency_cycles": "latency"}
    if any(point["architecture"] == "engine" for point in points):
        figures["utilization"] = "utilization"
    figures |= {area: area_name, "ffs": "FFs", "brams": "BRAMs"}
    if goal.pnr:
        figures |= {"fmax_mhz": "MHz", "images_per_second": "images/s"}
    else:
        figures["images_per_second_per_mhz"] = "images/s/MHz"
    # What was asked for stands in the column of what it became.
    shown = [name for name in changing if name != "interval"]
    rows = []
    for point in points:
        line = _parameters(point, shown) + [point[name] for name in figures]
        rows.append([*line, "front" if point["pareto"] else "unusable" if point["reason"] else ""])
    out.table([*shown, *figures.values(), "Pareto"], rows)
    for point in points:
        if point["reason"]:
            own = zip(changing, _parameters(point, changing), strict=True)
            named = " ".join(f"{name} {value}" for name, value in own if value is not None)
            out.say(f"unusable: {named + ': ' if named else ''}{point['reason']}")
    out.say(f"{len(points)} points, {cached} of them from the cache")


def _recommend(out, best, why, goal):
    """Prints the point to take, and why."""
    if best is None:
        out.say(f"recommended: none, because no point fits {_place(goal)}")
        return
    parameters = dict(best["parameters"])
    if best["architecture"] == "pipeline" or why:
        parameters = {"architecture": best["architecture"]} | parameters
    chosen = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in parameters.items())
    out.say(f"recommended, the fastest {'that fits' if goal.device else 'on'} {_place(goal)}: {chosen}")
    area, area_name = _area_of(goal)
    line = f"{best[area]:,} {area_name}, {best['brams']:,} block RAMs, "
    line += f"an image every {best['interval_cycles']:,} cycles, "
    line += f"{best['latency_cycles']:,} from its first byte to its last number"
    if goal.pnr:
        line += f", {best['images_per_second']:,.1f} images a second at {best['fmax_mhz']:.2f} MHz"
    out.say(line)
    if why:
        out.say(f"because {why}")
