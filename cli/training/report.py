"""What a training says and reports in the end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..common.output import Output

if TYPE_CHECKING:
    from dorefa.golden.train.train import TrainingResult
    from dorefa.hw.compiler.training.step_cost import LayerCost

    from .backends import Computing

_HOST = (
    "The three convolutions and both quantizers of every step ran on the {}; batch normalization, pooling, "
    "clip, loss, optimizer and the order of operands were the host's."
)


def tell(out: Output, args: argparse.Namespace, result: TrainingResult, computing: Computing) -> int:
    """Says and reports what came out; returns the exit status."""
    out.table(
        ["epoch", "loss", "training accuracy", "test accuracy"],
        [
            [epoch["epoch"], epoch["loss"], epoch["train_accuracy"], epoch.get("test_accuracy")]
            for epoch in result.history
        ],
    )
    if result.accuracy is not None:
        model = "training network" if result.network is None else "integer model"
        out.say(f"accuracy of the {model} {result.accuracy:.4f}")
    out.say(f"SHA-256 of the parameters {result.parameters_sha256}")
    report: dict[str, Any] = {
        "backend": args.backend,
        "accuracy": result.accuracy,
        "history": result.history,
        "losses": result.losses,
        "parameters_sha256": result.parameters_sha256,
    }
    report |= _of_engine(out, computing, len(result.losses))
    report |= _of_comparison(out, computing)
    files = [path for path in (args.output, args.checkpoint) if path is not None]
    for path in files:
        out.say(f"wrote {path}")
    out.report(report | {"files": files})
    return 1 if report["mismatch_count"] else 0


def _of_engine(out: Output, computing: Computing, steps: int) -> dict[str, Any]:
    """What the engine did; says it too."""
    board = computing.board
    if computing.engine is None or computing.config is None:
        return {"cycles": None, "jobs": None, "layers": [], "config": None, "host": None}
    costs = computing.engine.costs(steps)
    # On a board the ports wait for the line, and nobody counts.
    cycles = None if board else sum(cost.cost.cycles for cost in costs)
    jobs = computing.engine.jobs
    out.table(*cost_table(costs))
    counted = f"{board.sent:,} bytes to the board, {board.received:,} back" if board else f"{cycles:,} cycles"
    out.say(f"{steps} steps: {counted}, {jobs:,} jobs")
    host = _HOST.format("board's engine" if board else "engine's Verilog")
    out.say(host)
    return {
        "cycles": cycles,
        "jobs": jobs,
        "layers": [cost_report(cost) for cost in costs],
        "config": computing.config.as_dict(),
        "host": host,
        "line_bytes_in": board and board.sent,
        "line_bytes_out": board and board.received,
    }


def _of_comparison(out: Output, computing: Computing) -> dict[str, Any]:
    """What was compared; says it too."""
    compared = computing.compared
    if compared is None:
        return {"sums_compared": 0, "codes_compared": 0, "mismatch_count": 0, "mismatches": []}
    out.say(
        f"compared {compared.sums:,} sums and {compared.codes:,} codes and scales: "
        f"{compared.differences:,} differ"
    )
    if compared.first is not None:
        out.say(f"first difference: {compared.first}")
    return {
        "sums_compared": compared.sums,
        "codes_compared": compared.codes,
        "mismatch_count": compared.differences,
        "mismatches": [] if compared.first is None else [compared.first._asdict()],
    }


def cost_table(costs: Sequence[LayerCost]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of what every layer and kind of job costs."""
    header = ["layer", "job", "form", "cycles", "computing", "utilization", "bytes in", "bytes out"]
    return header, [
        [
            cost.layer,
            cost.kind,
            cost.form or None,
            cost.cost.cycles or None,
            cost.cost.computing or None,
            cost.utilization or None,
            cost.cost.image_bytes + cost.cost.weight_bytes,
            cost.cost.result_bytes,
        ]
        for cost in costs
    ]


def cost_report(cost: LayerCost) -> dict[str, Any]:
    """The same of one layer and kind, for JSON."""
    parts = cost.cost
    return {
        "layer": cost.layer,
        "kind": cost.kind,
        "form": cost.form,
        "cycles": parts.cycles or None,
        "computing_cycles": parts.computing,
        "binary_ops": cost.operations,
        "utilization": cost.utilization,
        "packets": parts.packets,
        "port_bytes_in": parts.image_bytes + parts.weight_bytes,
        "port_bytes_out": parts.result_bytes,
    }
