"""Packets of images: how many bytes are missing, and whether they have the right length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data

from .training.job import is_whole


@dataclass(frozen=True)
class Gate:
    """Bytes of the packet that are `missing`; whether it has `begun`, and has too many (`over`). Of a `beat`:
    how many of its bytes are `kept`, whether they fit, and end a packet of the right length. `clear`: the
    statements that make it ready for a packet. `begins`: the beat is a packet's first; `drops`: there is
    nothing that takes the packet."""

    missing: Signal
    begun: Signal
    over: Signal
    beat: Signal
    kept: Signal
    fits: Signal
    right: Signal
    begins: Signal
    drops: Signal
    clear: list[Any]


def judge_packets(
    m: Module, image: Any, image_bytes: Value, *, runnable: Value, job: data.View | None
) -> Gate:
    """Judges the packets of the stream `image`, which must have `image_bytes`; those that begin while not
    `runnable` are dropped, and those of which a beat keeps others than its lowest bytes are wrong. `job`:
    what becomes of the packet, in an engine that trains."""
    beats = image.payload
    missing, begun, over, dropped = Signal.like(image_bytes), Signal(), Signal(), Signal()
    beat, kept = Signal(), Signal(range(len(beats.keep) + 1))
    fits, right, begins, drops = Signal(), Signal(), Signal(), Signal()
    many, few = missing[len(kept) :].any(), missing[: len(kept)]
    sound = ~over & ~(beats.keep & (beats.keep + 1))[: len(beats.keep)].any()
    fit, complete = sound & (many | (few >= kept)), sound & ~many & (few == kept)
    if job is not None:
        whole = is_whole(job, kept, beats.last, port_bytes=len(beats.keep))
        fit, complete = fit & whole, complete & whole
    # Without a byte a beat begins nothing, but where it is all that a job gets.
    m.d.comb += [
        kept.eq(sum(beats.keep[byte] for byte in range(len(beats.keep)))),
        beat.eq(image.valid & image.ready),
        begins.eq(beat & ~begun & ((kept != 0) | (job is not None))),
        drops.eq(Mux(begun, dropped, begins & ~runnable)),
        fits.eq(fit & ~drops),
        right.eq(complete & ~drops),
    ]
    with m.If(begins):
        m.d.sync += [begun.eq(1), dropped.eq(~runnable)]
    with m.If(~begun):
        m.d.sync += missing.eq(image_bytes)
    with m.If(beat):
        m.d.sync += [missing.eq(missing - kept), over.eq(~fits)]
    return Gate(
        missing=missing,
        begun=begun,
        over=over,
        beat=beat,
        kept=kept,
        fits=fits,
        right=right,
        begins=begins,
        drops=drops,
        clear=[missing.eq(image_bytes), begun.eq(0), over.eq(0)],
    )
