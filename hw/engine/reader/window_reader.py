"""Copies bit runs of the feature map, densely packed, into the patch buffer."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...config.engine import EngineConfig
from ...lib.delay import delayed
from ...lib.thermometer import reached
from .feature_memory import FeatureMemory
from .ports import count_slots, first_of_layer, may_step, reader_ports


class WindowReader(wiring.Component):
    """A bit-run copier: one step per cycle copies the bits that lie both in the rest of the run and
    in the current piece (`fetch_bits` wide) of the patch word, zeros where the run lies in padding.

    The feature memory is read at the address that puts the run's bits at their place in the piece,
    so one funnel shifter does both alignments. All planes of a group are copied together. A word's last
    piece, where it is narrower, is the upper end of a whole one, so that every piece ends at one place.

    Ports: :func:`.ports.reader_ports`, `bits` with the memory's read latency.

    Latency: five cycles from a step to the write of its piece, and one more to `filled` where it ends a set.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(reader_ports(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        # From the bit that lies where the piece begins to the run's first bit.
        back = Signal(signed(len(self.runs.payload.x)), reset_less=True)
        # Bits of the piece that are done, and that will be: all of them with `whole`.
        bit, reach = Signal(range(config.fetch_bits)), Signal(range(config.fetch_bits))
        whole = Signal()
        # Clears a piece that no run reaches.
        tail = Signal()
        step, piece, to, fills = self._steps(m, back, bit, reach, whole, tail)
        m.d.sync += self.r_address.eq(self.runs.payload.address - back)
        behind_step = 1 + FeatureMemory.latency
        write = delayed(m, to, behind_step, "to")
        pieces = delayed(m, piece, behind_step, "pieces")
        # Pieces collect the runs that share them.
        gathered, merged = Signal.like(self.bits), Signal.like(self.bits)
        mask = self._mask(m, back, bit, reach, whole, tail)
        m.d.comb += [
            merged.eq(gathered | (self.bits & mask.replicate(config.fetch_planes))),
            self.w.pieces.eq(pieces),
            self.w.slot.eq(write.slot),
            self.w.column.eq(write.column),
            self.w.group.eq(write.group),
            self.w.word.eq(write.word),
            self.w.data.eq(merged),
            self.filled.eq(delayed(m, fills, behind_step, "fills")),
        ]
        writes = delayed(m, piece.any(), behind_step, "writes")
        # The reset stands outside of the enable: then it takes the flip-flops' own reset.
        valid = delayed(m, step, behind_step, "step")
        with m.If(writes):
            m.d.sync += gathered.eq(0)
        with m.Elif(valid):
            m.d.sync += gathered.eq(merged)

        m.d.comb += self.first_read.eq(first_of_layer(m, self.start, step))
        return m

    def _steps(
        self, m: Module, back: Signal, bit: Signal, reach: Signal, whole: Signal, tail: Signal
    ) -> tuple[Signal, Value, data.View, Signal]:
        """How many bits each step copies, from where, to where. Returns whether there is a step, the piece
        that it writes (one-hot), the place of its word, and whether the step before ended a set."""
        config, layer, run = self._config, self.layer, self.runs.payload
        fetch, subwords, shift = config.fetch_bits, config.subwords, config.fetch_bits.bit_length() - 1
        last_width = config.lanes - (subwords - 1) * fetch
        # All that `start` sets needs no other reset: no run comes before it.
        to = Signal(
            data.StructLayout(
                {
                    "slot": range(config.patch_slots),
                    "column": range(max(2, config.cols)),
                    "group": range(max(2, config.plane_groups)),
                    "word": range(max(2, config.patch_depth)),
                }
            ),
            reset_less=True,
        )
        subword = Signal(subwords, init=1, reset_less=True)  # one-hot
        # Bits of the run beyond the piece, minus one: negative with a run's last step. The low digit is
        # then that of the run's last bit within the piece; `full` where that is the piece's last bit.
        beyond = Signal(signed(len(layer.run_bits) + 1), init=-1, reset_less=True)
        full = Signal(init=1, reset_less=True)
        starting = Signal()
        clears = Signal(init=1, reset_less=True)  # a slot's first patch in this layer
        occupied, fills = Signal(config.patch_slots), Signal()
        step, ends, goes_on, full_word = Signal(), Signal(), Signal(), Signal()
        part_ends, set_ends, part_begins = Signal(), Signal(), Signal()
        m.d.comb += [
            step.eq(may_step(self.runs, occupied, fills)),
            ends.eq(beyond[-1]),
            whole.eq(~ends | full),
            full_word.eq(full & subword[-1]),
            # The pieces of a part's last word beyond it are cleared once per layer and slot. Meanwhile the
            # part's last run waits, as one that ended with a piece.
            goes_on.eq(~run.ends_part | ~clears | full_word),
            self.runs.ready.eq(step & ends & goes_on),
            part_ends.eq(ends & run.ends_part & (~clears | full_word)),
            set_ends.eq(part_ends & run.ends_set),
            part_begins.eq(ends & (starting | run.ends_part)),
        ]

        # The next step, from the run's end or the next piece on.
        narrow, leaves = Signal(), Signal()
        next_bit, base, following = Signal.like(bit), Signal.like(beyond), Signal.like(beyond)
        if last_width < fetch:
            m.d.comb += narrow.eq(subword[-2] & ~part_begins)
        next_width = Mux(narrow, last_width, fetch)
        m.d.comb += [
            reach.eq(Mux(ends, beyond[:shift] + 1, 0)),
            leaves.eq(ends & (full | run.ends_part)),
            next_bit.eq(Mux(~ends | leaves, Mux(narrow, fetch - last_width, 0), reach)),
            # A run that ends has all digits above these set already.
            base.eq(Cat(Mux(leaves, ~next_width, beyond)[: shift + 1], beyond[shift + 1 :])),
            following.eq(base + Mux(ends, layer.run_bits, -next_width)),
        ]
        with m.If(self.start | (step & ends & ~goes_on)):
            m.d.sync += [beyond.eq(-1), full.eq(1)]
        with m.Elif(step | starting):
            m.d.sync += [beyond.eq(following), full.eq(following[:shift].all())]
        with m.If(self.start):
            m.d.sync += [bit.eq(0), back.eq(0)]
        with m.Elif(step & ends):
            m.d.sync += [bit.eq(next_bit), back.eq(next_bit)]
        with m.Elif(step):
            m.d.sync += [bit.eq(next_bit), back.eq(back - next_width)]
        m.d.sync += [starting.eq(self.start), fills.eq(step & set_ends)]

        with m.If(self.start | (step & part_ends)):
            m.d.sync += [to.word.eq(0), subword.eq(1)]
        with m.Elif(step & whole):
            m.d.sync += subword.eq(subword.rotate_left(1))
            with m.If(subword[-1]):
                m.d.sync += to.word.eq(to.word + 1)
        with m.If(self.start):
            m.d.sync += [to.slot.eq(0), to.column.eq(0), to.group.eq(0)]
            m.d.sync += [tail.eq(0), clears.eq(1), occupied.eq(0)]
        with m.Else():
            with m.If(step):
                m.d.sync += tail.eq(ends & ~goes_on)
            with m.If(step & part_ends):
                _next_part(m, to, run)
            with m.If(step & set_ends):
                m.d.sync += to.slot.eq(to.slot + 1)
                m.d.sync += clears.eq(clears & (to.slot != config.patch_slots - 1))
            count_slots(m, occupied, fills, self.released)
        piece = Mux(step & (whole | part_ends), subword, 0)
        return step, piece, to, fills

    def _mask(
        self, m: Module, back: Signal, bit: Signal, reach: Signal, whole: Signal, tail: Signal
    ) -> Value:
        """Which bits of the piece are the run's and lie in the map, when the feature memory answers."""
        fetch, run = self._config.fetch_bits, self.runs.payload
        shift = fetch.bit_length() - 1
        # One cycle behind the step: the map's row begins at this bit of the piece.
        row_start = Signal(signed(len(run.x) + 1))
        m.d.sync += row_start.eq(back - run.x)
        low = delayed(m, bit, 1, "low")
        # Two cycles: the row ends there; the piece's bits are masked from `first` on.
        row_end = Signal(signed(len(row_start) + 1))
        first, beyond = Signal.like(bit), Signal()
        high, all_high = delayed(m, reach, 2, "high"), delayed(m, whole, 2, "whole")
        copies = delayed(m, run.row_ok & ~tail, 2, "copies")
        within = row_start[:shift]
        m.d.sync += [
            row_end.eq(row_start + self.layer.row_bits),
            first.eq(Mux(~row_start[-1] & (within > low), within, low)),
            beyond.eq(~row_start[-1] & row_start[shift:-1].any()),
        ]
        # Three cycles: whether the row ends before the piece, behind it or at first.
        none, far, ends_first = Signal(), Signal(), Signal()
        within = row_end[:shift]
        m.d.sync += [
            none.eq(row_end[-1] | ~copies),
            far.eq(row_end[shift:-1].any()),
            ends_first.eq(high < within),
        ]
        high, all_high = delayed(m, high, 1, "ending"), delayed(m, all_high, 1, "all_of_run")
        within = delayed(m, within, 1, "within")
        # Four cycles: up to `behind`, or to the piece's end.
        behind, all_copied = Signal.like(bit), Signal()
        with m.If(none):
            m.d.sync += [behind.eq(0), all_copied.eq(0)]
        with m.Else():
            m.d.sync += behind.eq(Mux(far | (ends_first & ~all_high), high, within))
            m.d.sync += all_copied.eq(far & all_high)
        first, beyond = delayed(m, first, 2, "first"), delayed(m, beyond, 2, "beyond")
        # Five cycles: two masks, because they are one with the data's gate.
        from_first, to_behind = Signal(fetch), Signal(fetch)
        m.d.sync += [
            from_first.eq(reached(first, fetch) & ~beyond.replicate(fetch)),
            to_behind.eq(~reached(behind, fetch) | all_copied.replicate(fetch)),
        ]
        return from_first & to_behind


def _next_part(m: Module, to: data.View, run: data.View) -> None:
    """The place `to` behind a `run` that ends a part."""
    m.d.sync += to.group.eq(Mux(run.ends_patch, 0, to.group + 1))
    with m.If(run.ends_patch):
        m.d.sync += to.column.eq(Mux(run.ends_set, 0, to.column + 1))
