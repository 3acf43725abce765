# amaranth: UnusedElaboratable=no
"""The steps of the shared reader, by induction: all of every run, in order, then what has to be written or
cleared behind a part, and only into a slot that is free."""

import pytest
from amaranth import Mux, Signal

from dorefa.hw.engine.reader.column_packer import ColumnPacker
from dorefa.hw.engine.reader.shared_reader import _MASK, SharedReader

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove
from ...stream_rules import sends_by_the_rules
from .test_column_packer_proof import SMALL


def runs(of=SharedReader, config=SMALL):
    """Runs of any steps; parts, patches and sets end with any of them. Slots are released when they are
    filled, at any time; a layer begins when none is."""
    dut = of(config)
    seen, bench = inner(dut), Bench(dut=dut)
    m, run, layer, past, slots = bench.m, dut.runs.payload, dut.layer, bench.past, config.patch_slots
    step, ready = seen.step, dut.runs.valid & dut.runs.ready
    steps = step.copies | step.flush | step.clear
    # Within a run: the number that comes next; whether all was copied, what was left was written.
    running, following = Signal(), Signal(len(step.number) + 1)
    copied, flushed, cleared = Signal(), Signal(), Signal()
    position, sets = Signal(len(step.position)), Signal(range(slots + 1))
    filled, ended = Signal(range(slots + 2)), Signal(range(slots + 2))
    all_of_it = copied | (step.copies & (step.number == run.last_step))
    written, empty = flushed | step.flush, cleared | step.clear
    part_ends = ready & run.ends_part
    set_ends = part_ends & run.ends_set
    first = sets != slots
    m.d.sync += [
        running.eq(~ready & (running | step.copies)),
        copied.eq(~ready & all_of_it),
        flushed.eq(~ready & written),
        cleared.eq(~ready & empty),
        filled.eq(filled + dut.filled - dut.released),
        ended.eq(ended + set_ends - dut.released),
        sets.eq(sets + (set_ends & first)),
    ]
    with m.If(step.copies):
        m.d.sync += following.eq(step.number + 1)
    with m.If(ready):
        m.d.sync += position.eq(Mux(run.ends_part, 0, position + layer.run_bits))
    with m.If(dut.start):
        m.d.sync += [signal.eq(0) for signal in (running, copied, flushed, cleared, position, sets)]
    begun = Signal()
    m.d.sync += begun.eq(begun | dut.start)
    sends_by_the_rules(bench, dut.runs)
    bench.assume(
        run.first_step <= run.last_step,
        (~run.ends_set | run.ends_patch) & (~run.ends_patch | run.ends_part),
        dut.start | (layer.as_value() == past(layer)),
        ~dut.runs.valid | begun & ~dut.start,
        ~dut.start | (ended == 0),
        ~dut.released | (filled != 0),
    )
    number = Mux(running, following, run.first_step)
    bench.always("one step at a time", step.copies + step.flush + step.clear <= 1)
    bench.always("of a run", ~steps | dut.runs.valid)
    bench.always("in order", ~step.copies | ~copied & (step.number == number))
    bench.always("all of it", ~ready | all_of_it)
    bench.always("where it begins", ~step.copies | (step.position == position))
    bench.always("whose it is", ~steps | (step.columns == run.columns) & (step.last_run == run.ends_part))
    bench.always("written behind a part", ~step.flush | copied & run.ends_part & run.flush & ~flushed)
    bench.always("nothing is left", ~part_ends | ~run.flush | written)
    needs = first & layer.clear_from.any()
    bench.always("cleared behind it", ~step.clear | copied & run.ends_part & needs & (flushed | ~run.flush))
    bench.always("nothing else is cleared", ~step.clear | ~cleared)
    bench.always("empty behind it", ~part_ends | ~needs | empty)
    bench.always("a part ends with its last step", step.ends == part_ends)
    bench.always("into a free slot", ~steps | (ended < slots))
    bench.cover("a step to write and one to clear", part_ends & flushed & step.clear)
    bench.cover("all slots", ended == slots)

    # For the induction.
    at = seen.inside["_steps"]
    bench.lemma("begins", ~begun | (at["begins"] == ~running))
    bench.lemma("count", ~running | copied | (at["count"] == following[: len(at["count"])]))
    bench.lemma("within the run", ~running | copied | (following <= run.last_step))
    bench.lemma("runs until it is taken", ~running | dut.runs.valid)
    bench.lemma("copied", ~(copied | flushed | cleared) | running)
    bench.lemma("flushes", ~begun | (at["flushes"] == (copied & run.ends_part & run.flush & ~flushed)))
    bench.lemma("clears", ~begun | (at["clears"] == (copied & ~at["flushes"])))
    bench.lemma("waits for more", ~copied | at["flushes"] | needs & run.ends_part & ~cleared)
    bench.lemma("flushed", ~flushed | copied & run.flush & run.ends_part)
    bench.lemma("not cleared", ~cleared)
    bench.lemma("position", ~begun | (at["position"] == position))
    bench.lemma("first patch", ~begun | (at["first_patch"] == first))
    bench.lemma("sets", sets <= slots)
    bench.lemma("slot", ~begun | ~first | (at["slot"] == sets[: len(at["slot"])]))
    stages = [seen.fills]
    stages += [bench.net(f"dut.fills_{stage}") for stage in range(_MASK + ColumnPacker.latency)]
    bench.lemma("occupied", ended == sum(at["occupied"]) + seen.fills)
    bench.lemma("thermometer", (at["occupied"] & (at["occupied"] + 1)) == 0)
    bench.lemma("on the way", ended == filled + sum(stages))
    return bench


def test_steps(tmp_path):
    prove(runs(), tmp_path, depth=3)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("count.eq(number + 1)", "count.eq(number + 2)", "in order|all of it"),
        ("count_slots(m, occupied, fills, self.released)", "pass", "into a free slot"),
        ("position.eq(position + layer.run_bits)", "position.eq(position)", "where it begins"),
        ("to_flush.eq(last_copied & run.ends_part & run.flush)", "to_flush.eq(0)", "nothing is left"),
        ("first_patch & (slot !=", "first_patch & ~(slot !=", "empty behind it|cleared behind it"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(runs(mutant(SharedReader, place, planted)), tmp_path, depth=3, within=14)
