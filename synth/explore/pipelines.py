# amaranth: UnusedElaboratable=no
"""Which pipelines of a network are worth a point of an exploration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.hw.pipeline.plan import make_plan

from ..flow.units import absorbs_leaves
from .point import Goal

# Cycles from a pixel to the next one.
_PACES = tuple(1 << power for power in range(13))
# Of the estimated cells: a longer interval that saves less than a twentieth is not worth a point.
_WORTH = 0.95


def grid(
    network: IntegerNetwork,
    goal: Goal,
    *,
    intervals: Sequence[int] | None,
    effort: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict]:
    """Parameters of every point, {`interval`: cycles from an image to the next one, `effort`: evaluations of
    the search}: of these intervals, or of a pixel every 1, 2, 4, ... 4,096 cycles as far as its plan is
    smaller than that of the one before.

    progress: called with (intervals that are planned, of how many). Where no pipeline runs the network the
    one of a pixel a cycle stands for all.
    """
    rows, columns, _ = network.input_shape
    if intervals is None:
        intervals = [pace * rows * columns for pace in _worthwhile(network, goal, progress)]
    return [{"interval": interval, "effort": effort} for interval in dict.fromkeys(intervals)]


def _worthwhile(
    network: IntegerNetwork, goal: Goal, progress: Callable[[int, int], None] | None
) -> list[int]:
    """Cycles from a pixel to the next one, of plans each of which is smaller than the one before."""
    found, least = [], float("inf")
    for number, pace in enumerate(_PACES):
        if progress is not None:
            progress(number, len(_PACES))
        try:
            plan = make_plan(network, absorbs=absorbs_leaves(goal.target), pace=pace, evaluations=0)
        except InputError:
            continue
        cells = sum(stage.estimate() for stage in plan.stages)
        if cells <= _WORTH * least:
            found.append(pace)
            least = cells
    return found or [_PACES[0]]
