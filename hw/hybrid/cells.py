"""Cells and block RAMs of what stands in front of a hybrid's engine, before anything is synthesized."""

from __future__ import annotations

from ..pipeline.cells import Size, memory_size, origin_size, stage_size
from .plan import HybridPlan


def front_size(plan: HybridPlan) -> Size:
    """The size of the first layer's stage, made with `absorbs`, of its source and of the memory of codes."""
    rest = plan.compiled.network
    rows, columns, channels = rest.input_shape
    stored = memory_size(channels * rest.input_bits, rows * columns)
    return origin_size() + stage_size(plan.front.stages[0]) + stored
