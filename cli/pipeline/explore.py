"""`dorefa explore --architecture pipeline`: the pipelines of an exploration."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError

from ..common.output import Progress
from .plan import checked_pace, effort_of

if TYPE_CHECKING:
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.synth.explore.point import Goal


def pipeline_points(args: argparse.Namespace, network: IntegerNetwork, goal: Goal) -> list[dict]:
    """Parameters of the pipelines of a command line, as of :func:`dorefa.synth.explore.pipelines.grid`."""
    from dorefa.synth.explore import pipelines

    intervals, effort = _intervals(args, network), effort_of(args)
    with Progress("plan", 1) as progress:
        return pipelines.grid(
            network,
            goal,
            intervals=intervals,
            effort=effort,
            progress=lambda done, total: progress.update(done, total=total),
        )


def _intervals(args: argparse.Namespace, network: IntegerNetwork) -> list[int] | None:
    """Intervals that are asked for, as a pipeline has them: whole cycles a pixel."""
    if args.interval is None:
        return None
    try:
        asked = [int(part) for part in args.interval.split(",")]
    except ValueError:
        raise InputError(f"--interval is {args.interval!r}; accepted: integers, as 784,3136") from None
    rows, columns, _ = network.input_shape
    return [rows * columns * checked_pace(interval, network) for interval in asked]
