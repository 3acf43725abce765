# amaranth: UnusedElaboratable=no
"""The AXI4-Lite bridge, by induction: its channels keep the rules; every write and every read is done once,
as it was asked for and in order, and answered once; none waits for ever."""

import pytest
from amaranth import Cat, Mux, Signal

from dorefa.hw.shell.axi import DECODE_ERROR, OKAY, SLAVE_ERROR, AxiLiteBridge

from ...mutants import mutant
from ...proofs import Bench, Refuted, inner, prove

# Two bits of address: words in the region, one before it and one behind.
ADDR_BITS, FIRST, WORDS = 2, 1, 2


def sends(bench, channel, payload):
    """The rules of a channel that the bridge sends."""
    valid, ready = (getattr(bench.dut, f"{channel}{name}") for name in ("valid", "ready"))
    waited = bench.past(valid & ~ready)
    bench.always(f"{channel}: valid stays", ~waited | valid)
    bench.always(f"{channel}: payload is stable", ~waited | (payload == bench.past(payload)))
    bench.always(f"{channel}: reset drops valid", ~(bench.after_reset() & valid))
    bench.cover(f"{channel}: a beat waits and leaves", waited & valid & ready)


def takes(bench, channel, payload, done):
    """A channel that the bridge takes, whose sender keeps the rules: whether there is a beat to do, and what
    it is. A beat that is not `done` in the cycle in which it is taken is kept until then."""
    m = bench.m
    valid, ready = (getattr(bench.dut, f"{channel}{name}") for name in ("valid", "ready"))
    bench.assume(~bench.past(valid & ~ready) | (valid & (payload == bench.past(payload))))
    waits, kept = Signal(name=f"{channel}_waits"), Signal(len(payload), name=f"{channel}_kept")
    m.d.sync += waits.eq((waits | valid) & ~done)
    with m.If(valid & ready):
        m.d.sync += kept.eq(payload)
    bench.always(f"{channel}: one is taken ahead", ready == ~waits)
    bench.lemma(f"{channel}: held", ~waits | (bench.net(f"dut.{channel}_held", len(payload)) == kept))
    return waits | valid, Mux(waits, kept, payload)


def mapped(address):
    return (address >= FIRST) & (address < FIRST + WORDS)


class Space:
    """The first word can only be written, at any time; the others can be read, and written while not
    locked."""

    def exists(self, address):
        return mapped(address)

    def readable(self, address):
        return mapped(address) & (address != FIRST)

    def writable(self, address):
        return mapped(address)

    def free(self, address):
        return address == FIRST


def bridge(of=AxiLiteBridge):
    """`write` and `read`: the cycles in which the bridge does one."""
    dut = of(addr_bits=ADDR_BITS, space=Space())
    seen, bench = inner(dut), Bench(dut=dut)
    m, write, read, past = bench.m, seen.write, seen.read, bench.past
    sends(bench, "b", dut.bresp)
    sends(bench, "r", Cat(dut.rdata, dut.rresp))
    aw, address = takes(bench, "aw", dut.awaddr[2:], write)
    w, word = takes(bench, "w", Cat(dut.wdata, dut.wstrb), write)
    ar, r_address = takes(bench, "ar", dut.araddr[2:], read)
    data, strobes = word[:32], word[32:]
    whole, none = strobes.all(), ~strobes.any()
    bench.always("a write is one that was asked for", ~write | (aw & w))
    bench.always("a read is one that was asked for", ~read | ar)
    bench.always("one at a time", ~(write & read))

    written = past(write & whole & mapped(address))
    bench.always("written once", dut.host_w_en == written)
    bench.always("as asked for", ~written | (dut.host_w_data == past(data)))
    bench.always(
        "where asked for", ~past(write | read) | (dut.host_addr == past(Mux(write, address, r_address)))
    )
    # Answers that are owed, from the cycle behind a write on, and three cycles behind a read.
    owed, read_owed, response, read_response = Signal(), Signal(), Signal(2), Signal(2)
    asked, answers, got = past(read), past(past(read)), Signal(32)
    m.d.sync += [
        owed.eq(write | (owed & ~dut.bready)),
        read_owed.eq(answers | (read_owed & ~dut.rready)),
    ]
    with m.If(write):
        locked = whole & dut.host_locked & (address != FIRST)
        refused = Mux((whole & ~locked) | none, OKAY, SLAVE_ERROR)
        m.d.sync += response.eq(Mux(~mapped(address), DECODE_ERROR, refused))
    with m.If(read):
        m.d.sync += read_response.eq(
            Mux(mapped(r_address), Mux(r_address == FIRST, SLAVE_ERROR, OKAY), DECODE_ERROR)
        )
    with m.If(answers):
        m.d.sync += got.eq(dut.host_r_data)
    bench.always("a write is answered once", dut.bvalid == owed)
    bench.always("no answer of a write is lost", ~(write & owed & ~dut.bready))
    bench.always("its response", ~owed | (dut.bresp == response))
    bench.always("a read is answered once", dut.rvalid == read_owed)
    bench.always("no answer of a read is lost", ~(answers & read_owed & ~dut.rready))
    bench.always("its word", ~read_owed | (dut.rdata == Mux(read_response == OKAY, got, 0)))
    bench.always("its region", ~read_owed | (dut.rresp == read_response))

    may_write = aw & w & (~owed | dut.bready)
    may_read = ar & ~asked & ~answers & (~read_owed | dut.rready)
    bench.always("a write waits for one read at most", ~(past(may_write & ~write) & may_write) | write)
    bench.always("a read waits for one write at most", ~(past(may_read & ~read) & may_read) | read)
    bench.cover("a write to no region", owed & (response == DECODE_ERROR))
    bench.cover("a write of a part", owed & (response == SLAVE_ERROR))
    bench.cover("a locked write", owed & (response == SLAVE_ERROR) & dut.host_w_en)
    bench.cover("a read of a word", read_owed & (read_response == OKAY) & (dut.rdata == 5))
    bench.cover("a read of a word that can only be written", read_owed & (read_response == SLAVE_ERROR))
    bench.cover("a write every cycle", past(past(write) & write) & write)
    bench.cover("both wait", may_write & may_read & ~write)
    bench.lemma("reading", (seen.reading == asked) & (seen.fetched == answers))
    bench.lemma("one read", ~(asked & answers) & ~((asked | answers) & read_owed & ~dut.rready))
    bench.lemma("region", ~(asked | answers | read_owed) | (seen.read_answer == read_response))
    return bench


def test_every_access_is_done_and_answered_once(tmp_path):
    prove(bridge(), tmp_path, depth=3)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("with m.Elif(self.bready):", "with m.Else():", "b: valid stays"),
        ("with m.If(fetched):", "with m.If(fetched | reading):", "a read is answered once"),
        ("(~self.rvalid | self.rready)", "1", "its region|no answer of a read is lost"),
        (
            "write.eq(write_possible & ~(read_possible & wrote_last))",
            "write.eq(write_possible)",
            "a read waits",
        ),
        ("self.host_w_en.eq(write & whole & reaches)", "self.host_w_en.eq(write & whole)", "written once"),
        (
            "return full | valid, Mux(full, held, payload)",
            "return full | valid, payload",
            "as asked|where asked",
        ),
        ("aw_waits & w_waits &", "aw_waits &", "a write is one that was asked for"),
        ("Mux(none, OKAY, SLAVE_ERROR)", "OKAY", "its response"),
        ("self.host_locked & ~self._space.free(address)", "self.host_locked", "its response"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(bridge(mutant(AxiLiteBridge, place, planted)), tmp_path, depth=3)
