# amaranth: UnusedElaboratable=no
"""A pipeline as what a board runs."""

from __future__ import annotations

from ..shell.scores import check_scores
from ..shell.stream_board import StreamBoard
from .pipeline import Pipeline
from .plan import PipelinePlan


def pipeline_board(plan: PipelinePlan, *, clock_hz: float, baud: int) -> StreamBoard:
    """A :class:`.StreamBoard` with the pipeline of a plan. Raises :class:`InputError` for a network that does
    not give one score per class, and what that does."""
    network = plan.network
    check_scores(network)
    return StreamBoard(
        Pipeline(plan),
        input_shape=network.input_shape,
        classes=network.classes,
        summary=plan.summary,
        clock_hz=clock_hz,
        baud=baud,
    )
