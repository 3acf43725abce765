# amaranth: UnusedElaboratable=no
"""The plane packer, by induction: a map is written word by word, each once, none beyond the map, rows as far
apart as they are told, and every code is where it belongs, bit by bit."""

from types import SimpleNamespace

import pytest
from amaranth import Array, Cat, Mux, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.plane_packer import PlanePacker, image_waits

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove

# The narrowest words; up to three codes a cycle need four lanes, whose ends fall anywhere in a word.
SMALL = EngineConfig(
    lanes=8, rows=3, quant=3, fetch_bits=8, a_bits=2, out_bits=1, feature_depth=8, image_depth=2
)
ONE = SMALL.replace(rows=1, quant=1, port_bytes=1)
# A beat of an image fills a word.
WORD = SMALL.replace(port_bytes=8)
# Planes in groups: the next word comes later, or has to wait.
GROUPS = SMALL.replace(a_bits=3, plane_groups=3, port_bytes=2, feature_depth=12)
WAITS = GROUPS.replace(port_bytes=4)
# Rows of a map with others between them.
ROWS = SMALL.replace(row_steps=1)
FETCH = 8


def maps(config, of=PlanePacker):
    """Maps of any number of codes at any address where they fit, images at 0; codes whenever they come, the
    next map at any time. One code, whichever, is followed."""
    dut = of(config)
    seen, bench = inner(dut), Bench(dut=dut)
    m, depth, past = bench.m, config.feature_depth, bench.past
    size = (depth * FETCH).bit_length()
    # The map: codes and address; those that came in, reached the lanes, and had a cycle there before; words
    # that were written; whether the last codes came in, reached the lanes, had a cycle there.
    image, runs, codes, address = Signal(), Signal(), Signal(size), Signal.like(dut.address)
    groups, take = config.plane_groups, seen.take
    entered, came, before, written = (Signal(size, name=name) for name in ("entered", "came", "before", "w"))
    closed, ends, ended = Signal(init=1), Signal(init=1), Signal(init=1)
    enters, comes = Signal(range(9)), Signal(range(9))
    new_codes, new_address = bench.free("new_codes", size), Mux(dut.image, 0, dut.address)
    own, byte = dut.valid & ~image, dut.image_valid & dut.ready & image
    m.d.comb += [
        enters.eq(Mux(own, dut.count, Mux(byte, dut.image_count, 0))),
        comes.eq(Mux(seen.offered[0], seen.count, 0)),
    ]
    last = Mux(image, dut.image_last, dut.last)
    m.d.sync += [
        entered.eq(entered + enters),
        came.eq(came + comes),
        before.eq(came),
        written.eq(written + take),
        closed.eq(closed | ((own | byte) & last)),
        ends.eq(ends | seen.last),
        ended.eq(ends),
    ]
    with m.If(dut.done):
        m.d.sync += runs.eq(0)
    with m.If(dut.start):
        m.d.sync += [codes.eq(new_codes), address.eq(new_address), image.eq(dut.image), runs.eq(1)]
        m.d.sync += [count.eq(0) for count in (entered, came, before, written, closed, ends, ended)]
    words, takes = (codes + FETCH - 1) >> 3, runs & ~closed
    whole = entered + enters == codes
    new_words = (new_codes + FETCH - 1) >> 3
    bench.assume(
        (new_codes != 0) & (new_address + new_words * Mux(dut.image, groups, 1) <= depth),
        ~(runs & image) | (dut.image_bytes == codes),
        ~dut.valid | takes & ~image & (dut.count != 0) & (dut.count <= config.total_quant),
        ~dut.valid | (dut.last == whole),
        ~dut.image_valid | takes & image & (dut.image_count <= config.port_bytes),
        ~dut.image_valid | ~dut.image_last | whole,
        entered + enters <= codes,
    )
    at = (address + written)[: len(dut.w_address)]
    if config.row_steps:
        place = _rows(bench, dut, seen, take & ~image)
        at = Mux(image, at, place)
    # A word leaves at once, or a cycle later and then its other groups.
    turns, numbers = [take], [written]
    if groups > 1:
        turns, numbers = [Signal(name=f"turn_{group}") for group in range(groups)], [written - 1] * groups
        m.d.sync += Cat(turns).eq(Cat(take, (turn & image for turn in turns)))
        with m.If(dut.start):
            m.d.sync += Cat(turns).eq(0)
    bench.always("one by one", (sum(turns) <= 1) & (dut.w_en == Cat(turns).any()))
    for group, (turn, number) in enumerate(zip(turns, numbers, strict=True)):
        bench.always(f"in the map {group}", ~turn | (runs & (number < words)))
        told = address + number + group * words
        if config.row_steps:
            told = Mux(image, told, place)
        bench.always(f"word by word {group}", ~turn | (dut.w_address == told))
    bench.always("all of it", ~dut.done | (written + (take if groups == 1 else 0) == words))
    bench.always("all groups of it", ~dut.done | ~Cat(turns[:-1]).any() | ~image)
    if groups == 1:
        done = past(past(seen.last & ~dut.start) & ~dut.start)
        bench.always("done two cycles behind the last codes", dut.done == done)
    bench.cover("a word and a part", dut.done & (codes == FETCH + 1))
    bench.cover("a whole word of an image", dut.done & (codes == FETCH) & image)

    # A code from where it comes in to its bit of each plane.
    chosen, follows, bits = bench.constant("chosen", size), Signal(), Signal(config.a_bits)
    stored, planes = config.stored_bits, config.a_bits
    bytes_ = Array(dut.image_codes.word_select(number, planes) for number in range(config.port_bytes))
    layer = Array(dut.codes.word_select(number, stored) for number in range(config.total_quant))
    is_next = (entered <= chosen) & (chosen < entered + enters)
    with m.If(is_next):
        code = (chosen - entered)[:3]
        m.d.sync += [follows.eq(1), bits.eq(Mux(image, bytes_[code], layer[code]))]
    with m.If(dut.start):
        m.d.sync += follows.eq(0)

    def same(found):
        return Mux(image, found == bits, found[:stored] == bits[:stored])

    place = chosen[:3]
    found = Cat(
        word.word_select(plane, FETCH).bit_select(place, 1)
        for word in seen.words
        for plane in range(config.fetch_planes)
    )
    leaves = take & follows & (chosen >> 3 == written)
    bench.always("every bit", ~leaves | same(found[:planes]))
    bench.cover("the last code's bits", leaves & (chosen == codes - 1))

    # For the induction.
    lanes, places = len(seen.places), len(seen.places[0])
    pending = Mux(seen.kept_taken[0], seen.kept_count, 0)
    shown = Cat(seen.kept_taken[number] == (pending > number) for number in range(config.port_bytes))
    flushed = Signal(init=1)
    m.d.sync += flushed.eq(~dut.start & (flushed | seen.flush))
    bench.lemma("on the way", (entered == came + pending) & (entered <= codes))
    bench.lemma("shown", shown.all() & (pending <= config.port_bytes))
    bench.lemma("last on the way", closed == (ends | seen.kept_last))
    bench.lemma("layers have no bytes", image | ((pending == 0) & ~seen.kept_last))
    bench.lemma("no run", runs | (ends & ended & ~seen.ending & (pending == 0)))
    bench.lemma("closed", (~closed | (entered == codes)) & (~ends | (came == codes)))
    bench.lemma("closed once", ~(ends & seen.kept_last))
    bench.lemma("ends", (seen.ending == (ends & ~ended)) & (~ended | ends))
    bench.lemma("flushed", (seen.flushing == (ended & ~flushed)) & (~flushed | ended))
    bench.lemma("ended", ~ended | (before == codes))
    bench.lemma("some codes", ~runs | (codes != 0))
    bench.lemma("fits", ~runs | (address + words * Mux(image, groups, 1) <= depth))
    bench.lemma("an image's address", ~image | (address == 0))
    bench.lemma("before", before <= came)
    bench.lemma("written", ~runs | (written == Mux(flushed, words, before >> 3)))
    bench.lemma("filled", ~runs | (seen.filled == ((came >> 3) != (before >> 3))))
    bench.lemma("first", ~runs | (seen.first == came[: len(seen.first)]))
    bench.lemma("begun", ~runs | past(dut.start) | (seen.begun == (before[:3] != 0)))
    bench.lemma("an image", seen.image == image)
    lane_bits, place_bits = (lanes - 1).bit_length(), (places - 1).bit_length()
    for lane, own_places in enumerate(seen.places):
        taken = (came + lanes - 1 - lane) >> lane_bits
        bench.lemma(f"place {lane}", ~runs | (own_places == 1 << taken[:place_bits]))
    held = [
        [bench.net(f"dut.code_{number}_{lane}", planes) for lane in range(lanes)] for number in range(places)
    ]
    if lanes != FETCH:
        recent = chosen >= before
        copies = [bench.net(f"dut.copy_{lane}", planes) for lane in range(lanes)]
        held[0] = [Mux(recent, new, copy) for new, copy in zip(held[0], copies, strict=True)]
    else:
        bench.lemma("which word", ~runs | flushed | (seen.odd == written[0]))
    kept = Array(code for codes_ in held for code in codes_)[chosen[: lane_bits + place_bits]]
    here = runs & ~flushed & follows & (chosen < came) & (chosen >> 3 >= written)
    bench.lemma("kept", ~here | same(Cat(kept)))
    waiting = seen.inside["_offered"]["kept"]
    waits = Array(waiting.word_select(number, planes) for number in range(config.port_bytes))
    bench.lemma("waits", ~(runs & follows & (chosen >= came)) | (waits[(chosen - came)[:3]] == bits))
    bench.lemma("followed", ~runs | (follows == (chosen < entered)))
    if groups == 1:
        bench.lemma("runs", runs == ~flushed)
        bench.lemma("address", ~runs | (dut.w_address == at))
    else:
        _groups(bench, dut, seen, config, turns, image, runs, flushed, written, came, codes, at)
    return bench


