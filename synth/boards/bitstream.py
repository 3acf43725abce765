# amaranth: UnusedElaboratable=no
"""From what a board runs to its bitstream: the commands that amaranth's platform plans, run one after
another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.build.run import BuildPlan

from dorefa.golden.errors import InputError
from dorefa.golden.process.environment import unsteered
from dorefa.hw.shell.board_core import BoardCore
from dorefa.hw.shell.stream_board import StreamBoard
from dorefa.hw.shell.uart import baud_divisor

from ..flow import tools
from ..flow.nextpnr import fastest_clock, large_options, logic_cells, used_cells
from ..targets.catalog import find_board_flow, find_router
from ..targets.target import Target
from ..targets.tool import Tool, check_installed
from . import catalog, top
from .catalog import Board
from .clock import Clock

DEFAULT_TIMEOUT = 7200
_TOP, _REPORT = "top", "report.json"
# Patterns of the files that are left in the folder.
FILES = (f"{_TOP}.*", f"build_{_TOP}.*", f"{top.MODULE}.v", _REPORT)


@dataclass(frozen=True, kw_only=True)
class Bitstream:
    """A finished bitstream: `files` by suffix, the clock that it runs at and the fastest that its routing
    allows (Hz), nextpnr's `utilization` (kind: used, available), how many registers became those of block
    RAMs and how many are copies of widely read ones, `tools` with versions, the `core` and its `target`."""

    files: dict[str, bytes]
    verilog: str
    clock_hz: float
    fmax_hz: float
    utilization: dict[str, dict[str, int]]
    bram_registers: int
    register_copies: int
    tools: dict[str, str | None]
    core: BoardCore | StreamBoard
    target: Target

    @property
    def luts(self) -> int:
        """Packed logic cells, carry cells and distributed RAM included."""
        return logic_cells(self.utilization, find_router(self.target.name))

    @property
    def brams(self) -> int:
        """Block RAMs."""
        kinds = find_board_flow(self.target.name).brams
        return sum(many["used"] for kind, many in self.utilization.items() if kind in kinds)


def check_rates(board: Board, *, clock_hz: float, baud: int) -> None:
    """Raises what :func:`make_bitstream` does for a missing tool and for rates that the board does not make,
    before a core is made, which may take its time."""
    check_installed(board.target.tools)
    baud_divisor(Clock(board.flow.pll, board.oscillator, clock_hz).rate, baud)


def make_bitstream(
    make_core: Callable[..., BoardCore | StreamBoard],
    board: Board,
    *,
    clock_hz: float,
    baud: int,
    seed: int = 1,
    folder: Path | str,
    timeout: float = DEFAULT_TIMEOUT,
    progress: Callable[[int, str], None] | None = None,
) -> Bitstream:
    """The :class:`Bitstream` of a core on a :class:`.catalog.Board`.

    `make_core`: makes it for the keywords `clock_hz` and `baud`, as :func:`.board_core.network_board` of a
    network does; `clock_hz`: wanted rate of the core, met or the next one below that the board's PLL makes;
    `baud`: of the serial line; `seed`: of nextpnr; `folder`: receives everything the tools read and write;
    `timeout`: seconds per tool; `progress`: called with (number, tool) before each. Raises
    :class:`InputError` for a missing tool, a design that does not fit or a clock that the routing does not
    reach.
    """
    target = board.target
    check_installed(target.tools)
    # Refusals leave these two unused, which the file's first line says is no mistake.
    clock = Clock(board.flow.pll, board.oscillator, clock_hz)
    core = make_core(clock_hz=clock.rate, baud=baud)
    verilog = top.core_verilog(core, target)
    plan = _plan(board, clock, verilog, seed)
    plan.extract(folder)
    folder = Path(folder)
    moved, copies = _run_tools(plan, board, core, folder, timeout, progress)
    report = json.loads((folder / _REPORT).read_text())
    return Bitstream(
        files={suffix: (folder / f"{_TOP}.{suffix}").read_bytes() for suffix in board.flow.suffixes},
        verilog=verilog,
        clock_hz=clock.rate,
        fmax_hz=_reached(report, clock.rate, seed, core),
        utilization=used_cells(report),
        bram_registers=len(moved),
        register_copies=len(copies),
        tools={tool.package: tool.version for tool in target.tools},
        core=core,
        target=target,
    )


def _plan(board: Board, clock: Clock, verilog: str, seed: int) -> BuildPlan:
    """What amaranth plans for the board's platform: files, and commands in one of them."""
    platform = catalog.make_platform(board)
    platform.add_file(f"{top.MODULE}.v", verilog)
    options = ("--report", _REPORT, "--seed", seed, "--freq", clock.rate / 1e6, "--timing-allow-fail")
    with unsteered():
        return platform.build(
            top.BoardTop(board, clock),
            name=_TOP,
            do_build=False,
            do_program=False,
            synth_opts=board.target.synthesis.options,
            nextpnr_opts=" ".join(map(str, (*options, *board.router.options))),
        )


