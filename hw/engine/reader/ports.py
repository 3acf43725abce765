"""What both window readers have: their ports, the slots that they fill, the sign of a layer's first read."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program
from ...lib.delay import delayed
from .patch_buffer import PatchBuffer
from .run_generator import run_layout


def reader_ports(config: EngineConfig) -> dict[str, wiring.Member]:
    """`layer`, `start`; `runs` (from three cycles after `start` on); `r_address` to the feature memory and
    `bits` from it; `w` to the patch buffer (:meth:`.PatchBuffer.write_signature`); `filled` pulses when all
    columns of a slot are written, `released` when a slot is read for the last time; `first_read` pulses with
    the layer's first read."""
    return {
        "layer": In(program.layout(config)),
        "start": In(1),
        "runs": In(stream.Signature(run_layout(config))),
        "r_address": Out(config.feature_address_bits),
        "bits": In(config.fetch_planes * config.fetch_bits),
        "w": Out(PatchBuffer.write_signature(config)),
        "filled": Out(1),
        "released": In(1),
        "first_read": Out(1),
    }


def first_of_layer(m: Module, start: Value, step: Value) -> Value:
    """Whether the step of the cycle before was the first one behind `start`."""
    waiting = Signal()
    first = delayed(m, step & waiting, 1, "first")
    with m.If(start):
        m.d.sync += waiting.eq(1)
    with m.Elif(step):
        m.d.sync += waiting.eq(0)
    return first


def may_step(runs: stream.Interface, occupied: Signal, fills: Signal) -> Value:
    """Whether there is a run and a slot for it. Bit n of `occupied`: more than n slots; `fills`: one more."""
    return runs.valid & ~occupied[-1] & ~(occupied[-2] & fills)


def count_slots(m: Module, occupied: Signal, fills: Signal, released: Signal) -> None:
    """One slot more, or one less."""
    with m.If(fills ^ released):
        m.d.sync += occupied.eq(Mux(released, occupied >> 1, Cat(1, occupied)))
