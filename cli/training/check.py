"""`dorefa check --training`: what a training step costs on an engine, before anything is made."""

from __future__ import annotations

import argparse

from dorefa.golden.errors import InputError

from ..common import options
from ..common.output import Output
from .options import training_engine
from .report import cost_report, cost_table


def check_training(args: argparse.Namespace) -> int:
    """Runs the verb for a step of MODEL; returns the exit status. Where no engine runs it, writes the report
    and raises :class:`InputError` with the problem."""
    from dorefa.hw.compiler.training.job_program import JobProgram
    from dorefa.hw.compiler.training.step_cost import bounds, step_costs
    from dorefa.hw.compiler.training.step_jobs import StepJobs

    out = Output(args.json, inputs=options.input_files(args))
    report = {"supported": False, "problems": [], "cycles_estimate": None, "memory_bits": None}
    report |= {"config": None, "layers": []}
    try:
        architecture, shapes, config, recipe = training_engine(args.model, args)
        batch = recipe.batch
        step = StepJobs.of(shapes, batch, config)
        costs = step_costs(step, config)
        program = JobProgram.of(step.jobs, config)
    except InputError as error:
        out.say(f"problem: {error}")
        out.report(report | {"problems": [str(error)]})
        raise InputError(f"{args.model} takes no steps on this engine: {error}") from None
    binding = bounds(step, config)
    cycles = sum(cost.cost.cycles for cost in costs)
    forward = sum(cost.cost.cycles for cost in costs if cost.kind == "forward")
    memories = program.memory_bits
    out.say(
        f"{architecture.name}: a step of {batch} images, {recipe.w_bits}-{recipe.a_bits}-{recipe.g_bits}, on "
        f"{config.lanes} lanes x {config.rows} rows"
    )
    header, rows = cost_table(costs)
    bound_by = [binding.get((cost.layer, cost.kind)) for cost in costs]
    out.table([*header, "bound by"], [[*row, bound] for row, bound in zip(rows, bound_by, strict=True)])
    out.say(f"{cycles:,} cycles a step, {cycles / forward:.2f} times its forward passes")
    for memory, bits in memories.items():
        out.say(f"{memory}: {bits:,} bits")
    layers = [cost_report(cost) | {"bound_by": bound} for cost, bound in zip(costs, bound_by, strict=True)]
    out.report(
        report
        | {
            "supported": True,
            "batch": batch,
            "net_g": recipe.g_bits,
            "cycles_estimate": cycles,
            "forward_cycles": forward,
            "memories": memories,
            "memory_bits": sum(memories.values()),
            "port_bytes_in": sum(cost["port_bytes_in"] for cost in layers),
            "port_bytes_out": sum(cost["port_bytes_out"] for cost in layers),
            "config": config.as_dict(),
            "layers": layers,
        }
    )
    return 0
