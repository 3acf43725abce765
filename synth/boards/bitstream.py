# amaranth: UnusedElaboratable=no
"""From a compiled network to a board's bitstream: the commands that amaranth's platform plans, run one
after another."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.hw.shell.board_core import BoardCore

from ..ecp5 import improve
from ..flow import tools
from . import catalog, top
from .clock import Clock

DEFAULT_TIMEOUT = 7200
_TOP, _REPORT = "top", "report.json"


@dataclass(frozen=True, kw_only=True)
class Family:
    """A device family: options of synthesis and routing, its tools, the bitstream's suffix and those of
    other files for programming, which kinds of nextpnr's report are logic cells (how many each stands
    for), and which are block RAMs."""

    synthesis: str
    tools: tuple[str, ...]
    suffixes: tuple[str, ...]
    cells: dict[str, int]
    brams: tuple[str, ...]
    routing: str = ""


FAMILIES = {
    # Wide multiplexers made of LUT pairs double the size of popcounts on two of them.
    "ecp5": Family(
        synthesis="-nowidelut",
        tools=("yosys", "nextpnr-ecp5", "ecppack"),
        suffixes=("bit", "svf"),
        # Distributed RAM included: nextpnr sets two of these aside for each TRELLIS_RAMW.
        cells={"TRELLIS_COMB": 1},
        brams=("DP16KD",),
        # With the default placer the router does not come to an end on large engines.
        routing="--placer static",
    ),
    "ice40": Family(
        synthesis="",
        tools=("yosys", "nextpnr-ice40", "icepack"),
        suffixes=("bin",),
        cells={"ICESTORM_LC": 1},
        brams=("ICESTORM_RAM",),
        # router1 does not come to an end on long carry chains.
        routing="--router router2",
    ),
    "gowin": Family(
        synthesis="-nowidelut",
        tools=("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
        suffixes=("fs",),
        cells={"LUT4": 1, "ALU": 1, "RAM16SDP4": 4},
        brams=("BSRAM",),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Bitstream:
    """A finished bitstream: `files` by suffix, the clock that it runs at and the fastest that its routing
    allows (Hz), nextpnr's `utilization` (kind: used, available), `tools` with versions, and the `core`."""

    files: dict[str, bytes]
    verilog: str
    clock_hz: float
    fmax_hz: float
    utilization: dict[str, dict[str, int]]
    tools: dict[str, str]
    core: BoardCore
    family: Family

    @property
    def luts(self) -> int:
        """Packed logic cells, carry cells and distributed RAM included."""
        return sum(number * self._used(kind) for kind, number in self.family.cells.items())

    @property
    def brams(self) -> int:
        """Block RAMs."""
        return sum(map(self._used, self.family.brams))

    def _used(self, kind):
        return self.utilization.get(kind, {"used": 0})["used"]


def make_bitstream(
    compiled, board, *, clock_hz, baud, seed=1, folder, timeout=DEFAULT_TIMEOUT, progress=None
):
    """The :class:`Bitstream` of a :class:`CompiledNetwork` on a :class:`.catalog.Board`.

    `clock_hz`: wanted rate of the engine, met or the next one below that the board's PLL makes; `baud`: of
    the serial line; `seed`: of nextpnr; `folder`: receives everything the tools read and write; `timeout`:
    seconds per tool; `progress`: called with (number, tool) before each. Raises :class:`InputError` for a
    missing tool, a design that does not fit or a clock that the routing does not reach.
    """
    family = FAMILIES[board.family]
    tools.check_installed(family.tools)
    # Refusals leave these two unused, which the file's first line says is no mistake.
    clock = Clock(board.family, board.oscillator, clock_hz)
    core = BoardCore(compiled, clock_hz=clock.rate, baud=baud)
    platform = catalog.make_platform(board)
    verilog = top.core_verilog(core, board.family)
    platform.add_file(f"{top.MODULE}.v", verilog)
    plan = platform.build(
        top.BoardTop(board, clock),
        name=_TOP,
        do_build=False,
        do_program=False,
        synth_opts=family.synthesis,
        nextpnr_opts=f"--report {_REPORT} --seed {seed} --freq {clock.rate / 1e6} --timing-allow-fail "
        + family.routing,
    )
    plan.extract(folder)
    folder = Path(folder)
    for number, (tool, *arguments) in enumerate(json.loads(plan.files[f"build_{_TOP}.json"])["commands"]):
        if tool == "nextpnr-gowin":
            tool, arguments = "nextpnr-himbaechel-gowin", himbaechel(arguments)
        if tool not in family.tools:
            # What follows prepares programming, as the suffix that dfu-util wants: the user's tools do.
            break
        if progress is not None:
            progress(number, tool)
        if tool == "nextpnr-ecp5":
            improve.improve(folder / f"{_TOP}.json")
        status, said = tools.run(tool, arguments, folder=folder, timeout=timeout)
        if tool.startswith("nextpnr"):
            log = folder / f"{_TOP}.tim"
            _check_routed(status, log.read_text() if log.exists() else said, board)
        elif status:
            raise InputError(f"{tool} failed: {_complaint(said)} (folder: {folder})")
    report = json.loads((folder / _REPORT).read_text())
    fmax = min((1e6 * clock["achieved"] for clock in report["fmax"].values()), default=None)
    if fmax is None:
        raise InputError(f"{tool}: no clock in the report of nextpnr; accepted: a design with registers")
    if fmax < clock.rate:
        raise InputError(
            f"clock is {clock.rate / 1e6:g} MHz, and the routed design reaches {fmax / 1e6:.2f} MHz; "
            f"accepted: --clock of at most that, another --pnr-seed than {seed}, or a smaller array"
        )
    files = {suffix: (folder / f"{_TOP}.{suffix}").read_bytes() for suffix in family.suffixes}
    return Bitstream(
        files=files,
        verilog=verilog,
        clock_hz=clock.rate,
        fmax_hz=fmax,
        family=family,
        core=core,
        utilization={kind: many for kind, many in report["utilization"].items() if many["used"]},
        tools={tools.TOOLS[name].package: tools.version(name) for name in family.tools},
    )


def himbaechel(arguments):
    """Arguments of the retired nextpnr-gowin as its successor wants them."""
    result = []
    pairs = iter(arguments)
    for argument in pairs:
        if argument in ("--family", "--cst"):
            result += ["--vopt", f"{argument.removeprefix('--')}={next(pairs)}"]
        else:
            result.append(argument)
    return result


def _complaint(text):
    """The line of a tool's output that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line]
    return (errors or lines or ["no output"])[0 if errors else -1]


def overfull(log):
    """(kind, used, available) of each kind of cell of which nextpnr's `log` counts more than there are."""
    counts = re.findall(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", log, flags=re.MULTILINE)
    kinds = {kind: (int(used), int(available)) for kind, used, available in counts}
    # Kinds of which nextpnr counts none at all are parts of others, as buffers of pads.
    return [(kind, *numbers) for kind, numbers in kinds.items() if numbers[0] > numbers[1] > 0]


def _check_routed(status, log, board):
    """Raises :class:`InputError` unless nextpnr ended well."""
    if not status:
        return
    if too_many := overfull(log):
        needs = ", ".join(f"{used:,} {kind} of {available:,}" for kind, used, available in too_many)
        raise InputError(
            f"the design does not fit {board.platform[1]}: it needs {needs}; accepted: fewer --lanes or "
            "--rows, a smaller network or a larger board"
        )
    raise InputError(f"nextpnr failed: {_complaint(log)}")
