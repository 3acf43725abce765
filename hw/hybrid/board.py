# amaranth: UnusedElaboratable=no
"""A hybrid as what a board runs."""

from __future__ import annotations

from ..shell.stream_board import StreamBoard
from .hybrid import Hybrid
from .plan import HybridPlan


class HybridBoard(StreamBoard):
    """A :class:`.StreamBoard` whose core is a hybrid."""

    kind, shrinks = "hybrid", "fewer --lanes or --rows"


def hybrid_board(plan: HybridPlan, *, clock_hz: float, baud: int) -> HybridBoard:
    """A :class:`HybridBoard` with the hybrid of a plan."""
    return HybridBoard(
        Hybrid(plan),
        input_shape=plan.network.input_shape,
        classes=plan.network.classes,
        summary=plan.summary,
        clock_hz=clock_hz,
        baud=baud,
    )
