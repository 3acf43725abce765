"""Copies bit runs of the feature map, densely packed, into the patch buffer."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import program
from .delay import delayed
from .feature_memory import FeatureMemory
from .patch_buffer import PatchBuffer
from .run_generator import run_layout
from .thermometer import reached


class WindowReader(wiring.Component):
    """A bit-run copier: one step per cycle copies the bits that lie both in the rest of the run and
    in the current piece (`fetch_bits` wide) of the patch word, zeros where the run lies in padding.

    The feature memory is read at the address that puts the run's bits at their place in the piece,
    so one funnel shifter does both alignments. All planes of a group are copied together. A word's last
    piece, where it is narrower, is the upper end of a whole one, so that every piece ends at one place.

    Ports: `layer`, `start`; `runs` (from three cycles after `start` on); `r_address` and `bits` to the
    feature memory (its read latency); `w` to the patch buffer; `filled` pulses when all columns of a slot
    are written, `released` when a slot was read for the last time; `first_read` pulses with the layer's
    first read.
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
        config = self._config
        # From the bit that lies where the piece begins to the run's first bit.
        back = Signal(signed(len(self.layer.x_start)))
        # Bits of the piece that are done, and that will be: all of them with `whole`.
        bit, end = Signal(range(config.fetch_bits)), Signal(range(config.fetch_bits))
        whole = Signal()
        # Clears a piece that no run reaches.
        tail = Signal()
        step, piece, to, set_ends = self._steps(m, back, bit, end, whole, tail)
        m.d.sync += self.r_address.eq(self.runs.payload.address - back)
        behind_step = 1 + FeatureMemory.latency
        write = delayed(m, to, behind_step, "to")
        pieces = delayed(m, piece, behind_step, "pieces")
        # Pieces collect the runs that share them.
        gathered, merged = Signal.like(self.bits), Signal.like(self.bits)
        mask = self._mask(m, back, bit, end, whole, tail)
        m.d.comb += [
            merged.eq(gathered | (self.bits & mask.replicate(config.fetch_planes))),
            self.w.pieces.eq(pieces),
            self.w.slot.eq(write.slot),
            self.w.column.eq(write.column),
            self.w.group.eq(write.group),
            self.w.word.eq(write.word),
            self.w.data.eq(merged),
            self.filled.eq(delayed(m, step & set_ends, behind_step + 1, "fills")),
        ]
        writes = delayed(m, piece.any(), behind_step, "writes")
        with m.If(delayed(m, step, behind_step, "step")):
            m.d.sync += gathered.eq(Mux(writes, 0, merged))

        waiting = Signal()
        m.d.comb += self.first_read.eq(delayed(m, step & waiting, 1, "first"))
        with m.If(self.start):
            m.d.sync += waiting.eq(1)
        with m.Elif(step):
            m.d.sync += waiting.eq(0)
        return m

    def _steps(self, m, back, bit, end, whole, tail):
        """How many bits each step copies, from where, to where. Returns whether there is a step, the piece
        that it writes (one-hot), the place of its word, and whether its set of columns ends."""
        config, layer, run = self._config, self.layer, self.runs.payload
        fetch, subwords, shift = config.fetch_bits, config.subwords, config.fetch_bits.bit_length() - 1
        last_width = config.lanes - (subwords - 1) * fetch
        to = Signal(
            data.StructLayout(
                {
                    "slot": range(config.patch_slots),
                    "column": range(max(2, config.cols)),
                    "group": range(max(2, config.plane_groups)),
                    "word": range(max(2, config.patch_depth)),
                }
            )
        )
        subword = Signal(subwords)  # one-hot
        # Bits of the run beyond the piece, minus one: negative with a run's last step. The low digit is
        # then that of the run's last bit within the piece; `full` where that is the piece's last bit.
        beyond, full = Signal(signed(len(layer.run_bits) + 1)), Signal()
        starting = Signal()
        clears = Signal()  # a slot's first patch in this layer
        occupied = Signal(config.patch_slots)  # bit n: more than n slots
        step, ends, last, piece_ends, cleared = Signal(), Signal(), Signal(), Signal(), Signal()
        part_ends, set_ends, part_begins = Signal(), Signal(), Signal()
        m.d.comb += [
            step.eq(self.runs.valid & ~occupied[-1]),
            ends.eq(beyond[-1]),
            last.eq(subword[-1]),
            whole.eq(~ends | full),
            piece_ends.eq(tail | whole),
            # The pieces of a part's last word beyond it are cleared once per layer and slot.
            cleared.eq(Mux(tail, last, ~clears | (full & last))),
            part_ends.eq((tail | (ends & run.ends_part)) & cleared),
            set_ends.eq(part_ends & run.ends_set),
            self.runs.ready.eq(step & (part_ends | (ends & ~tail & ~run.ends_part))),
            part_begins.eq(ends & (starting | run.ends_part)),
        ]

        # The next step, from the run's end or the next piece on.
        narrow, piece_begins = Signal(), Signal()
        next_bit, base, following = Signal.like(bit), Signal.like(beyond), Signal.like(beyond)
        if last_width < fetch:
            m.d.comb += narrow.eq(subword[-2] & ~part_begins if subwords > 1 else 1)
        next_width = Mux(narrow, last_width, fetch)
        m.d.comb += [
            end.eq(Mux(ends, beyond[:shift] + 1, 0)),
            piece_begins.eq(whole | part_begins),
            next_bit.eq(Mux(piece_begins, Mux(narrow, fetch - last_width, 0), end)),
            # A run that ends has all digits above these set already.
            base.eq(Cat(Mux(ends & piece_begins, ~next_width, beyond)[: shift + 1], beyond[shift + 1 :])),
            following.eq(base + Mux(ends, layer.run_bits, -next_width)),
        ]
        with m.If(self.start):
            m.d.sync += [beyond.eq(-1), full.eq(1)]
        with m.Elif(starting | (step & ~tail)):
            m.d.sync += [
                beyond.eq(following),
                full.eq(following[:shift].all()),
                bit.eq(next_bit),
                back.eq(Mux(ends, next_bit, back - next_width)),
            ]
        m.d.sync += starting.eq(self.start)

        with m.If(self.start):
            m.d.sync += [to.eq(0), subword.eq(1), tail.eq(0), clears.eq(1), occupied.eq(0)]
        with m.Else():
            with m.If((step & set_ends) ^ self.released):
                m.d.sync += occupied.eq(Mux(self.released, occupied >> 1, Cat(1, occupied)))
            with m.If(step):
                m.d.sync += tail.eq(~cleared & (tail | (ends & run.ends_part)))
                with m.If(piece_ends):
                    m.d.sync += subword.eq(subword.rotate_left(1))
                    with m.If(last):
                        m.d.sync += to.word.eq(to.word + 1)
                with m.If(part_ends):
                    m.d.sync += [to.word.eq(0), subword.eq(1)]
                    if config.plane_groups > 1:
                        m.d.sync += to.group.eq(Mux(run.ends_patch, 0, to.group + 1))
                    if config.cols > 1:
                        with m.If(run.ends_patch):
                            m.d.sync += to.column.eq(Mux(run.ends_set, 0, to.column + 1))
                with m.If(set_ends):
                    m.d.sync += to.slot.eq(to.slot + 1)
                    with m.If(to.slot == config.patch_slots - 1):
                        m.d.sync += clears.eq(0)
        piece = Mux(step & (piece_ends | part_ends), subword, 0)
        return step, piece, to, set_ends

    def _mask(self, m, back, bit, end, whole, tail):
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
        high, all_high = delayed(m, end, 2, "high"), delayed(m, whole, 2, "whole")
        copies = delayed(m, run.row_ok & ~tail, 2, "copies")
        within = row_start[:shift]
        m.d.sync += [
            row_end.eq(row_start + self.layer.row_bits),
            first.eq(Mux(~row_start[-1] & (within > low), within, low)),
            beyond.eq(~row_start[-1] & row_start[shift:-1].any()),
        ]
        # Three cycles: up to `behind`, or to the piece's end.
        behind, all_copied = Signal.like(bit), Signal()
        none, far, ends_first = Signal(), Signal(), Signal()
        within = row_end[:shift]
        m.d.comb += [
            none.eq(row_end[-1] | ~copies),
            far.eq(row_end[shift:-1].any()),
            ends_first.eq(~all_high & (high < within)),
        ]
        m.d.sync += [
            behind.eq(Mux(none, 0, Mux(far | ends_first, high, within))),
            all_copied.eq(~none & far & all_high),
        ]
        first, beyond = delayed(m, first, 1, "first"), delayed(m, beyond, 1, "beyond")
        # Four cycles: two masks, because they are one with the data's gate.
        from_first, to_behind = Signal(fetch), Signal(fetch)
        m.d.sync += [
            from_first.eq(reached(first, fetch) & ~beyond.replicate(fetch)),
            to_behind.eq(~reached(behind, fetch) | all_copied.replicate(fetch)),
        ]
        return from_first & to_behind
