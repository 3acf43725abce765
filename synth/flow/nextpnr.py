"""Place and route with nextpnr from the `yowasp-nextpnr-*` packages: clock, cells, critical path."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dorefa.golden.errors import InputError

from ..targets import catalog
from ..targets.target import Device, Router
from . import harness, tools, yosys
from .report import count
from .units import Unit

# Patterns of the files that place and route leaves in its folder, beside those of Yosys.
FILES = ("nextpnr_*", "pins.*")


def find_device(target: str, name: str | None = None) -> Device:
    """The :class:`.Device` of a target called `name`, or its first one. :class:`InputError` lists what
    there is."""
    chosen = catalog.find_target(target)
    # Only what is routed has devices: others are refused here.
    catalog.find_router(target)
    return chosen.devices[0] if name is None else chosen.find_device(name)


def check_installed(target: str, name: str | None = None) -> None:
    """Raises :class:`InputError` unless the device of :func:`find_device` can be routed here."""
    device, tool = find_device(target, name), catalog.find_router(target).tool
    if tool.version is None:
        raise InputError(f"nextpnr for {device.name} is missing; accepted: pip install {tool.package}")


def _component(cell: str) -> str:
    """Path of the component that `cell` belongs to, as in the report's `components`."""
    return ".".join(cell.removeprefix(f"{harness.UNIT}.").split(".")[:-1]) or "top"


def critical_path(report: Mapping) -> dict | None:
    """The longest path between registers in nextpnr's report: `delay_ns`, of which `routing_ns`, and
    the `steps`, components in order with the time spent in and behind each. None without one."""
    paths = [path for path in report["critical_paths"] if path["from"] == path["to"]]
    if not paths:
        return None
    longest = max(paths, key=lambda path: sum(hop["delay"] for hop in path["path"]))["path"]
    steps = [
        {"component": component, "delay_ns": round(sum(hop["delay"] for hop in hops), 3)}
        for component, hops in itertools.groupby(longest, key=lambda hop: _component(hop["from"]["cell"]))
    ]
    return {
        "delay_ns": round(sum(hop["delay"] for hop in longest), 3),
        "routing_ns": round(sum(hop["delay"] for hop in longest if hop["type"] == "routing"), 3),
        "steps": steps,
    }


def large_options(netlist: Path, target: str) -> tuple[str, ...]:
    """nextpnr's further options for the JSON file `netlist` of Yosys, flat, where that is large to the
    target's router."""
    large = catalog.find_router(target).large
    if large is None:
        return ()
    modules = json.loads(netlist.read_text())["modules"].values()
    cells = Counter(cell["type"] for module in modules for cell in module["cells"].values())
    return large.options if count(cells, target).luts >= large.luts else ()


def route(
    netlist: Path, *, target: str, device: Device, seed: int, folder: Path | str, timeout: float
) -> dict:
    """nextpnr's report (a dictionary) for the JSON file `netlist` with one `seed`.

    Raises :class:`InputError` when nextpnr fails (its message is quoted) or takes longer than
    `timeout` seconds. The log stays in `folder`.
    """
    folder, router = Path(folder), catalog.find_router(target)
    log, report = folder / f"nextpnr_{seed}.log", folder / f"nextpnr_{seed}.json"
    further = large_options(netlist, target)
    arguments = [
        *device.arguments,
        *(device.large if further else ()),
        *router.unpinned,
        *router.options,
        *further,
        "--timing-allow-fail",
        "--quiet",
        "--seed",
        str(seed),
        "--json",
        netlist.name,
        "--report",
        report.name,
        "--log",
        log.name,
    ]
    status, said = tools.run(
        router.tool,
        arguments,
        folder=folder,
        timeout=timeout,
        name="nextpnr",
        accepted="a longer --timeout, another seed or a smaller unit",
        log=log,
    )
    if status or not report.exists():
        text = (log.read_text() if log.exists() else "") + said
        errors = re.findall(r"ERROR: (.*)", text) or text.splitlines()[-1:] or ["no output"]
        raise InputError(f"nextpnr failed: {errors[0].strip()} (device {device.name}, log: {log})")
    return json.loads(report.read_text())


