"""`dorefa check --architecture hybrid`: whether a hybrid runs a network, and how fast."""

from __future__ import annotations

import argparse
from typing import Any

from dorefa.golden.errors import InputError

from ..common import options
from ..common.output import Output
from .device import named_device
from .hybrid import hybrid_plan, hybrid_report, hybrid_table
from .plan import effort_of

# What reports say where there is no plan.
_NO_PLAN: dict[str, Any] = {
    "architecture": "hybrid",
    "interval_cycles": None,
    "latency_cycles": None,
    "load_cycles": None,
    "layers": [],
    "config": None,
    "device": None,
    "front_cells": None,
    "front_brams": None,
}


def check_hybrid(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status. Where no hybrid runs the network, writes the report and raises
    :class:`InputError` with the problem."""
    from dorefa.golden import lower
    from dorefa.hw.hybrid.cells import front_size

    out = Output(args.json, inputs=options.input_files(args))
    network = lower(options.load_network(args.model, args))
    device = None if args.device is None else named_device(args.device)
    effort_of(args)  # a wrong one says nothing of the network
    try:
        plan = hybrid_plan(args, network, absorbs=device is not None)
    except InputError as error:
        out.say(f"problem: {error}")
        out.report({"supported": False, "problems": [str(error)]} | _NO_PLAN)
        raise InputError(f"{args.model} does not run as a hybrid: {error}") from None
    out.say(f"{network.name} runs as a hybrid, a pixel every {plan.front.pace} cycles")
    out.table(*hybrid_table(plan))
    out.say(
        f"{plan.load:,} cycles to take the codes of {plan.network.layers[0].name}, "
        f"{plan.config.port_bytes} a cycle"
    )
    out.say(
        f"{plan.interval:,} cycles from an image to the next one, {plan.latency:,} from its first pixel on"
    )
    report = {"supported": True, "problems": []} | _NO_PLAN | hybrid_report(plan)
    if device is not None:
        size = front_size(plan)
        out.say(
            f"{size.cells:,} cells and {size.rams} block RAMs predicted in front of the engine, of "
            f"{device.name}'s {device.luts:,} and {device.brams}"
        )
        report |= {"device": device.name, "front_cells": size.cells, "front_brams": size.rams}
    out.report(report | {"notes": out.notes(network.notes)})
    return 0
