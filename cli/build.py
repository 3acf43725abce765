"""`dorefa build`: a board's bitstream with a network inside."""

import argparse

from dorefa.golden.files import write_files

from .common import options
from .common.output import Output, Progress, new_folder

SUMMARY = "make a bitstream with the network inside for a board"
EXAMPLE = "dorefa build digits --board ulx3s_85f -o ulx3s"
SETTINGS = "board.json"
DEFAULT_BAUD = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    from dorefa.synth.boards import bitstream

    parser.add_argument("model", metavar="MODEL", help=options.MODEL_HELP)
    parser.add_argument("--board", required=True, metavar="B", help="a name; a wrong one lists them")
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="where bitstream and settings go"
    )
    parser.add_argument(
        "--clock", type=float, metavar="MHZ", help="rate of the engine (default: the board's)"
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
    options.add_network_options(parser)
    options.add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from contextlib import ExitStack

    from dorefa.golden import lower
    from dorefa.golden.process.scratch import scratch_folder
    from dorefa.hw import compile_network
    from dorefa.synth.boards import bitstream, catalog
    from dorefa.synth.boards import report as board_report

    out = Output(args.json, inputs=options.input_files(args))
    board = catalog.find_board(args.board)
    network = lower(options.load_network(args.model, args))
    config = options.engine_config(args, network, sizes=board.sizes)
    compiled = compile_network(network, config)
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
            compiled,
            board,
            clock_hz=board.clock if args.clock is None else 1e6 * args.clock,
            baud=args.baud,
            seed=args.pnr_seed,
            folder=scratch,
            timeout=args.timeout,
            progress=lambda number, tool: progress.update(number, note=tool),
        )
        files = {f"{args.board}.{suffix}": content for suffix, content in made.files.items()}
        files[f"{args.board}.v"] = made.verilog.encode()
        files[SETTINGS] = board_report.settings(made, files, board=args.board, baud=args.baud).encode()
        # The settings last: they hold the hashes of the others.
        write_files({folder / name: content for name, content in files.items()})
    contents = board_report.report(made, board=args.board, baud=args.baud)
    paths = [str(folder / name) for name in files]
    contents |= {"bitstream": paths[0], "files": paths}
    _say(out, contents, board)
    out.report(contents)
    return 0


def _say(out, contents, board):
    for name in contents["files"]:
        out.say(f"wrote {name}")
    out.say("every memory starts with its contents; nothing has to be loaded")
    if board.note:
        out.say(f"connect: {board.note}")
    out.table(
        ["cell", "used", "of"],
        [[kind, many["used"], many["available"]] for kind, many in contents["utilization"].items()],
    )
    out.say(
        f"{contents['luts']:,} logic cells, {contents['brams']} block RAMs, "
        f"at most {contents['fmax_mhz']:.2f} MHz, clock {contents['clock_mhz']:g} MHz"
    )
    out.say(
        f"{contents['cycles']:,} cycles an image: {contents['fps']:,.1f} images a second at the fastest "
        f"clock, {contents['fps_clock']:,.1f} at the bitstream's"
    )
    out.say(
        f"the serial line at {contents['baud']:,} baud carries {contents['fps_host']:,.1f} images a second, "
        f"with the engine's time {contents['fps_end_to_end']:,.1f}"
    )
