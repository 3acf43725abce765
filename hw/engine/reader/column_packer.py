"""Packs one column's slices of the runs that several columns share, densely, into its patch words."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...lib.delay import delayed
from ...lib.rotate import turned_left
from ...lib.thermometer import reached


def packer_layout(config: EngineConfig) -> data.StructLayout:
    """One step of shared reads. `copies`: step `number` of a run of the columns in `columns` (one bit each);
    `position`, where the run begins within a piece of each, `turn`, how far that is from where its first bit
    lies in a word of the memory; `last_run` of a part. Otherwise `flush`, or `clear` the pieces behind the
    part. `ends` with a part's last step, whichever it is.
    """
    shift = config.fetch_bits.bit_length() - 1
    return data.StructLayout(
        {
            "copies": 1,
            "flush": 1,
            "clear": 1,
            "ends": 1,
            "last_run": 1,
            "columns": config.cols,
            "number": config.feature_address_bits + 1 - shift,
            "position": shift,
            "turn": shift,
        }
    )


class ColumnPacker(wiring.Component):
    """Rotates the column's bits to their places in a piece of `fetch_bits` bits, and collects them there.
    What a step has beyond the piece that it fills waits for the next one.

    Ports: `step` (:func:`packer_layout`); one cycle later `bits`, all planes, each bit at its place in the
    memory's words; `first` and `last` bit of the column's slice; `clear_from`, the first piece to clear;
    `tail`, the bits of a part's last piece; a write to the patch buffer: `pieces` (one bit each), `word`,
    `data`.

    Latency: three cycles from `step` to its write, :attr:`latency`.
    """

    latency = 3

    def __init__(self, config: EngineConfig, column: int) -> None:
        self._config = config
        self._column = column
        super().__init__(
            {
                "first": In(config.feature_address_bits + 1),
                "last": In(config.feature_address_bits + 1),
                "clear_from": In(range(max(2, config.subwords))),
                "tail": In(config.fetch_bits),
                "step": In(packer_layout(config)),
                "bits": In(config.fetch_planes * config.fetch_bits),
                "pieces": Out(config.subwords),
                "word": Out(range(max(2, config.patch_depth))),
                "data": Out(config.fetch_planes * config.fetch_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fetch, planes = self._config.fetch_bits, self._config.fetch_planes
        turned = self._turned(m)
        kept, comes, gathers, fills = self._masks(m)
        gathered = Signal(planes * fetch, reset_less=True)
        stays = (kept & ~fills.replicate(fetch)).replicate(planes)
        with m.If(gathers):
            m.d.sync += gathered.eq((gathered & stays) | (turned & ~stays))
        m.d.comb += self.data.eq((gathered & kept.replicate(planes)) | (turned & comes.replicate(planes)))
        return m

    def _turned(self, m: Module) -> Value:
        """The bits at their places in a piece, two cycles after they came."""
        fetch = self._config.fetch_bits
        early = Signal.like(self.step.turn)
        m.d.sync += early.eq(self.step.turn - self.first[: len(early)])
        half = len(early) // 2
        late = delayed(m, early[half:], 1, "late_turn")
        planes = []
        for plane in range(self._config.fetch_planes):
            window = self.bits.word_select(plane, fetch)
            window = turned_left(m, window, early[:half], f"early_turned_{plane}")
            window = delayed(m, window, 1, f"half_turned_{plane}", reset_less=True)
            window = turned_left(m, window, late, f"late_turned_{plane}", unit=1 << half)
            planes.append(delayed(m, window, 1, f"turned_{plane}", reset_less=True))
        return Cat(planes)

    def _masks(self, m: Module) -> tuple[Signal, Signal, Value, Value]:
        """Sets `pieces` and `word`. Returns which bits of the piece are those kept from steps before, and
        which of this step's are written; whether there is such a step, and whether it fills the piece."""
        fetch, step = self._config.fetch_bits, self.step
        shift = len(step.position)
        # One cycle: whether this is a step of the slice, its first or last one; where the window's first bit
        # goes, before the piece while the slice begins within the window.
        within, begins, ends = Signal(), Signal(), Signal()
        offset = Signal(signed(shift + 1))
        m.d.sync += [
            begins.eq(step.number == self.first[shift:]),
            ends.eq(step.number == self.last[shift:]),
            within.eq(
                step.copies
                & step.columns[self._column]
                & (step.number >= self.first[shift:])
                & (step.number <= self.last[shift:])
            ),
            offset.eq(step.position - self.first[:shift]),
        ]
        now = delayed(m, step, 1, "now")
        # Two: the bits below `start` are there already; up to which bit the slice reaches.
        start, reach = Signal(shift), Signal(signed(shift + 2))
        before_piece = begins & offset[-1]
        end = Mux(ends, self.last[:shift], fetch - 1)
        m.d.sync += [
            start.eq(Mux(begins, now.position, offset[:shift])),
            reach.eq(Cat(offset[:shift], before_piece).as_signed() + end),
        ]
        copies, final = delayed(m, within, 1, "copies"), delayed(m, within & ends & now.last_run, 1, "final")
        now = delayed(m, now, 1, "late")
        beyond, fills = Signal(), Signal()
        m.d.comb += [
            beyond.eq(~reach[-1] & reach[shift]),
            fills.eq(copies & (beyond | (reach == fetch - 1))),
        ]
        # The slice's last bits, where they are beyond a piece that it filled.
        rest, writes_rest, writes, clears = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            writes_rest.eq(rest & (now.copies | now.flush)),
            writes.eq(fills | final | writes_rest),
            clears.eq(now.clear & now.columns[self._column]),
        ]
        with m.If(final & beyond):
            m.d.sync += rest.eq(1)
        with m.Elif(writes_rest):
            m.d.sync += rest.eq(0)
        # Three cycles.
        kept, comes, below = Signal(fetch), Signal(fetch), Signal(fetch)
        ends_within = final & ~fills
        m.d.comb += below.eq(~reached(start, fetch))
        m.d.sync += [
            kept.eq(Mux(writes_rest, self.tail, below) & ~clears.replicate(fetch)),
            comes.eq(
                ~below
                & (self.tail | ~ends_within.replicate(fetch))
                & ~(writes_rest | clears).replicate(fetch)
            ),
        ]
        self._count_pieces(m, now.ends, writes, clears)
        return kept, comes, delayed(m, copies, 1, "gathers"), delayed(m, fills, 1, "fills")

    def _count_pieces(self, m: Module, part_ends: Value, writes: Signal, clears: Signal) -> None:
        word, subword = Signal.like(self.word), Signal(self._config.subwords, init=1)  # one-hot
        with m.If(part_ends):
            m.d.sync += [word.eq(0), subword.eq(1)]
        with m.Elif(writes):
            m.d.sync += subword.eq(subword.rotate_left(1))
            with m.If(subword[-1]):
                m.d.sync += word.eq(word + 1)
        behind = reached(self.clear_from, len(subword))
        m.d.sync += [
            self.word.eq(word),
            self.pieces.eq(Mux(clears, behind, Mux(writes, subword, 0))),
        ]
