"""Copies bit runs that several columns share into their patches: every bit is fetched once."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...config.engine import EngineConfig
from ...lib.delay import delayed
from ...lib.thermometer import reached
from .column_packer import ColumnPacker, packer_layout
from .feature_memory import FeatureMemory
from .ports import count_slots, first_of_layer, may_step, reader_ports

# Cycles from a step's address to the mask of its bits.
_MASK = 4


class SharedReader(wiring.Component):
    """One step per cycle fetches `fetch_bits` bits of a run; a :class:`ColumnPacker` of every column takes
    its slice (:mod:`dorefa.hw.compiler.column_slices`), which may end one piece and begin the next. Bits in
    the padding are zero. All planes of a group are copied together.

    Steps follow one another without a gap, but behind a part of a patch there may be one that writes what
    its last step left, and in a slot's first patch one that clears the pieces behind the part.

    Ports: :func:`.ports.reader_ports`, `bits` from the memory as they lie in its words.

    Latency: seven cycles from a step to its write, and one more to `filled` where it ends a set.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(reader_ports(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layer, run = self._config, self.layer, self.runs.payload
        fetch, shift = config.fetch_bits, config.fetch_bits.bit_length() - 1
        step, number, place, fills = self._steps(m)
        # One cycle behind the step: the address of its first bit, and that bit's place in the map's row.
        address, into = Signal.like(self.r_address), Signal(signed(len(run.x) + 1))
        m.d.sync += [address.eq(run.address + (number << shift)), into.eq(run.x + (number << shift))]
        row_ok = delayed(m, run.row_ok, 1, "row_ok")
        mask = self._mask(m, into, row_ok, address[:shift])
        # The memory is asked so late that its answer comes with the mask.
        m.d.comb += self.r_address.eq(delayed(m, address, _MASK - FeatureMemory.unturned_latency, "asked"))
        early = delayed(m, step, _MASK, "step")
        bits = self.bits & mask.replicate(config.fetch_planes)
        tail = Signal(fetch)
        m.d.sync += tail.eq(~reached(layer.tail_bits, fetch))
        for column in range(config.cols):
            m.submodules[f"packer{column}"] = packer = ColumnPacker(config, column)
            m.d.comb += [
                packer.first.eq(layer[f"column_first_{column}"] if column else 0),
                packer.last.eq(layer[f"column_last_{column}"]),
                packer.clear_from.eq(layer.clear_from),
                packer.tail.eq(tail),
                packer.step.eq(early),
                packer.bits.eq(bits),
                self.w.pieces[column].eq(packer.pieces),
                self.w.word[column].eq(packer.word),
                self.w.data[column].eq(packer.data),
            ]
        to_write = _MASK + ColumnPacker.latency
        m.d.comb += [
            Cat(self.w.slot, self.w.group).eq(delayed(m, place, to_write, "place")),
            self.filled.eq(delayed(m, fills, to_write, "fills")),
        ]
        m.d.comb += self.first_read.eq(first_of_layer(m, self.start, step.copies))
        return m

    def _steps(self, m: Module) -> tuple[data.View, Value, Value, Signal]:
        """Returns each step for the packers, its number and where its bits go, all unregistered, and whether
        the step before ended a set."""
        config, layer, run = self._config, self.layer, self.runs.payload
        # All that `start` sets needs no other reset: no run comes before it.
        slot = Signal(range(config.patch_slots), reset_less=True)
        group = Signal(range(max(2, config.plane_groups)), reset_less=True)
        step = Signal(packer_layout(config))
        count, begins = Signal.like(run.first_step), Signal(reset_less=True)
        flushes, clears = Signal(reset_less=True), Signal(reset_less=True)
        position = Signal.like(step.position, reset_less=True)
        first_patch = Signal(reset_less=True)  # of its slot, in this layer
        occupied, fills = Signal(config.patch_slots), Signal()
        goes, run_ends, part_ends, set_ends = Signal(), Signal(), Signal(), Signal()
        last_copied, to_flush, to_clear = Signal(), Signal(), Signal()
        number = Mux(begins, run.first_step, count)
        m.d.comb += [
            goes.eq(may_step(self.runs, occupied, fills)),
            last_copied.eq(~flushes & ~clears & (number == run.last_step)),
            to_flush.eq(last_copied & run.ends_part & run.flush),
            to_clear.eq(
                (flushes | (last_copied & run.ends_part & ~run.flush)) & first_patch & layer.clear_from.any()
            ),
            run_ends.eq((last_copied | flushes | clears) & ~to_flush & ~to_clear),
            part_ends.eq(run_ends & run.ends_part),
            set_ends.eq(part_ends & run.ends_set),
            self.runs.ready.eq(goes & run_ends),
            step.copies.eq(goes & ~flushes & ~clears),
            step.flush.eq(goes & flushes),
            step.clear.eq(goes & clears),
            step.ends.eq(goes & part_ends),
            step.last_run.eq(run.ends_part),
            step.columns.eq(run.columns),
            step.number.eq(number),
            step.position.eq(position),
            step.turn.eq(position - run.address[: len(position)]),
        ]
        m.d.sync += fills.eq(goes & set_ends)
        with m.If(self.start):
            m.d.sync += [begins.eq(1), flushes.eq(0), clears.eq(0), position.eq(0)]
            m.d.sync += [slot.eq(0), group.eq(0), first_patch.eq(1), occupied.eq(0)]
        with m.Else():
            count_slots(m, occupied, fills, self.released)
            with m.If(goes):
                m.d.sync += [count.eq(number + 1), begins.eq(run_ends)]
                m.d.sync += [flushes.eq(to_flush), clears.eq(to_clear)]
                with m.If(part_ends):
                    m.d.sync += [position.eq(0), group.eq(Mux(run.ends_patch, 0, group + 1))]
                with m.Elif(run_ends):
                    m.d.sync += position.eq(position + layer.run_bits)
                with m.If(set_ends):
                    m.d.sync += slot.eq(slot + 1)
                    m.d.sync += first_patch.eq(first_patch & (slot != config.patch_slots - 1))
        return step, number, Cat(slot, group), fills

    def _mask(self, m: Module, into: Signal, row_ok: Value, first: Value) -> Signal:
        """Which bits lie in the map, at their places in the memory's words, four cycles after `into`, the
        window's place in the map's row. `first`: that of its first bit in a word."""
        fetch, shift = self._config.fetch_bits, len(first)
        # One cycle: from where to where the window has bits of the row.
        row_start, row_end = (Signal(signed(len(into) + 1), name=name) for name in ("row_start", "row_end"))
        m.d.sync += [row_start.eq(-into), row_end.eq(self.layer.row_bits - into)]
        row_ok = delayed(m, row_ok, 1, "row_exists")
        # Two: within the window.
        begin, end = Signal(range(fetch + 1)), Signal(range(fetch + 1))
        for limit, bound in ((begin, row_start), (end, row_end)):
            with m.If(bound[-1] | ~row_ok):
                m.d.sync += limit.eq(0)
            with m.Elif(bound[shift:-1].any()):
                m.d.sync += limit.eq(fetch)
            with m.Else():
                m.d.sync += limit.eq(bound[:shift])
        # Three: in the words' own places, round and round.
        turned_begin, turned_end = (Signal(shift + 1, name=name) for name in ("turned_begin", "turned_end"))
        first = delayed(m, first, 2, "first_place")
        m.d.sync += [turned_begin.eq(first + begin), turned_end.eq(first + end)]
        # Four: between them, or outside where the end went round.
        mask = Signal(fetch)
        round_it = turned_begin[-1] ^ turned_end[-1]
        m.d.sync += mask.eq(
            reached(turned_begin[:-1], fetch) ^ reached(turned_end[:-1], fetch) ^ round_it.replicate(fetch)
        )
        return mask