def _rows(bench, dut, seen, written):
    """The address of the next word of a layer's map, whose words are `written`: its rows counted upwards."""
    m, size = bench.m, len(dut.row_words)
    words, step, place, address = (Signal(size, name=name) for name in ("words", "step", "place", "next"))
    further = Mux(place == words, step, 0)
    with m.If(written):
        m.d.sync += [place.eq(Mux(place == words, 0, place + 1)), address.eq(address + 1 + further)]
    with m.If(dut.start):
        m.d.sync += [words.eq(dut.row_words), step.eq(dut.row_step), place.eq(0), address.eq(dut.address)]
    bench.assume(dut.start | ((dut.row_words == words) & (dut.row_step == step)))
    bench.lemma("rows", seen.image | (place <= words) & (bench.net("dut.left", size) == words - place))
    bench.cover("a row further on", written & (step == 2) & (words == 0) & (address == dut.address + 3))
    return address


def _groups(bench, dut, seen, config, turns, image, runs, flushed, written, came, codes, at):
    """What is written of a word's groups, in their `turns`, is what was collected; for the induction, how far
    the next word is."""
    past, groups, port = bench.past, config.plane_groups, config.port_bytes
    kept = [seen.words[0], *(bench.net(f"dut.kept_{group}", FETCH) for group in range(1, groups))]
    for group, (turn, word) in enumerate(zip(turns, seen.words, strict=True)):
        for cycle in range(group + 1):
            word = past(word)
            if cycle < group:
                bench.lemma(f"kept {group} {cycle}", ~(turns[cycle] & image) | (kept[group] == word))
        bench.always(f"as collected {group}", ~turn | (dut.w_data == word))
    others = Cat(turns[:-1]).any() & image
    inside = SimpleNamespace(**seen.inside["_write_groups"])
    bench.lemma("no turn", runs | ~Cat(turns).any())
    bench.lemma("runs", runs == (~flushed | dut.done | seen.finishing))
    bench.lemma("finishing", seen.finishing == (flushed & others))
    bench.lemma("done", ~dut.done | flushed & ~others)
    bench.lemma("idle", seen.idle == ~others)
    bench.lemma("rests", seen.rests == ~(Cat(turns[:-1]) & image.replicate(groups - 1)))
    bench.lemma("layers", image | ~Cat(turns[1:]).any())
    started = past(dut.start)
    bench.lemma("begins", started | (inside.begins == turns[0]))
    bench.lemma("returns", started | (inside.returns == turns[-1]))
    bench.lemma("address", ~runs | Cat(turns).any() | (dut.w_address == at))
    bench.lemma("first word", ~(Cat(turns[1:]).any()) | (inside.first == written - 1))
    bench.lemma("to others", ~others | (inside.whole == codes >> 3) & (inside.carry == codes[:3].any()))
    to_next = turns[-1] | (turns[0] & ~image)
    bench.lemma("to the next", ~to_next | (inside.whole == 0) & inside.carry)
    shown = [Mux(turn, kept_, 0) for turn, kept_ in zip(turns, kept, strict=True)]
    for number, (turn, own) in enumerate(zip(turns[1:], shown[1:], strict=True), 1):
        bench.lemma(f"turn {number}", ~Cat(turns).any() | (inside.turns[number] == own) | ~turn)
        bench.lemma(f"no turn {number}", turn | ~Cat(turns).any() | (inside.turns[number] == 0))
    bench.lemma("no first turn", turns[0] | ~Cat(turns).any() | (inside.turns[0] == 0))
    for cycle, turn in enumerate(turns[:-1]):
        farthest = FETCH - 1 if image_waits(config) else port - 1 + port * (cycle + 1)
        bench.lemma(f"far {cycle}", ~(turn & image) | (came <= (written << 3) + farthest))
        bench.lemma(f"not filled {cycle}", ~(turn & image) | ~seen.filled)


