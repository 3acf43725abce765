# amaranth: UnusedElaboratable=no
"""The operand port, by induction: the rules of its stream; no beat of codes is lost, repeated, invented or
exchanged, because beats are taken only where there is room for their codes, and sums wait behind them."""

import pytest
from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer
from dorefa.hw.engine.training.operand_port import OperandPort
from dorefa.hw.engine.training.weight_quantizer import WeightQuantizer
from dorefa.hw.interface.registers import Mode
from dorefa.hw.lib.delay import delayed

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove
from ...queue_order import follow
from ...stream_rules import sends_by_the_rules, stream_rules

SMALL = EngineConfig(
    lanes=8, rows=1, quant=1, fetch_bits=8, acc_bits=24, port_bytes=4, results="wide", training=1
)
# As many beats as the queue has place for, in a shorter one.
DEPTH = 6


def quantizer(real, latency):
    """A quantizer of the ports of `real` whose codes come `latency` cycles behind their words, whatever they
    are; that it has these is what its own tests are about."""

    class Quantizer(wiring.Component):
        def __init__(self, *, lanes):
            unit = real(lanes=lanes)
            self._values = [name for name in ("scale", "largest") if hasattr(unit, name)]
            super().__init__(dict(unit.signature.members))

        def elaborate(self, platform):
            m = Module()
            mark = Signal.like(self.mark)
            m.d.comb += [mark.eq(self.mark), mark.valid.eq(self.mark.valid & ~self.measure)]
            later = delayed(m, mark, latency, "mark")
            m.d.comb += self.code_mark.eq(later)
            for code, word in zip(self.codes, self.words, strict=True):
                m.d.comb += code.eq(delayed(m, word[: len(code)], latency, "code"))
            return m

    Quantizer.latency = latency
    return Quantizer


LATENCIES = {"GradientQuantizer": 2, "WeightQuantizer": 3}
QUANTIZERS = {
    real.__name__: quantizer(real, LATENCIES[real.__name__]) for real in (GradientQuantizer, WeightQuantizer)
}
SETTLE = (3, 4)


def short(*planted):
    """The port with a shorter way through quantizers and queue, and the `planted` faults."""
    of = mutant(OperandPort, "_DEPTH = 32", f"_DEPTH = {DEPTH}", *planted)
    of.elaborate.__globals__.update(QUANTIZERS, settle_cycles=lambda config: SETTLE)
    return of


def packets(of):
    """Packets of any job, beat by beat whenever the port is ready; the next job when the last packet has
    settled. Sums come when no code is on its way, and keep the rules."""
    dut = of(SMALL)
    seen, bench = inner(dut), Bench(dut=dut)
    m, past, mode = bench.m, bench.past, dut.job.mode
    queue = seen.queue
    quantizes = (mode == Mode.QUANTIZE_GRADIENTS) | (mode == Mode.QUANTIZE_WEIGHTS)
    beat = dut.load | dut.wrong
    comes = beat & quantizes
    ends = beat & (dut.last | dut.wrong)
    # A packet is under way.
    open_ = Signal()
    m.d.sync += open_.eq(Mux(beat, ~ends, open_))
    # Beats of codes that came and have not left.
    owed, leaves = Signal(range(DEPTH + 1)), Signal()
    m.d.comb += leaves.eq(queue.r_rdy & dut.o.ready)
    m.d.sync += owed.eq(owed + comes - leaves)
    sends_by_the_rules(bench, dut.sums)
    job = Cat(dut.job.as_value(), dut.layers)
    bench.assume(
        mode <= max(Mode),
        ~beat | dut.ready,
        ~(dut.load & dut.wrong) & (~dut.last | dut.load),
        ~dut.wrong | open_ | dut.first,
        ~beat | (dut.first == ~open_),
        # What a packet finds stays until another one may come.
        ~(open_ | ~dut.settled) | (job == past(job)),
        ~(beat & ~open_) | dut.settled,
        ~dut.sums.valid | (owed == 0) & ~open_ & ~beat,
        # No pass runs while codes wait: what makes sums does not move.
        (owed == 0) | (dut.sums.payload.as_value() == past(dut.sums.payload)),
    )
    # Behind a reset whoever makes the sums drops them.
    stream_rules(bench, dut.o, drops=False)
    own, other = seen.own, seen.other
    bench.always("one at a time", ~(own.valid & other.valid))
    bench.always("every beat", queue.w_en == (own.valid | other.valid))
    bench.always("leaving", dut.leaving == (owed != 0))
    bench.always("no more than the queue holds", owed <= DEPTH)
    bench.always("sums pass", ~dut.sums.valid | dut.o.valid & (dut.sums.ready == dut.o.ready))
    bench.always("nothing else", ~dut.o.valid | queue.r_rdy | dut.sums.valid)
    for name in ("data", "keep", "last"):
        bench.always(f"{name} of sums", queue.r_rdy | (dut.o.payload[name] == dut.sums.payload[name]))
    follow(
        bench,
        queue,
        "dut.queue",
        enters=queue.w_en,
        entry=queue.w_data,
        leaves=leaves,
        offered=queue.r_data,
        name="codes",
    )
    bench.cover("as many as there is room for", owed == DEPTH)
    bench.cover("sums behind codes", dut.sums.valid & dut.o.ready & past(past(leaves)))
    modes = {"GradientQuantizer": Mode.QUANTIZE_GRADIENTS, "WeightQuantizer": Mode.QUANTIZE_WEIGHTS}
    ways = {name: delayed_all(m, comes & (mode == own), LATENCIES[name]) for name, own in modes.items()}
    for name, mark_ in zip(ways, (own, other), strict=True):
        bench.lemma(f"way through {name}", mark_.valid == ways[name][-1])
    on_way = sum(sum(stages) for stages in ways.values())
    bench.lemma("owed", owed == on_way + queue.level)
    bench.lemma("places", seen.places + owed == DEPTH)
    bench.lemma("left", seen.left == (seen.places != 0))
    # A packet of gradients goes on with the sums of its passes, unless it was dropped.
    dropped = delayed_all(m, dut.wrong, LATENCIES["GradientQuantizer"])[-1]
    last = Mux(own.valid, own.last & ((dut.layers == 0) | dropped), other.last)
    bench.always("packets end", ~queue.w_en | (seen.written.last == last))
    return bench


def delayed_all(m, value, cycles):
    """`value` as it was 1, 2, ... cycles ago."""
    stages = []
    for _ in range(cycles):
        later = Signal(name="way")
        m.d.sync += later.eq(stages[-1] if stages else value)
        stages.append(later)
    return stages


def test_no_codes_are_lost(tmp_path):
    prove(packets(short()), tmp_path, depth=5)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("left.eq(next_places != 0)", "left.eq(1)", "codes: only where there is room|no more than"),
        ("queue.r_en.eq(self.o.ready)", "queue.r_en.eq(1)", "o: |codes: "),
        ("with m.If(ends):", "with m.If(ends & of_weights):", "one at a time|packets end"),
        ("dropped.eq(self.wrong)", "dropped.eq(0)", "packets end"),
        ("self.leaving.eq(next_places != _DEPTH)", "self.leaving.eq(queue.r_rdy)", "leaving"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(packets(short((place, planted))), tmp_path, depth=5, within=10)
