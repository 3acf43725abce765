"""One point of an exploration: a network on one engine, or as one pipeline, on one target: predicted,
synthesized, routed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dorefa.golden.errors import InputError, MachineError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.compiler.compile import compile_network, per_image
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.pipeline.board import pipeline_board
from dorefa.hw.pipeline.cells import FABRIC, predicted
from dorefa.hw.pipeline.fit import check_room
from dorefa.hw.pipeline.plan import PipelinePlan, make_plan
from dorefa.hw.shell.board_core import network_board
from dorefa.hw.shell.scores import check_scores

from ..boards import bitstream
from ..boards.catalog import Board, find_board
from ..campaign.work import Unkept
from ..flow import nextpnr, report, yosys
from ..flow.tools import Unfinished
from ..flow.units import Unit, absorbs_leaves, make_pipeline_unit, make_unit, room_of
from ..targets.catalog import find_target

# Figures of a point, None where there are none, in the order of the table.
FIGURES = (
    "cycles",
    "interval_cycles",
    "latency_cycles",
    "binary_ops",
    "utilization",
    "predicted_cells",
    "predicted_brams",
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


@dataclass(frozen=True, kw_only=True)
class _Design:
    """What is synthesized: the `unit`; `make_core` of a board with it; `smaller`: what would be, in words."""

    unit: Unit
    make_core: Callable
    smaller: str


def measure(
    network: IntegerNetwork, parameters: dict, goal: Goal, *, architecture: str = "engine"
) -> tuple[dict, bool]:
    """What one engine or pipeline is for an integer `network`: (point, whether it is final), the point a
    dictionary ready for JSON. Raises :class:`MachineError` where this machine is in the way.

    parameters: {name: value}, of an engine, the others sized by :func:`fit`; of a pipeline `interval`, cycles
    from an image to the next one, and `effort`, evaluations of the search. The point has `config` (all
    parameters of an engine, None where none could be sized, and of pipelines), `layers` (of a pipeline:
    `name`, `structure` and `steps` of each), the :data:`FIGURES`, and `reason`: why the network does not run
    so or does not fit the device, None if nothing is in the way.

    `cycles` are those that an image's layers take, of a pipeline its `interval_cycles`, which are from an
    image to the next one, loading included; `latency_cycles` are from the first beat of an image to its last
    number; `binary_ops` are the one-bit products that an image needs, `utilization` is their
    share of what an engine's array makes; `predicted_cells` and `predicted_brams` are counted before a
    pipeline is synthesized, where its target's can be, and one that has no room by that is not synthesized.
    `luts` are packed cells where routed, else synthesized ones, None for gates; `images_per_second_per_mhz`
    is 1e6 / interval_cycles, `images_per_second` the same times `fmax_mhz`, which only routing tells. A point
    whose tool was stopped is not final: it may come out otherwise another time.
    """
    point = {"config": None, "layers": None} | dict.fromkeys(FIGURES) | {"reason": None}
    final = True
    with scratch_folder() as folder:
        try:
            if goal.board is not None:
                check_scores(network)
            predict = _pipeline if architecture == "pipeline" else _engine
            _build_and_count(point, predict(point, network, parameters, goal), goal, folder)
        except MachineError:
            raise
        except InputError as error:
            final = not isinstance(error, Unfinished)
            # Without the folder, which is gone by then and has another name each time.
            point["reason"] = " ".join(str(error).replace(f"{folder}/", "").split())
    return point, final


def measure_task(common: tuple[IntegerNetwork, Goal], task: dict) -> dict | Unkept:
    """:func:`measure` as a campaign calls it; task: `architecture` and `parameters`."""
    network, goal = common
    point, final = measure(network, task["parameters"], goal, architecture=task["architecture"])
    return point if final else Unkept(point)


def _engine(point: dict, network: IntegerNetwork, parameters: dict, goal: Goal) -> _Design:
    """An engine; fills in what is known of `point` before synthesis. Raises :class:`InputError` for a network
    that it does not run."""
    config = fit(network, **parameters)
    point["config"] = config.as_dict()
    compiled = compile_network(network, config)
    operations = sum(layer.binary_ops for layer in compiled.layers)
    point["cycles"] = per_image(compiled.cycles, config)
    point["binary_ops"] = per_image(operations, config)
    point["utilization"] = operations / (compiled.cycles * config.binary_ops_per_cycle)
    point["interval_cycles"] = per_image(compiled.interval, config)
    point["latency_cycles"] = compiled.latency
    point["images_per_second_per_mhz"] = 1e6 / point["interval_cycles"]
    return _Design(
        unit=make_unit("engine", config, goal.target),
        make_core=partial(network_board, compiled),
        smaller="a smaller array",
    )


def _pipeline(point: dict, network: IntegerNetwork, parameters: dict, goal: Goal) -> _Design:
    """A pipeline; fills in what is known of `point` before synthesis. Raises :class:`InputError` for a
    network that none runs, and where the device certainly has no room."""
    rows, columns, _ = network.input_shape
    plan = make_plan(
        network,
        absorbs=absorbs_leaves(goal.target),
        pace=parameters["interval"] // (rows * columns),
        evaluations=parameters["effort"],
    )
    point["layers"] = [
        {"name": stage.layer.name, "structure": stage.structure, "steps": stage.steps}
        for stage in plan.stages
    ]
    point["cycles"] = point["interval_cycles"] = plan.interval
    point["latency_cycles"] = plan.latency
    point["binary_ops"] = sum(layer.macs * layer.w_bits * layer.a_bits for layer in network.layers)
    point["images_per_second_per_mhz"] = 1e6 / plan.interval
    if find_target(goal.target).fabric_name == FABRIC:
        _count_predicted(point, plan, goal)
    return _Design(
        unit=make_pipeline_unit(plan, goal.target),
        make_core=partial(pipeline_board, plan),
        smaller="a longer interval",
    )


def _count_predicted(point: dict, plan: PipelinePlan, goal: Goal) -> None:
    """Takes the predicted size of a pipeline into `point`; raises :class:`InputError` where it is certainly
    more than the device has."""
    size = predicted(plan)
    point |= {"predicted_cells": size.cells, "predicted_brams": size.rams}
    if goal.device is not None:
        check_room(size, room_of(find_target(goal.target).find_device(goal.device)))


def _build_and_count(point: dict, design: _Design, goal: Goal, folder: Path) -> None:
    """Fills in the rest of `point` as far as it gets; raises :class:`InputError` with the reason for
    stopping."""
    statistics = yosys.synthesize(
        design.unit.write(folder),
        top=design.unit.top,
        target=goal.target,
        components=False,
        folder=folder,
        timeout=goal.timeout,
    )
    _count(point, statistics, design, goal)
    if goal.pnr:
        if goal.board is None:
            routed = _route(design.unit, goal, folder)
        else:
            routed = _build(design, find_board(goal.board), goal, folder)
        _count(point, statistics, design, goal, routed)


def _route(unit: Unit, goal: Goal, folder: Path) -> dict:
    """What the report takes of a unit routed alone."""
    return nextpnr.place_and_route(
        unit,
        target=goal.target,
        device=goal.device,
        seeds=(goal.seed,),
        folder=folder,
        timeout=goal.timeout,
    )


def _build(design: _Design, board: Board, goal: Goal, folder: Path) -> dict:
    """What the report takes of the board's whole bitstream."""
    made = bitstream.make_bitstream(
        design.make_core,
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


def _count(point: dict, statistics: dict, design: _Design, goal: Goal, routed: dict | None = None) -> None:
    """Takes the counts of a synthesis, or of the routing after it, into `point`; raises
    :class:`InputError` where the device does not hold them."""
    contents = report.report(
        statistics,
        unit=design.unit.name,
        top=design.unit.top,
        target=goal.target,
        binary_ops_per_cycle=design.unit.binary_ops_per_cycle,
        routed=routed,
    )
    point |= {name: contents[name] for name in _COUNTS}
    if routed is not None:
        point["fmax_mhz"] = contents["fmax_mhz"]
        point["images_per_second"] = contents["fmax_mhz"] * point["images_per_second_per_mhz"]
    if goal.device is not None:
        excess = find_target(goal.target).find_device(goal.device).excess(point)
        if excess:
            raise InputError(f"{excess}; accepted: {design.smaller} or a larger device")
