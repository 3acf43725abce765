"""`dorefa build`: a board's bitstream with a network inside, or with an engine that trains."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from dorefa.golden.files import write_files

from .common import options
from .common.boards import DEFAULT_BAUD, SETTINGS
from .common.output import Output, Progress, new_folder
from .pipeline.device import check_board
from .pipeline.options import add_architecture, is_streamed
from .pipeline.streamed import streamed
from .training.options import training_asked, training_engine

if TYPE_CHECKING:
    from dorefa.hw.shell.board_core import BoardCore
    from dorefa.hw.shell.stream_board import StreamBoard
    from dorefa.synth.boards.bitstream import Bitstream
    from dorefa.synth.boards.catalog import Board

SUMMARY = "make a bitstream with the network, or an engine that trains it, for a board"
EXAMPLE = "dorefa build digits --board ulx3s_85f -o ulx3s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    from dorefa.synth.boards import bitstream

    parser.add_argument("model", metavar="MODEL", help=options.MODEL_HELP)
    parser.add_argument("--board", required=True, metavar="B", help="a name; a wrong one lists them")
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="where bitstream and settings go"
    )
    parser.add_argument(
        "--clock", type=float, metavar="MHZ", help="rate of what is made (default: the board's)"
    )
    parser.add_argument("--baud", type=int, default=DEFAULT_BAUD, metavar="N", help=f"default {DEFAULT_BAUD}")
    parser.add_argument(
        "--pnr-seed", type=int, default=1, metavar="N", help="seed of place and route (default 1)"
    )
    parser.add_argument("--keep", metavar="DIR", help="keep what the tools read and write here")
    parser.add_argument(
        "--timeout",
        type=float,
        default=bitstream.DEFAULT_TIMEOUT,
        metavar="S",
        help=f"of each tool (default {bitstream.DEFAULT_TIMEOUT} s)",
    )
    options.add_network_options(parser, training=True)
    options.add_engine_options(parser)
    add_architecture(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.synth.boards import catalog

    out = Output(args.json, inputs=options.input_files(args))
    board = catalog.find_board(args.board)
    if is_streamed(args):
        return _build_streamed(out, args, board)
    return _build_training(out, args, board) if training_asked(args) else _build_network(out, args, board)


def _build_network(out: Output, args: argparse.Namespace, board: Board) -> int:
    """A bitstream with the network inside."""
    from dorefa.golden import lower
    from dorefa.hw import compile_network
    from dorefa.hw.shell.board_core import network_board
    from dorefa.synth.boards.report import report, settings

    network = lower(options.load_network(args.model, args))
    config = options.engine_config(args, network, sizes=board.sizes)
    compiled = compile_network(network, config)
    line = {"board": args.board, "baud": args.baud}
    made, paths = _make(
        out,
        args,
        board,
        partial(network_board, compiled),
        lambda made, files: settings(made, compiled, files, **line),
    )
    contents = report(made, compiled, **line)
    _say_files(out, paths, board)
    out.say("every memory starts with its contents; nothing has to be loaded")
    _say_cells(out, contents)
    _say_images(out, contents)
    out.report(contents | {"bitstream": paths[0], "files": paths})
    return 0


def _build_streamed(out: Output, args: argparse.Namespace, board: Board) -> int:
    """A bitstream with the network as a pipeline or hybrid."""
    from dorefa.golden import lower
    from dorefa.hw.shell.scores import check_scores
    from dorefa.synth.boards.bitstream import check_rates
    from dorefa.synth.boards.pipeline_report import pipeline_report, pipeline_settings
    from dorefa.synth.flow.units import absorbs_leaves

    network = lower(options.load_network(args.model, args))
    # Said before the search for a plan, which takes its time.
    check_scores(network)
    check_rates(board, clock_hz=_clock(args, board), baud=args.baud)
    kind = streamed(args)
    plan = kind.plan(args, network, absorbs=absorbs_leaves(board.family), sizes=board.sizes)
    if not kind.has_engine:
        check_board(plan, board)
    line = {"board": args.board, "baud": args.baud}
    made, paths = _make(
        out,
        args,
        board,
        partial(kind.make_board, plan),
        lambda made, files: pipeline_settings(made, plan, files, architecture=kind.name, **line),
    )
    contents = pipeline_report(made, plan, **line) | kind.report(plan)
    _say_files(out, paths, board)
    out.table(*kind.table(plan))
    _say_cells(out, contents)
    _say_images(out, contents)
    out.report(contents | {"notes": out.notes(network.notes), "bitstream": paths[0], "files": paths})
    return 0


def _build_training(out: Output, args: argparse.Namespace, board: Board) -> int:
    """A bitstream whose engine waits for the jobs of training steps."""
    from dorefa.hw.compiler.training.step_jobs import StepJobs
    from dorefa.hw.generate.file_set import interface_sha256
    from dorefa.hw.shell.board_core import training_board
    from dorefa.synth.boards.training_report import training_report, training_settings

    sizes = {**board.sizes, "weights": "onchip", "port_bytes": 4}
    _, shapes, config, recipe = training_engine(args.model, args, sizes)
    step = StepJobs.of(shapes, recipe.batch, config)
    line = {"board": args.board, "baud": args.baud}
    made, paths = _make(
        out,
        args,
        board,
        partial(training_board, config, interface_sha256(config)),
        lambda made, files: training_settings(made, files, **line),
    )
    contents = training_report(made, step, **line) | {"network": args.model, "net_g": recipe.g_bits}
    _say_files(out, paths, board)
    _say_cells(out, contents)
    _say_step(out, contents)
    out.report(contents | {"bitstream": paths[0], "files": paths})
    return 0


def _make(
    out: Output,
    args: argparse.Namespace,
    board: Board,
    make_core: Callable[..., BoardCore | StreamBoard],
    settings_of: Callable[[Bitstream, dict[str, bytes]], str],
) -> tuple[Bitstream, list[str]]:
    """The bitstream of a core, and the names of its files, which are written."""
    from dorefa.golden.process.scratch import scratch_folder
    from dorefa.synth.boards import bitstream

    with ExitStack() as stack:
        folder = stack.enter_context(new_folder(args.output))
        names = [f"{args.board}.{suffix}" for suffix in (*board.flow.suffixes, "v")]
        out.claim(outputs={"--output": [folder / name for name in (*names, SETTINGS)]})
        keep = None
        if args.keep is not None:
            keep = stack.enter_context(new_folder(args.keep))
            out.claim_matching("--keep", keep, bitstream.FILES)
        scratch = keep or stack.enter_context(scratch_folder())
        progress = stack.enter_context(Progress("build", 3))
        made = bitstream.make_bitstream(
            make_core,
            board,
            clock_hz=_clock(args, board),
            baud=args.baud,
            seed=args.pnr_seed,
            folder=scratch,
            timeout=args.timeout,
            progress=lambda number, tool: progress.update(number, note=tool),
        )
        files = {f"{args.board}.{suffix}": content for suffix, content in made.files.items()}
        files[f"{args.board}.v"] = made.verilog.encode()
        files[SETTINGS] = settings_of(made, files).encode()
        # The settings last: they hold the hashes of the others.
        write_files({folder / name: content for name, content in files.items()})
    return made, [str(folder / name) for name in files]


def _clock(args: argparse.Namespace, board: Board) -> float:
    """The wanted rate in Hz."""
    return board.clock if args.clock is None else 1e6 * args.clock


def _say_files(out: Output, paths: list[str], board: Board) -> None:
    for path in paths:
        out.say(f"wrote {path}")
    if board.note:
        out.say(f"connect: {board.note}")


def _say_cells(out: Output, contents: dict[str, Any]) -> None:
    out.table(
        ["cell", "used", "of"],
        [[kind, many["used"], many["available"]] for kind, many in contents["utilization"].items()],
    )
    out.say(
        f"{contents['luts']:,} logic cells, {contents['brams']} block RAMs, "
        f"at most {contents['fmax_mhz']:.2f} MHz, clock {contents['clock_mhz']:g} MHz"
    )


def _say_images(out: Output, contents: dict[str, Any]) -> None:
    out.say(
        f"an image every {contents['interval_cycles']:,} cycles: {contents['fps']:,.1f} images a second at "
        f"the fastest clock, {contents['fps_clock']:,.1f} at the bitstream's"
    )
    out.say(
        f"{contents['latency_cycles']:,} cycles from the first byte of an image to its last number, "
        f"{contents['latency_us']:,.1f} us at the bitstream's clock"
    )
    core = contents.get("architecture", "engine")
    out.say(
        f"the serial line at {contents['baud']:,} baud carries {contents['fps_host']:,.1f} images a second, "
        f"with the {core}'s time {contents['fps_end_to_end']:,.1f}"
    )


def _say_step(out: Output, contents: dict[str, Any]) -> None:
    out.say(
        f"a step of {contents['batch']} images takes the engine {contents['cycles']:,} cycles, "
        f"{contents['step_seconds_engine']:.3f} s at the bitstream's clock"
    )
    out.say(
        f"the serial line at {contents['baud']:,} baud takes {contents['step_seconds_host']:,.1f} s for its "
        f"{contents['step_bytes_in']:,} bytes in and {contents['step_bytes_out']:,} bytes out"
    )
