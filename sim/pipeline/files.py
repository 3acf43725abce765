"""The files between this process and the benches of a pipeline: a job, and what came of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from dorefa.hw.pipeline.top import PipelineTop

from ..job import fields
from .maps import cut_maps, map_sizes
from .streams import StreamRun, quiet_limit


def job_file(
    top: PipelineTop, images: np.ndarray, *, gaps: int, stalls: int, seed: int, ports_only: bool
) -> bytes:
    """The job of running `images`, uint8 (batch, H, W, C), codes of input_bits.

    gaps, stalls: chances in percent that a pixel comes late and that a number waits, drawn from `seed`;
    ports_only: nothing inside can be seen.
    """
    plan = top.pipeline.plan
    count, rows, columns, channels = images.shape
    sizes = map_sizes(plan)
    inside = {"word_bytes": sizes.word_bytes, "map_slots": sizes.slots, "alone_slots": sizes.alone}
    contents: dict[str, fields.Value] = {
        "images": np.ascontiguousarray(images, np.uint8).tobytes(),
        "count": count,
        "pixels": rows * columns,
        "pixel_bytes": channels,
        "numbers": int(np.prod(plan.result_shape)),
        "number_bytes": top.pipeline.result_bits // 8,
        "seed": seed,
        "gaps": gaps,
        "stalls": stalls,
        "limit": quiet_limit(plan.latency, plan.interval, max(gaps, stalls)),
        **{name: [] if ports_only else numbers for name, numbers in inside.items()},
    }
    return fields.write(contents.items())


def read_run(found: fields.Fields, plan: Any, *, result_bits: int, ports_only: bool) -> StreamRun:
    """What came of a job."""
    stamps = [found.numbers("stamps", number) for number in range(len(found.every("stamps")))]
    began, last_out, marked = np.array(stamps, np.int64).T
    numbers = np.frombuffer(b"".join(found.every("numbers")), f"<i{result_bits // 8}")
    maps = []
    if not ports_only:
        ends = [found.numbers("map_ends", number) for number in range(len(found.every("map_ends")))]
        maps = cut_maps(plan, ends, found.every("map_words"), len(stamps))
    return StreamRun(
        results=numbers.astype(np.int64).reshape(len(stamps), *plan.result_shape),
        began=began,
        last_out=last_out,
        marked=marked.astype(bool),
        maps=maps,
    )
