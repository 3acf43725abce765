"""`dorefa check --architecture pipeline`: whether a pipeline runs a network, and how fast."""

from __future__ import annotations

import argparse

from dorefa.golden.errors import InputError

from ..common import options
from ..common.output import Output
from .options import NO_PLAN, pipeline_plan, plan_report, plan_table


def check_pipeline(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status. Where no pipeline runs the network, writes the report and
    raises :class:`InputError` with the problem."""
    from dorefa.golden import lower

    out = Output(args.json, inputs=options.input_files(args))
    network = lower(options.load_network(args.model, args))
    try:
        plan = pipeline_plan(args, network)
    except InputError as error:
        out.say(f"problem: {error}")
        out.report({"supported": False, "problems": [str(error)]} | NO_PLAN)
        raise InputError(f"{args.model} does not run as a pipeline: {error}") from None
    out.say(f"{network.name} runs as a pipeline, a pixel every {plan.pace} cycles")
    out.table(*plan_table(plan))
    out.say(
        f"{plan.interval:,} cycles from an image to the next one, {plan.latency:,} from its first pixel on"
    )
    out.report({"supported": True, "problems": []} | plan_report(plan) | {"notes": out.notes(network.notes)})
    return 0