@pytest.mark.parametrize(
    "config",
    [SMALL, ONE, WORD, GROUPS, WAITS, ROWS],
    ids=["three", "one", "word", "groups", "waits", "rows"],
)
def test_maps(config, tmp_path):
    prove(maps(config), tmp_path, depth=3)


@pytest.mark.parametrize(
    "config, place, planted, found",
    [
        (
            SMALL,
            "self.w_address + (1 + skipped)",
            "self.w_address + (2 + skipped)",
            "word by word",
        ),
        (SMALL, "take.eq(filled | (flush & begun))", "take.eq(filled | flush)", "in the map"),
        (SMALL, "fills &= places[-1][-1]", "fills &= places[-1][0]", "in the map|all of it|every bit"),
        (SMALL, "                filled.eq(0),\n", "", "in the map|word by word"),
        (SMALL, "with m.If(place[1]):", "with m.If(place[0]):", "every bit"),
        (SMALL, "turned(lanes, first) for", "turned(lanes, first + 1) for", "every bit"),
        (GROUPS, "carry.eq(~more | self.image_bytes[:shift].any())", "carry.eq(~more)", "word by word"),
        (GROUPS, "m.d.sync += kept.eq(word)", "m.d.sync += kept.eq(~word)", "as collected"),
        (ROWS, "Mux(ends, self.row_words, left - 1)", "Mux(ends, self.row_words, left)", "word by word"),
        (ROWS, "Mux(ends & ~image, self.row_step, 0)", "Mux(ends, self.row_step, 0)", "word by word"),
        (WAITS, "blocked = image & (filled | ~rests[:-1].all())", "blocked = Const(0)", "one by one"),
    ],
)
def test_planted_faults_are_found(config, place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(maps(config, mutant(PlanePacker, place, planted)), tmp_path, depth=3)
