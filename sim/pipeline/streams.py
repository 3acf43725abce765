"""What the streams of a pipeline told of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .maps import Maps


@dataclass(frozen=True, kw_only=True)
class StreamRun:
    """What came out for each image: `results`, int64 (images, H, W, C); `began` and `last_out`, the cycles,
    from reset, of its first beat in and its last beat out, int64 (images,); `marked`, bool (images,); `maps`
    that left the stages, none where nothing inside is seen."""

    results: np.ndarray
    began: np.ndarray
    last_out: np.ndarray
    marked: np.ndarray
    maps: Maps


def quiet_limit(latency: int, interval: int, waits: int) -> int:
    """Cycles without a beat after which a pipeline stands still; waits: chance in percent that one waits."""
    return 1000 + 20 * (latency + interval) * 100 // (100 - waits)
