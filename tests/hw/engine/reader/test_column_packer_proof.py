# amaranth: UnusedElaboratable=no
"""Where the packer of a column writes, by induction: as many pieces as its bits fill, one after another, none
beyond the patch's words."""

from types import SimpleNamespace

import pytest
from amaranth import Mux, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.reader.column_packer import ColumnPacker
from dorefa.hw.lib.delay import delayed

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove

SMALL = EngineConfig(
    lanes=16,
    rows=1,
    quant=1,
    cols=2,
    fetch_bits=8,
    feature_depth=4,
    image_depth=2,
    patch_depth=3,
    column_reads="shared",
)
FETCH, COLUMN = 8, 1


def parts(of=ColumnPacker, config=SMALL):
    """Parts of any number of runs that fit into `words`, as the shared reader steps through them: every run
    from a step before the slice, or its first, to its last or one behind it, with gaps. A step that leaves
    bits behind a full piece has one behind it that may write them."""
    dut = of(config, COLUMN)
    seen, bench = inner(dut), Bench(dut=dut)
    m, step, past, subwords = bench.m, dut.step, bench.past, config.subwords
    first, last = dut.first, dut.last
    size = (config.patch_depth * config.lanes).bit_length() + 1
    words = bench.constant("words", 2)
    # Bits of the part before this step and before its run; the number that comes next, within a run; whether
    # the last run is behind us, whether bits are left that only another step writes.
    got, base, following = Signal(size), Signal(size), Signal(len(step.number) + 1)
    running, over, rest = Signal(), Signal(), Signal()
    run_ends, count = bench.free("run_ends", 1), Signal(size)
    begins, own = step.copies & ~running, step.columns[COLUMN]
    low, high = step.number << 3, (step.number << 3) + FETCH - 1
    from_, to = Mux(first > low, first, low), Mux(last < high, last, high)
    m.d.comb += count.eq(Mux(step.copies & own & (from_ <= to), to - from_ + 1, 0))
    behind, base_now = got + count, Mux(begins, got, base)
    fills = (behind >> 3 != got >> 3) & (count != 0)
    final = step.copies & own & step.last_run & (step.number == last >> 3)
    leaves = final & fills & (behind[:3] != 0)
    steps = step.copies | step.flush | step.clear
    rest_now = Mux(step.copies | step.flush, leaves, rest)
    m.d.sync += [
        got.eq(Mux(step.ends, 0, behind)),
        rest.eq(Mux(step.ends, 0, rest_now)),
        base.eq(base_now),
        over.eq(Mux(step.ends, 0, over | (step.copies & run_ends & step.last_run))),
    ]
    with m.If(step.copies):
        m.d.sync += [running.eq(~run_ends), following.eq(step.number + 1)]
    pieces = (behind + FETCH - 1) >> 3
    stable = (first == past(first)) & (last == past(last)) & (dut.clear_from == past(dut.clear_from))
    bench.assume(
        (first <= last) & (last - first + 1 <= config.patch_depth * config.lanes),
        bench.after_reset() | stable,
        (words != 0) & (words <= config.patch_depth),
        step.copies + step.flush + step.clear <= 1,
        ~step.ends | steps,
        # A run's steps.
        ~step.copies | ~over & (begins & (step.number <= first >> 3) | running & (step.number == following)),
        ~(step.copies & run_ends) | (step.number >= last >> 3),
        ~(steps & running) | (step.columns == past(step.columns)) & (step.last_run == past(step.last_run)),
        steps | (step.columns == past(step.columns)) & (step.last_run == past(step.last_run)),
        ~(steps & ((got != 0) | over)) | (step.columns == past(step.columns)),
        ~(step.copies & own) | (step.position == base_now[:3]),
        behind <= words * config.lanes,
        # Behind the last run; what is left is written before the part ends.
        ~(step.flush | step.clear) | over,
        ~step.ends | (step.flush | step.clear | (run_ends & step.last_run)) & ~rest_now,
        ~step.clear | ~rest & (dut.clear_from != 0) & (dut.clear_from == pieces[: len(dut.clear_from)]),
    )
    # Two cycles later the packer knows what it writes, and a cycle later it does.
    ended = Signal()
    m.d.sync += ended.eq(~step.ends & (ended | final))
    names = {"got": got, "behind": behind, "fills": fills, "final": final, "rest": rest, "ended": ended}
    names |= {name: step[name] for name in ("copies", "flush", "clear", "ends")}
    late = {name: delayed(m, _signal(m, value, name), 2, f"then_{name}") for name, value in names.items()}
    place, written = Signal(size), Signal()
    now, own_late = late["copies"] | late["flush"], delayed(m, _signal(m, own, "own"), 2, "then_own")
    clears = late["clear"] & own_late
    m.d.comb += written.eq(late["fills"] | late["final"] | (late["rest"] & now))
    m.d.sync += place.eq(Mux(late["ends"], 0, place + written))
    number = sum(Mux(dut.pieces[piece], piece, 0) for piece in range(subwords))
    before, writes, cleared = past(place), past(written), past(clears)
    bench.always("in the patch", (dut.pieces == 0) | (dut.word < words))
    bench.always(
        "piece by piece", ~writes | (dut.pieces == 1 << number) & (dut.word * subwords + number == before)
    )
    rest_of_word = ~((1 << dut.clear_from) - 1)[:subwords]
    bench.always("the word's other pieces are cleared", ~cleared | (dut.pieces == rest_of_word))
    bench.always("of the last word", ~cleared | (dut.word * subwords + dut.clear_from == before))
    bench.always("nothing else", writes | cleared | (dut.pieces == 0))
    full = (late["behind"] + FETCH - 1) >> 3
    bench.always("all of the part", ~late["ends"] | ~own_late | (place + written == full))
    bench.cover("a second word", writes & (dut.word == 1))
    bench.cover("what was left is flushed", late["rest"] & late["flush"])
    bench.cover("cleared", cleared)

    # For the induction.
    count_ = SimpleNamespace(**seen.inside["_count_pieces"])
    index = sum(Mux(count_.subword[piece], piece, 0) for piece in range(subwords))
    bench.lemma("one subword", (count_.subword & (count_.subword - 1)) == 0)
    bench.lemma("some subword", count_.subword != 0)
    bench.lemma("place", place == count_.word * subwords + index)
    bench.lemma("left", seen.rest == late["rest"])
    whole = Mux(late["ended"] & ~late["rest"], (late["got"] + FETCH - 1) >> 3, late["got"] >> 3)
    bench.lemma("places of bits", place == whole)
    covered = Mux(following << 3 > last + 1, last + 1, following << 3)
    bench.lemma("bits of a run", ~running | ~own | (got == base + Mux(covered > first, covered - first, 0)))
    bench.lemma("ended", ~ended | over | running)
    bench.lemma("left behind", ~rest | ended & (got[:3] != 0))
    bench.lemma("ended by the last run", ~(ended & running) | step.last_run)
    slice_ends = ended == (following > last >> 3)
    bench.lemma("ended behind the slice", ~(running & own & step.last_run) | slice_ends)
    bench.lemma("ended with bits", ~ended | (got != 0) & own)
    bench.lemma("over", ~over | ~running & (ended | ~own))
    return bench


def _signal(m, value, name):
    """A signal of what `value` is."""
    signal = Signal.like(value, name=f"now_{name}")
    m.d.comb += signal.eq(value)
    return signal


def test_parts(tmp_path):
    prove(parts(), tmp_path, depth=4)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("writes.eq(fills | final | writes_rest)", "writes.eq(fills | final)", "piece by piece"),
        ("[word.eq(0), subword.eq(1)]", "[subword.eq(1)]", "in the patch|piece by piece"),
        ("with m.If(final & beyond):", "with m.If(beyond):", "nothing else|all of the part|piece by piece"),
        (
            "fills.eq(copies & (beyond | (",
            "fills.eq(copies & ((",
            "nothing else|all of the part|piece by piece",
        ),
        ("Mux(clears, behind, ", "Mux(clears, ~behind, ", "the word's other pieces are cleared"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(parts(mutant(ColumnPacker, place, planted)), tmp_path, depth=4, within=10)
