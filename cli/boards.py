"""`dorefa boards`: the boards that `dorefa build` makes bitstreams for."""

import argparse

from .common.output import Output

SUMMARY = "list the boards that bitstreams are made for"
EXAMPLE = "dorefa boards"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`: it has none."""


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.synth.boards.catalog import BOARDS, device_of

    out = Output(args.json)
    boards = []
    for name, board in BOARDS.items():
        device = device_of(board)
        lanes, rows = board.array
        boards.append(
            {
                "name": name,
                "target": board.family,
                "device": device.name,
                "luts": device.luts,
                "brams": device.brams,
                "oscillator_mhz": board.oscillator[1] / 1e6,
                "clock_mhz": board.clock / 1e6,
                "lanes": lanes,
                "rows": rows,
                "note": board.note,
            }
        )
    header = ["--board", "target", "device", "LUTs", "RAMs", "MHz", "lanes", "rows"]
    left_out = ("oscillator_mhz", "note")
    out.table(header, [[own for key, own in found.items() if key not in left_out] for found in boards])
    for name, board in BOARDS.items():
        if board.note:
            out.say(f"{name}: {board.note}")
    out.report({"boards": boards})
    return 0