def _run_tools(
    plan: BuildPlan,
    board: Board,
    core: BoardCore | StreamBoard,
    folder: Path,
    timeout: float,
    progress: Callable[[int, str], None] | None,
) -> tuple[list[str], list[str]]:
    """Runs the commands of a plan as far as the bitstream; returns the names of the registers that went into
    block RAMs, and of those that are copies."""
    router = board.router
    by_name = {tool.name: tool for tool in board.target.tools}
    moved: list[str] = []
    copies: list[str] = []
    for number, command in enumerate(json.loads(plan.files[f"build_{_TOP}.json"])["commands"]):
        name, arguments = board.flow.current(command[0], command[1:])
        if name not in by_name:
            # What follows prepares programming, as the suffix that dfu-util wants: the user's tools do.
            break
        tool = by_name[name]
        if progress is not None:
            progress(number, name)
        if tool is router.tool:
            if router.improve:
                moved, copies = router.improve(folder / f"{_TOP}.json")
            further = large_options(folder / f"{_TOP}.json", board.target.name)
            _route(tool, [*arguments, *further], board, core, folder, timeout)
        else:
            accepted = f"a longer --timeout or a smaller {core.kind}"
            status, said = tools.run(tool, arguments, folder=folder, timeout=timeout, accepted=accepted)
            if status:
                raise InputError(f"{name} failed: {_complaint(said)} (folder: {folder})")
    return moved, copies


def _route(
    tool: Tool,
    arguments: list[str],
    board: Board,
    core: BoardCore | StreamBoard,
    folder: Path,
    timeout: float,
) -> None:
    status, said = tools.run(
        tool,
        arguments,
        folder=folder,
        timeout=timeout,
        # With some seeds a router does not come to an end.
        accepted=f"a longer --timeout, another --pnr-seed or a smaller {core.kind}",
    )
    log = folder / f"{_TOP}.tim"
    _check_routed(status, log.read_text() if log.exists() else said, board, core)


def _reached(report: dict, rate: float, seed: int, core: BoardCore | StreamBoard) -> float:
    """The fastest clock (Hz) of nextpnr's report; :class:`InputError` where that is less than `rate`."""
    fastest = fastest_clock(report) or 0.0
    if 1e6 * fastest < rate:
        raise InputError(
            f"clock is {rate / 1e6:g} MHz, and the routed design reaches {fastest:.2f} MHz; "
            f"accepted: --clock of at most that, another --pnr-seed than {seed}, or a smaller {core.kind}"
        )
    return 1e6 * fastest


def _complaint(text: str) -> str:
    """The line of a tool's output that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line]
    return (errors or lines or ["no output"])[0 if errors else -1].rstrip(".")


def overfull(log: str) -> list[tuple[str, int, int]]:
    """(kind, used, available) of each kind of cell of which nextpnr's `log` counts more than there are."""
    counts = re.findall(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", log, flags=re.MULTILINE)
    kinds = {kind: (int(used), int(available)) for kind, used, available in counts}
    # Kinds of which nextpnr counts none at all are parts of others, as buffers of pads.
    return [(kind, *numbers) for kind, numbers in kinds.items() if numbers[0] > numbers[1] > 0]


def _check_routed(status: int, log: str, board: Board, core: BoardCore | StreamBoard) -> None:
    """Raises :class:`InputError` unless nextpnr ended well."""
    if not status:
        return
    if too_many := overfull(log):
        needs = ", ".join(f"{used:,} {kind} of {available:,}" for kind, used, available in too_many)
        raise InputError(
            f"the design does not fit {board.platform[1]}: it needs {needs}; accepted: {core.shrinks}, "
            "a smaller network or a larger board"
        )
    raise InputError(
        f"nextpnr failed: {_complaint(log)}; accepted: another --pnr-seed, {core.shrinks}, a smaller network "
        "or a larger board"
    )
