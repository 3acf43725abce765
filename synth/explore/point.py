"""One point of an exploration: a network on one engine on one target, predicted, synthesized, routed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dorefa.golden.errors import InputError, MachineError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.compiler.compile import CompiledNetwork, compile_network, per_image
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.shell.board_core import network_board

from ..boards import bitstream
from ..boards.catalog import Board, find_board
from ..campaign.work import Unkept
from ..flow import nextpnr, report, yosys
from ..flow.tools import Unfinished
from ..flow.units import Unit, make_unit
from ..targets.catalog import find_target

# Figures of a point, None where there are none, in the order of the table.
FIGURES = (
    "cycles",
    "utilization",
    "luts",
    "ffs",
    "brams",
    "cells",
    "luts_per_binary_op",
    "fmax_mhz",
    "images_per_second_per_mhz",
    "images_per_second",
)
_COUNTS = ("luts", "ffs", "brams", "cells", "luts_per_binary_op")
# Every board's clock makes it.
_BAUD = 115_200


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What the points of an exploration are measured for.

    target: its name; device: the name of one of its devices, None for a target without; board: a name of
    :data:`.catalog.BOARDS` or None; pnr: whether to place and route, with a board
    as ``dorefa build`` does; seed: of nextpnr; timeout: seconds per run of a tool.
    """

    target: str
    device: str | None = None
    board: str | None = None
    pnr: bool = False
    seed: int = 1
    timeout: float = yosys.DEFAULT_TIMEOUT


def measure(network: IntegerNetwork, parameters: dict, goal: Goal) -> tuple[dict, bool]:
    """What one engine is for an integer `network`: (point, whether it is final), the point a dictionary
    ready for JSON. Raises :class:`MachineError` where this machine is in the way.

    parameters: engine parameters, {name: value}; the others are sized by :func:`fit`. The point has
    `config` (all parameters, None where none could be sized), the :data:`FIGURES`, and `reason`: why the
    engine does not run the network or does not fit the device, None if nothing is in the way.

    `cycles` are per image; `utilization` is the share of the array's one-bit products that the network
    needs; `luts` are packed cells where routed, else synthesized ones, None for gates;
    `images_per_second_per_mhz` is 1e6 / cycles, `images_per_second` the same times `fmax_mhz`, which only
    routing tells. A point whose tool was stopped is not final: it may come out otherwise another time.
    """
    point = {"config": None} | dict.fromkeys(FIGURES) | {"reason": None}
    final = True
    with scratch_folder() as folder:
        try:
            _predict_and_build(point, network, parameters, goal, folder)
        except MachineError:
            raise
        except InputError as error:
            final = not isinstance(error, Unfinished)
            # Without the folder, which is gone by then and has another name each time.
            point["reason"] = " ".join(str(error).replace(f"{folder}/", "").split())
    return point, final


def measure_task(common: tuple[IntegerNetwork, Goal], parameters: dict) -> dict | Unkept:
    """:func:`measure` as a campaign calls it."""
    network, goal = common
    point, final = measure(network, parameters, goal)
    return point if final else Unkept(point)


def _predict_and_build(
    point: dict, network: IntegerNetwork, parameters: dict, goal: Goal, folder: Path
) -> None:
    """Fills in `point` as far as it gets; raises :class:`InputError` with the reason for stopping."""
    config = fit(network, **parameters)
    point["config"] = config.as_dict()
    compiled = compile_network(network, config)
    operations = sum(layer.binary_ops for layer in compiled.layers)
    point["cycles"] = per_image(compiled.cycles, config)
    point["utilization"] = operations / (compiled.cycles * config.binary_ops_per_cycle)
    point["images_per_second_per_mhz"] = 1e6 / point["cycles"]

    unit = make_unit("engine", config, goal.target)
    statistics = yosys.synthesize(
        unit.write(folder),
        top=unit.top,
        target=goal.target,
        components=False,
        folder=folder,
        timeout=goal.timeout,
    )
    _count(point, statistics, unit, goal)
    if goal.pnr:
        if goal.board is None:
            routed = _route(unit, goal, folder)
        else:
            routed = _build(compiled, find_board(goal.board), goal, folder)
        _count(point, statistics, unit, goal, routed)


def _route(unit: Unit, goal: Goal, folder: Path) -> dict:
    """What the report takes of the engine routed alone."""
    return nextpnr.place_and_route(
        unit,
        target=goal.target,
        device=goal.device,
        seeds=(goal.seed,),
        folder=folder,
        timeout=goal.timeout,
    )


def _build(compiled: CompiledNetwork, board: Board, goal: Goal, folder: Path) -> dict:
    """What the report takes of the board's whole bitstream."""
    made = bitstream.make_bitstream(
        partial(network_board, compiled),
        board,
        clock_hz=board.clock,
        baud=_BAUD,
        seed=goal.seed,
        folder=folder,
        timeout=goal.timeout,
    )
    return {
        "luts": made.luts,
        "brams": made.brams,
        "fmax_mhz": made.fmax_hz / 1e6,
        "bram_registers": made.bram_registers,
        "register_copies": made.register_copies,
    }


def _count(point: dict, statistics: dict, unit: Unit, goal: Goal, routed: dict | None = None) -> None:
    """Takes the counts of a synthesis, or of the routing after it, into `point`; raises
    :class:`InputError` where the device does not hold them."""
    contents = report.report(
        statistics,
        unit=unit.name,
        top=unit.top,
        target=goal.target,
        binary_ops_per_cycle=unit.binary_ops_per_cycle,
        routed=routed,
    )
    point |= {name: contents[name] for name in _COUNTS}
    if routed is not None:
        point["fmax_mhz"] = contents["fmax_mhz"]
        point["images_per_second"] = contents["fmax_mhz"] * point["images_per_second_per_mhz"]
    if goal.device is not None:
        excess = find_target(goal.target).find_device(goal.device).excess(point)
        if excess:
            raise InputError(f"{excess}; accepted: a smaller array or a larger device")
