"""Architectures with weights in the logic, and an image and its numbers as streams: what verbs need."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """`name`, the architecture; `plan`(args, network, absorbs=..., sizes=...); of a plan `report`, `table`
    (header, rows), the component of `make_core`, which gets the module name `module`, and that of
    `make_board`, which takes a clock and a rate of the line, too; `has_engine`: one is a part of it."""

    name: str
    module: str
    plan: Callable[..., Any]
    report: Callable[[Any], dict[str, Any]]
    table: Callable[[Any], tuple[list[str], list[list[object]]]]
    make_core: Callable[..., Any]
    make_board: Callable[..., Any]
    has_engine: bool = False

    def fabric(self, target: str) -> str | None:
        """Whose cells the Verilog for a target has, None where it is portable."""
        from dorefa.synth.flow.units import absorbs_leaves
        from dorefa.synth.targets.catalog import find_target

        return find_target(target).fabric_name if self.has_engine or absorbs_leaves(target) else None


def streamed(args: argparse.Namespace) -> Streamed:
    """The architecture of `--architecture`."""
    return _hybrid() if args.architecture == "hybrid" else _pipeline()


def _pipeline() -> Streamed:
    from dorefa.hw.pipeline.board import pipeline_board
    from dorefa.hw.pipeline.pipeline import Pipeline
    from dorefa.hw.pipeline.top import MODULE

    from .options import plan_report, plan_table
    from .plan import pipeline_plan

    return Streamed(
        name="pipeline",
        module=MODULE,
        plan=lambda args, network, absorbs=False, sizes=None: pipeline_plan(args, network, absorbs=absorbs),
        report=plan_report,
        table=plan_table,
        make_core=Pipeline,
        make_board=pipeline_board,
    )


def _hybrid() -> Streamed:
    from dorefa.hw.hybrid.board import hybrid_board
    from dorefa.hw.hybrid.hybrid import MODULE, Hybrid

    from .hybrid import hybrid_plan, hybrid_report, hybrid_table

    return Streamed(
        name="hybrid",
        module=MODULE,
        plan=hybrid_plan,
        report=hybrid_report,
        table=hybrid_table,
        make_core=Hybrid,
        make_board=hybrid_board,
        has_engine=True,
    )
