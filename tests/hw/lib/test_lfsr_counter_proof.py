# amaranth: UnusedElaboratable=no
"""Loop counters, by induction: whatever number of rounds the code says, the last one is that one."""

import pytest
from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.hw.lib.lfsr_counter import loop, loop_code, loop_feed

from ...mutants import mutant
from ...proofs import Bench, Refuted, inner, prove


class Loop(wiring.Component):
    """A loop counter that can return to a round."""

    def __init__(self, bits, loop=loop):
        self._loop = loop
        ports = dict.fromkeys(["restart", "goes_on", "keep", "back"], In(1))
        super().__init__({"rounds": In(bits + 1), **ports, "last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        last, _ = self._loop(m, self.rounds, self.restart, self.goes_on, (self.keep, self.back))
        m.d.comb += self.last.eq(last)
        return m


def states(bits):
    """The counter in the rounds of a loop, from the first one on."""
    count, result = [0] * bits, []
    for _ in range((1 << bits) - 1):
        result.append(sum(bit << place for place, bit in enumerate(count)))
        count = [loop_feed(count, bits) & 1, *count[:-1]]
    return result


def rounds(bits, loop=loop):
    """Loops of any number of rounds, each until its last round at least, with returns to a round that was
    kept in the same loop."""
    dut = Loop(bits, loop)
    seen, bench, most = inner(dut, loop), Bench(dut=dut), (1 << bits) - 1
    m, count, state = bench.m, bench.constant("rounds", bits), Array(states(bits))
    code = Array(Const(loop_code(max(1, number), bits), bits + 1) for number in range(most + 1))
    # From 1 on; 0 before the first loop. `kept`: the round that `back` returns to, 0 for none.
    number, kept, following = Signal(bits), Signal(bits), Signal(bits)
    m.d.comb += following.eq(Mux(dut.restart, 1, number + dut.goes_on))
    m.d.sync += number.eq(Mux(dut.back, kept, following))
    with m.If(dut.keep):
        m.d.sync += kept.eq(following)
    bench.assume(
        (count != 0) & (dut.rounds == code[count]),
        # Behind the last round a loop begins again; nothing comes before the first one.
        ~dut.goes_on | dut.restart | ((number != 0) & (number != count)),
        ~dut.keep | (following != 0),
        ~dut.back | (kept != 0),
    )
    bench.always("ends in the last round", (number == 0) | (dut.last == (number == count)))
    bench.cover("a long loop", dut.last & (number == min(most, 15)))
    bench.cover("back", dut.last & bench.past(dut.back) & (count > 1))
    bench.lemma("round", number <= count)
    bench.lemma("kept round", kept <= count)
    bench.lemma("state", (number == 0) | (seen.count == state[number - 1]))
    bench.lemma("kept", (kept == 0) | (seen.kept == Cat(state[kept - 1], kept == count)))
    return bench


@pytest.mark.parametrize("bits", [2, 3, 4, *(pytest.param(bits, marks=pytest.mark.slow) for bits in (6, 7))])
def test_every_loop_ends_in_its_last_round(bits, tmp_path):
    prove(rounds(bits), tmp_path)


@pytest.mark.parametrize(
    "place, planted",
    [
        ("count == before_last)", "count == Cat(before_last[:-1], 0))"),
        ("Cat(Const(0, len(count)), one)", "Cat(Const(0, len(count)), 0)"),
        ("kept.eq(following)", "kept.eq(Cat(count, last))"),
        ("loop_feed(count, len(count)), count", "~loop_feed(count, len(count)), count"),
    ],
)
def test_planted_faults_are_found(place, planted, tmp_path):
    with pytest.raises(Refuted, match="ends in the last round"):
        prove(rounds(3, mutant(loop, place, planted)), tmp_path)