def summarize(
    reports: Mapping[int, Mapping], *, router: Router, device: Device, harness_registers: int
) -> dict:
    """What a person compares of nextpnr's `reports` (dictionary by seed): a dictionary for JSON.

    `harness_registers` of the cells are the harness's where registers cost cells.
    """
    clocks = {seed: fastest_clock(report) for seed, report in reports.items()}
    measured = {seed: clock for seed, clock in clocks.items() if clock}
    best = max(measured, key=lambda seed: measured[seed], default=next(iter(clocks)))
    used = used_cells(reports[best])
    return {
        "luts": logic_cells(used, router) - (harness_registers if router.registers else 0),
        "lut_kind": "packed logic cells",
        "device": device.name,
        "fmax_mhz": clocks[best],
        "fmax_median_mhz": statistics.median(measured.values()) if measured else None,
        "fmax_by_seed": {str(seed): clock for seed, clock in clocks.items()},
        "utilization": used,
        "critical_path": critical_path(reports[best]),
        "tools": {router.tool.package: router.tool.version},
    }


def fastest_clock(report: Mapping) -> float | None:
    """MHz that the slowest clock of nextpnr's report reaches; None for a design without registers."""
    return min((clock["achieved"] for clock in report["fmax"].values()), default=None)


def used_cells(report: Mapping) -> dict[str, dict[str, int]]:
    """The kinds of cell of which nextpnr's report has any: {kind: {used, available}}."""
    return {kind: many for kind, many in report["utilization"].items() if many["used"]}


def logic_cells(used: Mapping[str, Mapping[str, int]], router: Router) -> int:
    """Packed logic cells among the :func:`used_cells`, carry cells and distributed RAM included."""
    return sum(used[kind]["used"] * number for kind, number in router.cells.items() if kind in used)


def place_and_route(
    unit: Unit,
    *,
    target: str,
    device: str | None = None,
    seeds: Sequence[int] = (1,),
    folder: Path | str,
    timeout: float = yosys.DEFAULT_TIMEOUT,
    command: str | None = None,
) -> dict:
    """Routes a :class:`.units.Unit` once per seed; returns what :func:`summarize` makes of it, and
    `bram_registers`, how many of the unit's registers became those of block RAMs, and `register_copies`, how
    many are copies of widely read ones.

    `device` is the name of one, None the target's first. An engine is routed with its
    ports on pins where the device has enough, anything else in the :mod:`.harness`; memories that it leaves
    out have registers in their place. `folder` receives
    netlist, reports and logs. `timeout` is in seconds, for each run of a tool; `command` is for
    :func:`.yosys.write_netlist`. Raises :class:`InputError`.
    """
    check_installed(target, device)
    chosen, router = find_device(target, device), catalog.find_router(target)
    text, top, registers = unit.text + unit.stand_ins, unit.top, 0
    framed = unit.name != "engine" or router.few_pins
    if framed:
        text, registers = harness.harness(text, top, output_pins=not router.few_pins)
        top = harness.TOP
    for name, contents in chosen.constraints.items():
        Path(folder, name).write_text(contents)
    path = yosys.write_netlist(text, top=top, target=target, folder=folder, timeout=timeout, command=command)
    moved, copies = router.improve(path) if router.improve else ([], [])
    reports = {
        seed: route(path, target=target, device=chosen, seed=seed, folder=folder, timeout=timeout)
        for seed in seeds
    }
    if framed:
        moved, copies = (
            [name for name in names if name.startswith(f"{harness.UNIT}.")] for names in (moved, copies)
        )
    counts = {"bram_registers": len(moved), "register_copies": len(copies)}
    return summarize(reports, router=router, device=chosen, harness_registers=registers) | counts
