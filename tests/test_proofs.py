# amaranth: UnusedElaboratable=no
"""The proofs' own tests: right and wrong statements about small components."""

import pytest
from amaranth import Signal

from .mutants import mutant
from .proofs import Bench, Refuted, Undecided, Unreached, inner, prove, prove_equal
from .proved_units import Counter, Store


def counting(dut=None, *, limit=5, of="o", **covers):
    """The counter is never above `limit`; covers are values that it comes to."""
    bench = Bench(dut=dut or Counter())
    bench.always(f"at most {limit}", getattr(bench.dut, of) <= limit)
    for name, value in covers.items():
        bench.cover(name, bench.dut.o == value)
    return bench


def test_what_holds_is_proved_and_covers_have_their_length(tmp_path):
    """A cycle of reset, those in which it counts, and the one that shows it."""
    assert prove(counting(one=1, five=5), tmp_path) == {"one": 3, "five": 7}


def test_a_counterexample_has_its_names_and_cycle(tmp_path):
    bench = counting(Counter(6))
    bench.always("a number", bench.dut.o <= 7)
    bench.always("less than six", bench.dut.o < 6)
    with pytest.raises(Refuted, match="^at most 5, less than six: cycle 8; "):
        prove(bench, tmp_path)
    assert (tmp_path / "search.vcd").exists()


def test_a_window_of_the_induction_does_not_begin_with_a_reset(tmp_path):
    """Two cycles behind a reset the counter has not come that far."""
    with pytest.raises(Refuted, match="at most 2: cycle 5"):
        prove(counting(limit=2), tmp_path, depth=3)


def resetting(condition):
    """The counter is 0 behind 3 only where it was reset in between."""
    bench = Bench(dut=Counter())
    o, was = bench.dut.o, Signal(3, reset_less=True)
    bench.m.d.sync += was.eq(o)
    bench.always("goes on", ~(was == 3) | (o != 0) | condition(bench))
    bench.cover("a reset behind three", bench.after_reset() & (was == 3))
    return bench


def test_a_reset_may_come_at_any_time(tmp_path):
    # The first cycle's registers may hold three.
    assert prove(resetting(lambda bench: bench.after_reset()), tmp_path) == {"a reset behind three": 2}
    with pytest.raises(Refuted, match="goes on: cycle 2"):
        prove(resetting(lambda bench: 0), tmp_path)


def test_past_is_zero_behind_a_reset(tmp_path):
    bench = Bench(dut=Counter())
    bench.always("past", (bench.past(bench.dut.en) == 0) | ~bench.after_reset())
    bench.always("counts", (bench.dut.o != 3) | (bench.past(bench.dut.o) == 2) | ~bench.past(bench.dut.en))
    assert prove(bench, tmp_path, depth=2) == {}


@pytest.mark.parametrize("limit, cycle", [(5, 2), (7, None)])
def test_registers_without_a_reset_begin_with_anything(limit, cycle, tmp_path):
    bench = counting(limit=limit, of="late")
    if cycle is None:
        prove(bench, tmp_path)
    else:
        with pytest.raises(Refuted, match=f"cycle {cycle}"):
            prove(bench, tmp_path)


def test_memories_begin_with_anything(tmp_path):
    bench = Bench(dut=Store())
    bench.always("zero", bench.dut.o == 0)
    bench.assume(~bench.dut.w_en)
    with pytest.raises(Refuted, match="zero"):
        prove(bench, tmp_path)


def storing(dut=None):
    """What is written to word 1, always the same, is there: a statement about what no port shows."""
    bench = Bench(dut=dut or Store())
    dut, stored, written = bench.dut, Signal(), bench.constant("written", 2)
    with bench.m.If(dut.w_en & dut.address):
        bench.m.d.sync += stored.eq(1)
    bench.assume((dut.w_data == written) | ~dut.w_en | ~dut.address)
    bench.always("the word", ~stored | (bench.net("dut.words[1]", 2) == written))
    bench.cover("two", stored & (written == 2))
    return bench


def test_a_word_of_a_memory_is_seen(tmp_path):
    assert prove(storing(), tmp_path) == {"two": 3}
    with pytest.raises(Refuted, match="the word: cycle 3"):
        prove(storing(mutant(Store, "write.addr.eq(self.address)", "write.addr.eq(0)")()), tmp_path)


def test_a_variable_of_a_component_is_seen(tmp_path):
    dut = Counter()
    seen = inner(dut)
    bench = counting(dut)
    bench.always("wraps", seen.wraps == (dut.o == 5))
    bench.cover("wraps", seen.wraps)
    assert prove(bench, tmp_path) == {"wraps": 7}


def test_a_mutant_has_one_place_planted(tmp_path):
    with pytest.raises(Refuted, match="at most 5: cycle 8"):
        prove(counting(mutant(Counter, "self.o == self._most", "self.o == 6")()), tmp_path)
    with pytest.raises(AssertionError, match="has 'self.o' 6 times; accepted: once"):
        mutant(Counter, "self.o", "self.late")


def test_what_is_no_induction_is_said(tmp_path):
    """That the counter is not above five, an induction over one cycle cannot know."""
    bench = Bench(dut=Counter())
    bench.always("not seven", bench.dut.o != 7)
    with pytest.raises(Undecided, match="not seven: no induction over 1 cycles, no counterexample of 9"):
        prove(bench, tmp_path, within=9)


@pytest.mark.parametrize("cycles", [4, 5])
def test_in_so_many_cycles(cycles, tmp_path):
    bench = counting(limit=2)
    if cycles == 4:
        assert prove(bench, tmp_path, cycles=cycles) == {}
    else:
        with pytest.raises(Refuted, match="at most 2: cycle 5"):
            prove(bench, tmp_path, cycles=cycles)


def test_a_contradiction_reaches_nothing(tmp_path):
    bench = counting(five=5)
    bench.assume(bench.dut.en, ~bench.dut.en)
    with pytest.raises(Unreached, match="five: no run of 20 cycles"):
        prove(bench, tmp_path)


def test_what_a_bench_drives_is_not_free(tmp_path):
    bench = Bench(dut=Counter(), driven=["dut.en"])
    bench.m.d.comb += bench.dut.en.eq(bench.dut.o < 2)
    bench.always("at most two", bench.dut.o <= 2)
    assert prove(bench, tmp_path) == {}


def side(folder, name, value):
    """Commands that leave a module with this value."""
    text = f"module {name}(input clk, input [3:0] a, output [3:0] o); {value} endmodule\n"
    (folder / f"{name}.v").write_text(text)
    return [f"read_verilog {name}.v", f"hierarchy -top {name}", "proc"]


REGISTER = "reg [3:0] q; always @(posedge clk) q <= {}; assign o = q;"


@pytest.mark.parametrize(
    "first, second, settles, equal",
    [
        ("assign o = a + a;", "assign o = a << 1;", None, True),
        ("assign o = a + a;", "assign o = a;", None, False),
        (REGISTER.format("a + 1"), REGISTER.format("a - 15"), 3, True),
        (REGISTER.format("a + 1"), REGISTER.format("a"), 3, False),
    ],
)
def test_equal_designs(first, second, settles, equal, tmp_path):
    sides = side(tmp_path, "left", first), side(tmp_path, "right", second)
    if equal:
        prove_equal(tmp_path, *sides, settles=settles)
    else:
        with pytest.raises(Refuted, match="the designs differ"):
            prove_equal(tmp_path, *sides, settles=settles)
