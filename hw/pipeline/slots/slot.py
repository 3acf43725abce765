"""The stream between stages: pixels in the order of rows, and slots without one.

A slot is a place in the raster of an image. Nothing holds it up: a stage takes it in the cycle in which it
comes. Behind the last pixel of an image the first one of the next may follow at once, and pushes out what the
stages still hold; where none comes, blank slots do that. They count like pixels of an image that never was,
and a restart behind them takes every stage back to the place before the first pixel.
"""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import Out


def slot_signature(bits: int) -> wiring.Signature:
    """`valid`: there is a slot; `blank`: it has no pixel, and nor has any of its image; `word`: the pixel;
    `restart`, in a cycle of its own: the next slot begins an image."""
    return wiring.Signature({"valid": Out(1), "blank": Out(1), "restart": Out(1), "word": Out(bits)})
