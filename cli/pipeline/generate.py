"""`dorefa generate --architecture pipeline`, or `hybrid`: portable Verilog."""

from __future__ import annotations

import argparse
import hashlib
import json

from dorefa.golden.errors import InputError
from dorefa.golden.files import write_files

from ..common import options
from ..common.output import Output, new_folder
from .streamed import streamed


def generate_streamed(args: argparse.Namespace, name: str | None) -> int:
    """Runs the verb; returns the exit status. name: of the module (None: that of the architecture)."""
    from dorefa.golden import lower
    from dorefa.hw.pipeline.top import PipelineTop
    from dorefa.hw.verilog.export import export, tool_versions
    from dorefa.synth.flow.units import absorbs_leaves
    from dorefa.synth.targets.catalog import find_target

    if args.model is None:
        raise InputError(
            f"--architecture {args.architecture} needs a network; accepted: --model MODEL beside it"
        )
    out = Output(args.json, inputs=options.input_files(args))
    network = lower(options.load_network(args.model, args))
    kind = streamed(args)
    module = name or kind.module
    target = None if args.target is None else find_target(args.target)
    plan = kind.plan(
        args,
        network,
        absorbs=target is not None and absorbs_leaves(target.name),
        sizes=target.sizes if target else {},
    )
    with new_folder(args.output) as folder:
        paths = [folder / file for file in (f"{kind.name}.v", f"{kind.name}.json")]
        out.claim(outputs={"--output": paths})
        top = PipelineTop(plan, make_core=kind.make_core)
        verilog = export(
            top,
            name=module,
            preloaded=top.preloaded,
            summary=plan.summary,
            fabric=kind.fabric(target.name) if target else None,
        ).encode()
        *_, channels = network.input_shape
        description = kind.report(plan) | {
            "module": module,
            "network": network.name,
            "input_shape": list(network.input_shape),
            "input_bits": network.input_bits,
            "input_signed": network.input_signed,
            "result_shape": list(plan.result_shape),
            "result_bits": top.pipeline.result_bits,
            "image_beat_bytes": channels,
            "sha256": {paths[0].name: hashlib.sha256(verilog).hexdigest()},
            "tools": tool_versions(),
        }
        write_files(
            dict(zip(paths, (verilog, (json.dumps(description, indent=2) + "\n").encode()), strict=True))
        )
    for path in paths:
        out.say(f"wrote {path}")
    out.report(kind.report(plan) | {"files": [str(path) for path in paths]})
    return 0
