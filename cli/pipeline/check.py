"""`dorefa check --architecture pipeline`: whether a pipeline runs a network, and how fast."""

from __future__ import annotations

import argparse
from typing import Any

from dorefa.golden.errors import InputError

from ..common import options
from ..common.output import Output
from .device import named_device
from .options import NO_PLAN, plan_report, plan_table
from .plan import device_plan, effort_of, pace_of, pipeline_plan


def check_pipeline(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status. Where no pipeline runs the network, writes the report and
    raises :class:`InputError` with the problem."""
    from dorefa.golden import lower
    from dorefa.hw.pipeline.cells import stage_size

    out = Output(args.json, inputs=options.input_files(args))
    network = lower(options.load_network(args.model, args))
    device = None if args.device is None else named_device(args.device)
    effort = effort_of(args)
    pace_of(args, network)  # a wrong one says nothing of the network
    try:
        if device is None:
            plan, size = pipeline_plan(args, network), None
        else:
            plan, size = device_plan(args, network, device, effort=effort)
    except InputError as error:
        out.say(f"problem: {error}")
        out.report({"supported": False, "problems": [str(error)]} | NO_PLAN)
        raise InputError(f"{args.model} does not run as a pipeline: {error}") from None
    report: dict[str, Any] = {"supported": True, "problems": []} | plan_report(plan)
    header, rows = plan_table(plan)
    if size is not None:
        header += ["cells", "block RAMs"]
        for stage, layer, row in zip(plan.stages, report["layers"], rows, strict=True):
            own = stage_size(stage)
            layer |= {"cells": own.cells, "brams": own.rams}
            row += [own.cells, own.rams]
    out.say(f"{network.name} runs as a pipeline, a pixel every {plan.pace} cycles")
    out.table(header, rows)
    out.say(
        f"{plan.interval:,} cycles from an image to the next one, {plan.latency:,} from its first pixel on"
    )
    sizes: dict[str, Any] = {"device": None, "cells": None, "brams": None}
    if device is not None and size is not None:
        out.say(
            f"{size.cells:,} cells and {size.rams} block RAMs predicted, of {device.name}'s {device.luts:,} "
            f"and {device.brams}"
        )
        sizes = {"device": device.name, "cells": size.cells, "brams": size.rams}
    out.report(report | sizes | {"notes": out.notes(network.notes)})
    return 0
