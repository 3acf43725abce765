"""The plan of a pipeline that a command line asks for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError

if TYPE_CHECKING:
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.hw.pipeline.cells import Size
    from dorefa.hw.pipeline.plan import PipelinePlan
    from dorefa.synth.targets.target import Device

_LONGEST_INTERVAL = 1 << 32  # cycles: more than a minute of any clock


def pace_of(args: argparse.Namespace, network: IntegerNetwork) -> int:
    """Cycles from a pixel to the next one. InputError for an interval that no pipeline has."""
    rows, columns, _ = network.input_shape
    return checked_pace(rows * columns if args.interval is None else args.interval, network)


def checked_pace(interval: int, network: IntegerNetwork) -> int:
    """:func:`pace_of` an interval."""
    rows, columns, _ = network.input_shape
    least = rows * columns
    if not least <= interval <= _LONGEST_INTERVAL:
        raise InputError(
            f"--interval is {interval}; accepted: {least}, a pixel a cycle, to {_LONGEST_INTERVAL}"
        )
    return interval // least


def effort_of(args: argparse.Namespace) -> int:
    """Evaluations of the search. InputError for less than none."""
    effort = 2000 if args.effort is None else args.effort
    if effort < 0:
        raise InputError(f"--effort is {effort}; accepted: 0 or more evaluations")
    return effort


def pipeline_plan(
    args: argparse.Namespace, network: IntegerNetwork, *, absorbs: bool = False
) -> PipelinePlan:
    """The plan; absorbs: for a fabric whose chains take leaves beside what they add. InputError for what no
    pipeline runs."""
    from dorefa.hw.pipeline.plan import make_plan

    pace, effort = pace_of(args, network), effort_of(args)
    return make_plan(network, absorbs=absorbs, pace=pace, evaluations=effort)


def device_plan(
    args: argparse.Namespace, network: IntegerNetwork, device: Device, *, effort: int
) -> tuple[PipelinePlan, Size]:
    """A plan with room on a device, and its size: of the interval that is asked for, or of the shortest one.
    InputError for what no pipeline runs, or where there is no room."""
    from dorefa.hw.pipeline.cells import predicted
    from dorefa.hw.pipeline.fit import check_fits, fit_plan
    from dorefa.hw.pipeline.plan import make_plan
    from dorefa.synth.flow.units import room_of

    room = room_of(device)
    if args.interval is None:
        return fit_plan(network, room, evaluations=effort)
    plan = make_plan(network, absorbs=True, pace=pace_of(args, network), evaluations=effort)
    size = predicted(plan)
    check_fits(plan, size, room)
    return plan, size
