"""The plan of a hybrid that a command line asks for, and what reports say of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..common import options
from .plan import effort_of

if TYPE_CHECKING:
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.hw.hybrid.plan import HybridPlan


def hybrid_plan(
    args: argparse.Namespace,
    network: IntegerNetwork,
    *,
    absorbs: bool = False,
    sizes: Mapping[str, int | str] | None = None,
) -> HybridPlan:
    """The plan; absorbs: for a fabric whose chains take leaves beside what they add; sizes: engine parameters
    that are fixed unless the command line says others. InputError for what no hybrid runs."""
    from dorefa.hw.hybrid.plan import fit_hybrid, make_hybrid

    effort = effort_of(args)
    # What a board's engine tells its host is told to nobody here.
    given = {name: value for name, value in (sizes or {}).items() if name != "checks"}
    config = fit_hybrid(network, **(given | options.engine_overrides(args)))
    return make_hybrid(network, config, absorbs=absorbs, evaluations=effort)


def hybrid_layers(plan: HybridPlan) -> list[dict[str, Any]]:
    """A dictionary for each layer: `name`, `structure` ("constant", "planes" or "rom" of the first one,
    "engine" of the others), and `cycles`: of the first one from its first pixel to the last code that the
    engine has taken, which pass while the engine computes, of the others as of an engine."""
    (stage,) = plan.front.stages
    first = {"name": stage.layer.name, "structure": stage.structure, "cycles": plan.front_interval}
    others = plan.compiled.layers
    return [first, *({"name": one.name, "structure": "engine", "cycles": one.cycles} for one in others)]


def hybrid_report(plan: HybridPlan) -> dict[str, Any]:
    """What reports say of a plan."""
    return {
        "architecture": "hybrid",
        "interval_cycles": plan.interval,
        "latency_cycles": plan.latency,
        "load_cycles": plan.load,
        "layers": hybrid_layers(plan),
        "config": plan.config.as_dict(),
    }


def hybrid_table(plan: HybridPlan) -> tuple[list[str], list[list[object]]]:
    """(header, rows) of the layers."""
    return ["layer", "structure", "cycles"], [list(layer.values()) for layer in hybrid_layers(plan)]
