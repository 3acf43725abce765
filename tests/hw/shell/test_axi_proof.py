# amaranth: UnusedElaboratable=no
"""The AXI4-Lite bridge, by induction: its channels keep the rules; every write and every read happens once, where and
with what it was asked for, in order, and is answered once."""

import pytest
from amaranth import Cat, Mux, Signal

from dorefa.hw.shell.axi import DECODE_ERROR, OKAY, SLAVE_ERROR, AxiLiteBridge

from ...mutants import mutant
from ...proofs import Bench, Refuted, inner, prove

# Two bits of address are a mapped and an unmapped word at each end of a region.
ADDR_BITS, FIRST, WORDS = 2, 1, 2


def channel(bench, name, payload):
    """The rules of a channel that the bridge sends on."""
    valid, ready = (getattr(bench.dut, f"{name}{what}") for what in ("valid", "ready"))
    waited, shown = bench.past(valid & ~ready), Cat(getattr(bench.dut, field) for field in payload)
    bench.always(f"{name}: valid stays", ~waited | valid)
    bench.always(f"{name}: payload is stable", ~waited | (shown == bench.past(shown)))
    bench.always(f"{name}: reset drops valid", ~(bench.after_reset() & valid))
    bench.cover(f"{name}: a beat waits and leaves", waited & valid & ready)


def requests(bench, name, payload):
    """The rules of a channel that the bridge takes from: (whether a beat is accepted, `payload`)."""
    valid, ready = (getattr(bench.dut, f"{name}{what}") for what in ("valid", "ready"))
    shown = Cat(getattr(bench.dut, field) for field in payload)
    bench.assume(~bench.past(valid & ~ready) | (valid & (shown == bench.past(shown))))
    return valid & ready, shown


def bridge(of=AxiLiteBridge):
    """One write and one read are followed, whichever: the write is the first of those that are not followed
    whose address and data are both there, the read likewise."""
    dut = of(addr_bits=ADDR_BITS, regions=[(FIRST, WORDS)])
    seen, bench = inner(dut), Bench(dut=dut)
    m = bench.m
    channel(bench, "b", ["bresp"])
    channel(bench, "r", ["rdata", "rresp"])
    aw, address = requests(bench, "aw", ["awaddr"])
    w, data = requests(bench, "w", ["wdata", "wstrb"])
    ar, r_address = requests(bench, "ar", ["araddr"])
    # What was accepted last and is not done yet.
    pending = {name: Signal(name=f"pending_{name}") for name in ("aw", "w", "ar")}
    kept = {
        name: Signal(len(value), name=f"kept_{name}")
        for name, value in (("aw", address), ("w", data), ("ar", r_address))
    }
    return bench, seen, (aw, w, ar), (address, data, r_address), pending, kept
