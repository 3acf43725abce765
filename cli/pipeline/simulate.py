"""`dorefa simulate --architecture pipeline`, or `hybrid`: the Verilog against golden."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError
from dorefa.golden.files import write_file

from ..common import options
from ..common.output import Output, counted, results_file
from .streamed import streamed

if TYPE_CHECKING:
    import numpy as np

    from dorefa.golden.lowering.integer_network import IntegerNetwork

    ImagesOf = Callable[[IntegerNetwork, str], tuple[np.ndarray, np.ndarray | None]]


def simulate_streamed(args: argparse.Namespace, images_of: ImagesOf) -> int:
    """Runs the verb; returns the exit status. images_of(network, simulator): (images, labels or None). Where
    hardware and golden differ, writes the report and raises :class:`InputError`."""
    from dorefa.golden import lower
    from dorefa.sim.job.inputs import check_stalls, first_images
    from dorefa.sim.pipeline.simulation import FASTEST, simulate_plan

    out = Output(
        args.json,
        outputs={"--output": args.output, "--logits": args.logits},
        inputs=options.input_files(args),
    )
    network = lower(options.load_network(args.model, args))
    if args.trace is not None:
        raise InputError(f"--trace is {args.trace}; accepted: only with --architecture engine")
    if args.target is not None:
        raise InputError(f"--target is {args.target}; accepted: only with --netlist")
    # Said before the search for a plan, which takes its time.
    check_stalls(args.stalls)
    first_images(network, *images_of(network, FASTEST), args.limit)
    kind = streamed(args)
    if kind.has_engine and args.simulator == "icarus":
        raise InputError("--simulator is icarus; accepted with a hybrid: verilator, amaranth, auto")
    plan = kind.plan(args, network)
    found = simulate_plan(
        network,
        plan,
        kind.make_core,
        lambda simulator: images_of(network, simulator),
        simulator=args.simulator,
        limit=args.limit,
        stalls=args.stalls,
        seed=args.sim_seed,
    )
    for path, arrays in ((args.output, found.results), (args.logits, found.real)):
        if path is not None:
            write_file(path, results_file(arrays))
            out.say(f"wrote {path}")
    out.say(f"{counted(found.images, 'image')} in {found.simulator} ({found.why})")
    out.say(f"bit-exact: {'yes' if found.bit_exact else 'NO'}, {len(found.compared)} layers compared")
    if found.accuracy is not None:
        out.say(f"accuracy {found.accuracy:.4f}")
    out.table(*kind.table(plan))
    if found.interval is not None:
        out.say(f"{found.interval:,} cycles from an image to the next one, {plan.interval:,} predicted")
    out.say(f"{found.latency:,} cycles from its first pixel to its last number, {plan.latency:,} predicted")
    for mismatch in found.mismatches:
        out.say(f"difference: {mismatch}")
    out.report(kind.report(plan) | found.as_dict() | {"notes": out.notes(network.notes)})
    if found.bit_exact:
        return 0
    first = found.mismatches[0]
    raise InputError(f"{args.model} is not bit-exact: {found.mismatch_count} differences, the first: {first}")
