"""`dorefa generate --architecture pipeline`: a pipeline as portable Verilog."""

from __future__ import annotations

import argparse
import hashlib
import json

from dorefa.golden.errors import InputError
from dorefa.golden.files import write_files

from ..common import options
from ..common.output import Output, new_folder
from .options import plan_report
from .plan import pipeline_plan

_NAMES = ("pipeline.v", "pipeline.json")


def generate_pipeline(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden import lower
    from dorefa.hw.pipeline.top import MODULE, PipelineTop
    from dorefa.hw.verilog.export import export, tool_versions
    from dorefa.synth.flow.units import absorbs_leaves
    from dorefa.synth.targets.catalog import find_target

    if args.model is None:
        raise InputError("--architecture pipeline needs a network; accepted: --model MODEL beside it")
    out = Output(args.json, inputs=options.input_files(args))
    network = lower(options.load_network(args.model, args))
    own = args.target is not None and absorbs_leaves(args.target)
    fabric = find_target(args.target).fabric_name if own else None
    plan = pipeline_plan(args, network, absorbs=own)
    with new_folder(args.output) as folder:
        paths = [folder / name for name in _NAMES]
        out.claim(outputs={"--output": paths})
        top = PipelineTop(plan)
        summary = {"network": network.name, "interval_cycles": plan.interval, "latency_cycles": plan.latency}
        verilog = export(top, name=MODULE, summary=summary, fabric=fabric).encode()
        *_, channels = network.input_shape
        description = plan_report(plan) | {
            "module": MODULE,
            "network": network.name,
            "input_shape": list(network.input_shape),
            "input_bits": network.input_bits,
            "input_signed": network.input_signed,
            "result_shape": list(plan.stages[-1].layer.out_shape),
            "result_bits": top.pipeline.result_bits,
            "image_beat_bytes": channels,
            "sha256": {"pipeline.v": hashlib.sha256(verilog).hexdigest()},
            "tools": tool_versions(),
        }
        write_files(
            dict(zip(paths, (verilog, (json.dumps(description, indent=2) + "\n").encode()), strict=True))
        )
    for path in paths:
        out.say(f"wrote {path}")
    out.report(plan_report(plan) | {"files": [str(path) for path in paths]})
    return 0
