"""Options of the pipeline, and its plan."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dorefa.golden.errors import InputError

from .device import choose
from .engine_options import engine_options

if TYPE_CHECKING:
    from dorefa.hw.pipeline.plan import PipelinePlan


# What reports say where there is no plan.
NO_PLAN: dict[str, Any] = {
    "architecture": "pipeline",
    "interval_cycles": None,
    "latency_cycles": None,
    "layers": [],
}


def add_architecture(parser: argparse.ArgumentParser, *, lists: bool = False) -> None:
    """Adds `--architecture` and what only pipelines have; lists: for an exploration, of several intervals and
    both architectures."""
    group = parser.add_argument_group("architecture")
    group.add_argument(
        "--architecture",
        choices=("engine", "pipeline", *(() if lists else ("hybrid",)), "auto"),
        default="engine",
        help="engine: one array for all layers, weights in memories (default); pipeline: a stage per layer, "
        "weights in the logic; hybrid: the first layer so, in front of an engine; auto: "
        f"{'both' if lists else 'a pipeline where one fits the device'}",
    )
    interval = "of a pipeline: cycles from an image to the next one that are enough"
    if lists:
        group.add_argument(
            "--interval",
            metavar="N[,N...]",
            help=f"{interval} (default: a pixel every 1, 2, 4, ... cycles, as far as that saves cells)",
        )
    else:
        group.add_argument("--interval", type=int, metavar="N", help=f"{interval} (default: a pixel a cycle)")
    group.add_argument(
        "--effort",
        type=int,
        metavar="N",
        help="of a pipeline or hybrid: evaluations of the search, a layer (default 2000)",
    )


def is_streamed(args: argparse.Namespace) -> bool:
    """Whether a pipeline is asked for, or chosen, or a hybrid; InputError for options of one architecture
    beside another."""
    if args.architecture == "auto":
        args.architecture = choose(args)
        if args.architecture == "engine":
            # What is said of a pipeline was for the other choice.
            return False
    refuse_options(args)
    return bool(args.architecture != "engine")


def refuse_options(args: argparse.Namespace) -> None:
    """Raises :class:`InputError` for options of the one architecture where another one is asked for."""
    if args.architecture in ("pipeline", "hybrid"):
        for name, value in engine_options(args).items():
            raise InputError(f"--{name} is {value}; accepted: only with --architecture engine")
    accepted = {"interval": ("pipeline", "auto"), "effort": ("pipeline", "hybrid", "auto")}
    for name, architectures in accepted.items():
        if getattr(args, name) is not None and args.architecture not in architectures:
            raise InputError(
                f"--{name} is {getattr(args, name)}; accepted: only with --architecture "
                f"{', '.join(architectures)}"
            )


def layer_reports(plan: PipelinePlan) -> list[dict[str, Any]]:
    """A dictionary for each layer: `name`, `structure` ("constant", "planes" or "rom"), `steps`, the cycles
    that a pixel takes, of an array one that leaves; `spacing_cycles`, the least from one that comes to the
    next one; `latency_cycles` from the pixels that a sum needs to the sum, of an array from the whole map to
    its first pixel; `adds`, the layer whose trunk is added, and `waiting_pixels`, as many as wait in a memory
    for that at most, or None and 0."""
    adders, layers = plan.flow.adders, plan.network.layers
    return [
        {
            "name": stage.layer.name,
            "structure": stage.structure,
            "steps": stage.steps,
            "spacing_cycles": stream.spacing,
            "latency_cycles": stage.latency,
            "adds": None if stage.layer.add is None else layers[stage.layer.add].name,
            "waiting_pixels": adders[place].depth if place in adders else 0,
        }
        for place, (stage, stream) in enumerate(zip(plan.stages, plan.streams, strict=False))
    ]


def plan_report(plan: PipelinePlan) -> dict[str, Any]:
    """What reports say of a plan."""
    return {
        "architecture": "pipeline",
        "interval_cycles": plan.interval,
        "latency_cycles": plan.latency,
        "layers": layer_reports(plan),
    }


def plan_table(plan: PipelinePlan) -> tuple[list[str], list[list[object]]]:
    """(header, rows) of the layers."""
    header = ["layer", "structure", "cycles a pixel", "cycles to the next", "latency", "adds", "waiting"]
    rows = [["" if value is None else value for value in report.values()] for report in layer_reports(plan)]
    # Without trunks nothing is added.
    columns = len(header) if plan.flow.adders else -2
    return header[:columns], [row[:columns] for row in rows]
