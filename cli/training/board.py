"""A training on a programmed board: options, and the settings that `dorefa build --training` wrote."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError
from dorefa.golden.reading import read_json, shown

from ..common.boards import SETTINGS, check_neighbors, open_port

if TYPE_CHECKING:
    from dorefa.hw.config.engine import EngineConfig
    from dorefa.hw.shell.training_board import TrainingBoard

DEFAULT_WAIT = 2.0
_ACCEPTED = f"{SETTINGS} as `dorefa build --training` writes it"


def add_board_options(group: argparse._ArgumentGroup) -> None:
    """Adds what says where the board is."""
    group.add_argument("--port", metavar="DEV", help="of a board: its serial port, as /dev/ttyUSB1 or COM3")
    group.add_argument("--settings", metavar="FILE", help=f"of a board: {_ACCEPTED}")
    group.add_argument("--wait", type=float, metavar="S", help=f"for an answer (default {DEFAULT_WAIT:g} s)")


def check_board_options(args: argparse.Namespace) -> None:
    """Refuses the options of a board without one, and a board without its options."""
    for name in ("port", "settings", "wait"):
        value = getattr(args, name)
        if args.backend != "board" and value is not None:
            raise InputError(
                f"--{name} is {value} with --backend {args.backend}; accepted: with --backend board"
            )
        if args.backend == "board" and value is None and name != "wait":
            raise InputError(f"--{name} is missing; accepted with --backend board: --port and --settings")


@contextmanager
def training_board(args: argparse.Namespace) -> Iterator[tuple[TrainingBoard, EngineConfig]]:
    """(the board on --port, the configuration of its engine), for as long as the block lasts."""
    from dorefa.hw.generate.file_set import interface_sha256
    from dorefa.hw.shell.training_board import TrainingBoard
    from dorefa.sim.job.errors import SimulationError

    config, baud = read_training_settings(args.settings)
    with open_port(args.port, baud, DEFAULT_WAIT if args.wait is None else args.wait) as port:
        board = TrainingBoard(port, args.port)
        board.connect_engine(interface_sha256(config), args.settings)
        try:
            yield board, config
        except SimulationError as error:
            raise InputError(f"{args.port}: {error}; accepted: the board of {args.settings}") from None


def read_training_settings(path: str) -> tuple[EngineConfig, int]:
    """(configuration of the engine, bits per second on the line) of a settings file."""
    from dorefa.hw.generate.file_set import config_of

    settings = read_json(path, _ACCEPTED)
    if not isinstance(settings, dict) or settings.get("training") is not True:
        raise InputError(f"{path}: is not that of an engine that trains; accepted: {_ACCEPTED}")
    config, baud = config_of(path, settings, _ACCEPTED), settings.get("baud")
    if type(baud) is not int or not 0 < baud < 1 << 31:
        raise InputError(f"{path}: baud is {shown(baud)}; accepted: {_ACCEPTED}")
    check_neighbors(path, settings)
    return config, baud
