"""Copies bit runs of the feature map, densely packed, into the patch buffer."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import program
from .delay import delayed
from .feature_memory import FeatureMemory
from .patch_buffer import PatchBuffer
from .run_generator import run_layout


def reached(value, places):
    """Bit p of the result: ``value <= p``. In two digits, because a comparator for every place would
    each be a carry chain."""
    digit = (len(value) + 1) // 2
    low, high = value[:digit], value[digit:]
    # The greatest low digit is always reached, and nothing lies below a high digit of zero.
    low_reached = [*(low <= number for number in range((1 << digit) - 1)), Const(1)]
    bits = []
    for place in range(places):
        own, rest = place >> digit, place % (1 << digit)
        here = (high == own) & low_reached[rest]
        bits.append((high < own) | here if own else here)
    return Cat(bits)


class WindowReader(wiring.Component):
    """A bit-run copier: one step per cycle copies the bits that lie both in the rest of the run and
    in the current piece (`fetch_bits` wide) of the patch word, zeros where the run lies in padding.

    The feature memory is read at the address that puts the run's bits at their place in the piece,
    so one funnel shifter does both alignments. All planes of a group are copied together.

    Ports: `layer`, `start`; `runs`; `r_address` and `bits` to the feature memory (its read latency);
    `w` to the patch buffer; `filled` pulses when all columns of a slot are written, `released` when a
    slot was read for the last time; `first_read` pulses with the layer's first read.
    Latency: five cycles from a run to the write of its last piece.
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "start": In(1),
                "runs": In(stream.Signature(run_layout(config))),
                "r_address": Out(config.feature_address_bits),
                "bits": In(config.fetch_planes * config.fetch_bits),
                "w": Out(PatchBuffer.write_signature(config)),
                "filled": Out(1),
                "released": In(1),
                "first_read": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, run = self._config, self.runs.payload
        fetch, subwords = config.fetch_bits, config.subwords
        last_width = config.lanes - (subwords - 1) * fetch
        piece = data.StructLayout(
            {
                "slot": range(config.patch_slots),
                "column": range(max(2, config.cols)),
                "group": range(max(2, config.plane_groups)),
                "word": range(max(2, config.patch_depth)),
                "subword": range(max(2, subwords)),
            }
        )

        # Stage 0: how many bits this step copies, from where, to where.
        to = Signal(piece)
        # Bits of the piece that are done, and that are not.
        bit, room = Signal(range(fetch)), Signal(range(fetch + 1))
        first_width = min(fetch, config.lanes)
        left = Signal.like(self.layer.run_bits)  # bits of the run that are still to be copied
        # From the run's first bit to the bit that lies where the piece begins.
        offset = Signal.like(self.layer.x_start)
        fresh = Signal(config.patch_slots)  # slots written in this layer already
        tail = Signal()
        occupied = Signal(range(config.patch_slots + 1))
        width, next_width, reach = (
            Signal(range(fetch + 1), name=name) for name in ("width", "next_width", "reach")
        )
        last_subword, more = Signal(), Signal()
        # A run that reaches beyond the piece has more than `fetch` bits or more than there is room for.
        beyond, low_left = left[len(room) :].any(), left[: len(room)]
        word_ends, run_ends, part_ends, patch_ends = Signal(), Signal(), Signal(), Signal()
        step, needs_tail, subword_ends, set_ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            last_subword.eq(to.subword == subwords - 1),
            width.eq(Mux(last_subword, last_width, fetch)),
            next_width.eq(Mux(to.subword == subwords - 2, last_width, fetch) if subwords > 1 else last_width),
            more.eq(beyond | (low_left > room)),
            subword_ends.eq(tail | beyond | (low_left >= room)),
            # Where the run ends if it does not fill the piece.
            reach.eq(bit + low_left),
            step.eq(self.runs.valid & (occupied != config.patch_slots)),
            word_ends.eq(subword_ends & last_subword),
            run_ends.eq(~tail & ~more),
            # The pieces of a part's last word beyond it are cleared once per layer and slot.
            needs_tail.eq(~fresh.bit_select(to.slot, 1)),
            part_ends.eq(((run_ends & run.ends_part) | tail) & (~needs_tail | word_ends)),
            patch_ends.eq(part_ends & run.ends_patch),
            set_ends.eq(patch_ends & run.ends_set),
            self.runs.ready.eq(step & Mux(run.ends_part, part_ends, run_ends)),
        ]
        with m.If(self.start):
            m.d.sync += [to.eq(0), bit.eq(0), room.eq(first_width), offset.eq(0), fresh.eq(0), tail.eq(0)]
            m.d.sync += [left.eq(self.layer.run_bits), occupied.eq(0)]
        with m.Else():
            m.d.sync += occupied.eq(occupied + (step & set_ends) - self.released)
        with m.If(step & ~self.start):
            m.d.sync += [
                left.eq(Mux(run_ends, self.layer.run_bits, left - room)),
                offset.eq(Mux(run_ends, Mux(subword_ends, 0, -reach), offset + width)),
                bit.eq(Mux(subword_ends, 0, reach)),
                room.eq(Mux(subword_ends, next_width, room - low_left)),
                tail.eq(~part_ends & (tail | (run_ends & run.ends_part))),
            ]
            with m.If(subword_ends):
                m.d.sync += to.subword.eq(Mux(last_subword, 0, to.subword + 1))
            with m.If(word_ends):
                m.d.sync += to.word.eq(to.word + 1)
            with m.If(part_ends):
                m.d.sync += [to.word.eq(0), to.subword.eq(0), bit.eq(0), room.eq(first_width)]
                m.d.sync += [offset.eq(0), left.eq(self.layer.run_bits)]
                if config.plane_groups > 1:
                    m.d.sync += to.group.eq(Mux(patch_ends, 0, to.group + 1))
            with m.If(patch_ends):
                m.d.sync += to.column.eq(Mux(run.ends_set, 0, to.column + 1))
            with m.If(set_ends):
                m.d.sync += [to.slot.eq(to.slot + 1), fresh.eq(fresh | (1 << to.slot))]

        # Stage 1: the memory's address; which bits of the piece are the run's.
        window_x = Signal(signed(len(self.layer.x_start) + 1))
        low, high = Signal(range(fetch + 1)), Signal(range(fetch + 1))
        copy = Signal()
        m.d.sync += [
            self.r_address.eq(run.address + offset),
            window_x.eq(run.x + offset),
            low.eq(bit),
            high.eq(Mux(subword_ends, width, reach)),
            copy.eq(run.row_ok & ~tail),
        ]
        # Stages 2 to 4: the memory reads and shifts; meanwhile the mask is clipped to the map's row.
        shift = fetch.bit_length() - 1
        row_end = Signal(signed(len(window_x) + 1))
        row_start, first, behind = Signal.like(low), Signal.like(low), Signal.like(high)
        clipped, run_end, copies = Signal.like(low), Signal.like(high), Signal()
        in_row = row_end[:shift]
        near, below, far = Signal(), Signal(), Signal()
        mask = Signal(fetch)
        m.d.comb += [
            # The row begins in this piece, at its end or behind it.
            near.eq(window_x[shift:].all()),
            row_start.eq(Mux(near, fetch - window_x[:shift], fetch)),
            below.eq(row_end[-1]),
            far.eq(row_end[shift:-1].any()),
        ]
        m.d.sync += [
            row_end.eq(self.layer.row_bits - window_x),
            clipped.eq(Mux((window_x < 0) & (row_start > low), row_start, low)),
            run_end.eq(high),
            copies.eq(copy),
            first.eq(clipped),
            behind.eq(Mux(copies & ~below, Mux(far | (run_end < in_row), run_end, in_row), 0)),
            mask.eq(reached(first, fetch) & ~reached(behind, fetch)),
        ]
        behind_step = 1 + FeatureMemory.latency
        write = Signal(piece)
        writes = Signal()
        fills = Signal()
        valid = Signal()
        m.d.comb += [
            write.eq(delayed(m, to, behind_step, "to")),
            valid.eq(delayed(m, step & ~self.start, behind_step, "step")),
            writes.eq(delayed(m, step & (subword_ends | part_ends), behind_step, "writes")),
            fills.eq(delayed(m, step & set_ends, behind_step, "fills")),
        ]

        # Stage 5: pieces collect the runs that share them.
        gathered, merged = Signal.like(self.bits), Signal.like(self.bits)
        m.d.comb += [
            merged.eq(gathered | (self.bits & mask.replicate(config.fetch_planes))),
            self.w.en.eq(writes),
            self.w.slot.eq(write.slot),
            self.w.column.eq(write.column),
            self.w.group.eq(write.group),
            self.w.word.eq(write.word),
            self.w.subword.eq(write.subword),
            self.w.data.eq(merged),
        ]
        with m.If(valid):
            m.d.sync += gathered.eq(Mux(writes, Const(0), merged))
        m.d.sync += self.filled.eq(fills)

        waiting = Signal()
        m.d.comb += self.first_read.eq(delayed(m, step & waiting, 1, "first"))
        with m.If(self.start):
            m.d.sync += waiting.eq(1)
        with m.Elif(step):
            m.d.sync += waiting.eq(0)
        return m
