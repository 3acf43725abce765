# amaranth: UnusedElaboratable=no
"""Where the window reader writes, by induction: piece after piece of a patch, none beyond its words, and only
into a slot that is free."""

from types import SimpleNamespace

import pytest
from amaranth import Mux, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.reader.feature_memory import FeatureMemory
from dorefa.hw.engine.reader.window_reader import WindowReader

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove
from ...stream_rules import sends_by_the_rules

# Two pieces a word, the second one narrower or not.
NARROW = EngineConfig(lanes=12, rows=1, quant=1, fetch_bits=8, feature_depth=4, image_depth=2, patch_depth=3)
EQUAL = NARROW.replace(lanes=16)


def patches(config, of=WindowReader):
    """Parts of any number of runs, that all of them together fit into `words`; sets end with any part. Slots
    are released when they are filled, at any time; a layer begins when none is."""
    dut = of(config)
    seen, bench = inner(dut), Bench(dut=dut)
    m, run, layer, past = bench.m, dut.runs.payload, dut.layer, bench.past
    at = SimpleNamespace(**seen.inside["_steps"])
    fetch, lanes, last_width = config.fetch_bits, config.lanes, (config.lanes - 1) % config.fetch_bits + 1
    size = (config.patch_depth * lanes).bit_length() + 1
    words, new_words = Signal(range(config.patch_depth + 1)), bench.free("new_words", 2)
    # Bits of the part that were copied, and of the run that were not.
    done, left = Signal(size), Signal(size)
    room, copied = Signal(range(fetch + 1)), Signal(size)
    filled, ended = Signal(range(config.patch_slots + 2)), Signal(range(config.patch_slots + 2))
    step, tail, run_bits = seen.step, seen.tail, layer.run_bits
    run_ends, part_ends = step & at.ends & at.goes_on, step & at.part_ends
    m.d.comb += [room.eq(fetch - seen.bit), copied.eq(Mux(step & ~tail, Mux(left < room, left, room), 0))]
    m.d.sync += [
        done.eq(Mux(part_ends, 0, done + copied)),
        left.eq(Mux(run_ends, run_bits, left - copied)),
        filled.eq(filled + dut.filled - dut.released),
        ended.eq(ended + (step & at.set_ends) - dut.released),
    ]
    with m.If(dut.start):
        m.d.sync += [done.eq(0), left.eq(run_bits), words.eq(new_words)]
    begins = dut.start | past(dut.start)
    sends_by_the_rules(bench, dut.runs)
    bench.assume(
        ~dut.start | (run_bits != 0) & (run_bits <= new_words * lanes) & (new_words <= config.patch_depth),
        dut.start | (run_bits == past(run_bits)),
        ~(begins | past(begins) | (words == 0)) | ~dut.runs.valid,
        ~dut.start | (ended == 0),
        ~dut.runs.valid | (done + left <= words * lanes),
        (~run.ends_set | run.ends_patch) & (~run.ends_patch | run.ends_part),
        ~dut.released | (filled != 0),
    )
    pieces, place = seen.piece, Signal(range(config.patch_depth * config.subwords + 1))
    m.d.sync += place.eq(Mux(part_ends | dut.start, 0, place + (pieces != 0)))
    number = sum(Mux(pieces[piece], piece, 0) for piece in range(config.subwords))
    written = pieces != 0
    bench.always("in the patch", ~written | (seen.to.word < words))
    bench.always("one piece", (pieces & (pieces - 1)) == 0)
    bench.always("piece by piece", ~written | (seen.to.word * config.subwords + number == place))
    bench.always("a part ends with a piece", ~part_ends | written)
    bench.always("all of the run", ~run_ends | tail | (left == copied))
    bench.always("into a free slot", ~step | (ended < config.patch_slots))
    bench.cover("a second word", written & (seen.to.word == 1) & part_ends)
    bench.cover("cleared pieces", written & tail)
    bench.cover("all slots", ended == config.patch_slots)

    # For the induction. Behind `start` a cycle passes until the first run is measured.
    known = ~past(dut.start) & (words != 0)
    beyond, full, subword = at.beyond, at.full, at.subword
    expected = (left + seen.bit).as_signed() - fetch - 1
    before = sum(Mux(subword[piece], piece * fetch, 0) for piece in range(config.subwords))
    narrow = Mux(subword[-1], fetch - last_width, 0)
    bench.lemma("no words", (words != 0) | ~dut.runs.valid & ~tail)
    bench.lemma("a layer", dut.start | (words == 0) | (run_bits != 0) & (run_bits <= words * lanes))
    bench.lemma("starting", at.starting == past(dut.start))
    bench.lemma("one subword", (words == 0) | ((subword & (subword - 1)) == 0) & (subword != 0))
    bench.lemma("beyond", ~known | tail | (beyond == expected))
    bench.lemma("some left", ~known | tail | (left != 0))
    same = dut.start | (left == run_bits)
    bench.lemma("started", known | (words == 0) | (done == 0) & (beyond == -1) & ~tail & same)
    bench.lemma("full", (words == 0) | (full == beyond[: len(seen.bit)].all()))
    bench.lemma("in the tail", ~tail | (beyond == -1) & (left == 0) & dut.runs.valid & run.ends_part)
    bench.lemma("clears in the tail", ~tail | at.clears)
    bench.lemma("tail's word", ~tail | (seen.to.word * lanes < done) & (done <= words * lanes))
    bench.lemma("done", (words == 0) | tail | (done == seen.to.word * lanes + before + seen.bit - narrow))
    bench.lemma("in the piece", (words == 0) | tail | (seen.bit >= narrow))
    bench.lemma(
        "place",
        (words == 0)
        | (
            place
            == seen.to.word * config.subwords + sum(Mux(subword[n], n, 0) for n in range(config.subwords))
        ),
    )
    # Sets that have ended and not left the stages between the steps and `filled`.
    stages = [seen.fills, *(bench.net(f"dut.fills_{stage}") for stage in range(1 + FeatureMemory.latency))]
    bench.lemma("occupied", ended == sum(at.occupied) + at.fills)
    bench.lemma("thermometer", (at.occupied & (at.occupied + 1)) == 0)
    bench.lemma("on the way", ended == filled + sum(stages))
    return bench


@pytest.mark.parametrize("config", [NARROW, EQUAL], ids=["narrow", "equal"])
def test_patches(config, tmp_path):
    prove(patches(config), tmp_path, depth=3)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("[to.word.eq(0), subword.eq(1)]", "[subword.eq(1)]", "in the patch|piece by piece"),
        ("to.word.eq(to.word + 1)", "to.word.eq(to.word + 2)", "in the patch|piece by piece"),
        ("count_slots(m, occupied, fills, self.released)", "pass", "into a free slot"),
        ("next_width = Mux(narrow, last_width, fetch)", "next_width = fetch", "all of the run|in the patch"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(patches(NARROW, mutant(WindowReader, place, planted)), tmp_path, depth=3, within=16)
