"""Weights that stream in pass by pass: one half of the weight memory fills while the other computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface.streams import beats_per_word, rows_per_beat, weights_layout


@dataclass(frozen=True)
class _State:
    """An image is `running`, whose `packets_left` have not come; of the packet that comes, the `row` and
    `part` of a word and its `address`; the half that is `filling` and the one that is `reading`; which are
    `full`, and the `lengths` of their packets."""

    running: Signal
    packets_left: Signal
    row: Signal
    part: Signal
    address: Signal
    filling: Signal
    reading: Signal
    full: Signal
    lengths: list[Signal]

    @property
    def packet_begins(self) -> list[Any]:
        """The statements in front of a packet."""
        return [self.row.eq(0), self.part.eq(0), self.address.eq(0)]

    @property
    def empty(self) -> list[Any]:
        """The statements that forget an image."""
        state = (self.running, self.filling, self.reading, self.full, self.packets_left)
        return [signal.eq(0) for signal in state]


class WeightLoader(wiring.Component):
    """Takes one packet per pass of the program, in its order, and again for every image.

    A packet holds, address by address, the word of every row in turn, lowest bits first; a word
    begins with a beat, or several words share one where the beat is wide enough. The packets of an
    image are accepted from its first byte on (`image_begins`), each as soon as its half is free.

    Ports: `i`; `image_begins`, `passes`, `finished` (the image's last result left); `available`: the weights
    of the next pass are there; `start` (pulse: that pass begins), `taken` (pulse: it is computed);
    `expected`, the addresses that the pass should have; `wrong`, while a pass runs whose packet has ended and
    has not as many; `w_en` (per row), `w_address`, `w_data` (the words of a beat, the first row's lowest).

    Where the engine is guarded, `wrong` also while a beat waits that is not of the pass whose turn it is, and
    while a pass waits for a packet that has all of its addresses and goes on. `restart` forgets the image;
    what comes of its packets then is dropped, up to the packet of pass 0 that the next image takes. Between
    images, too, all is dropped but what pass 0 begins with; `stray` pulses with what is dropped without a
    restart. With `flush` everything is.

    With `training`, `hold`: the packet of the image's only pass stays for the images that follow, until
    `hold` is low while none runs, if only for a cycle or that of the next image's first byte.

    Latency: one cycle from a word's last beat to its write, two from a packet's last beat to `available`.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        # Beats of a word, and of the words of all rows at an address.
        self._parts = beats_per_word(config)
        self._steps = -(-config.total_rows // rows_per_beat(config))
        super().__init__(
            {
                "i": In(stream.Signature(weights_layout(config))),
                "image_begins": In(1),
                "passes": In(config.layer_depth.bit_length()),
                "finished": In(1),
                "available": Out(1),
                "start": In(1),
                "taken": In(1),
                "expected": In(range(config.weight_depth // 2 + 2)),
                "wrong": Out(1),
                "w_en": Out(config.total_rows),
                "w_address": Out(range(max(2, config.weight_depth))),
                "w_data": Out(config.lanes * rows_per_beat(config)),
                **({"hold": In(1)} if config.training else {}),
                **({"stray": Out(1), "restart": In(1), "flush": In(1)} if config.guarded else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        half_depth = self._config.weight_depth // 2
        at = _State(
            running=Signal(),
            packets_left=Signal.like(self.passes),
            row=Signal(range(max(2, self._steps))),
            part=Signal(range(max(2, self._parts))),
            address=Signal(range(half_depth + 2)),
            filling=Signal(),
            reading=Signal(),
            full=Signal(2),
            lengths=[Signal(range(half_depth + 2), name=f"length_{half}") for half in range(2)],
        )
        takes, drops = Signal(), Signal()
        wanted = at.running & (at.packets_left != 0) & ~at.full.bit_select(at.filling, 1)
        m.d.comb += takes.eq(wanted & ~drops)
        # A cycle behind, when the packet's last word is in the memory.
        m.d.sync += self.available.eq(at.full.bit_select(at.reading, 1) & ~self.taken)
        self._fill(m, at, takes)
        begins = self._turn(m, at)
        wrong = self.available & (Mux(at.reading, at.lengths[1], at.lengths[0]) != self.expected)
        if not self._config.guarded:
            m.d.comb += [self.i.ready.eq(takes), self.wrong.eq(wrong)]
            return m
        waits = ~at.full.bit_select(at.reading, 1) & (at.filling == at.reading)
        wrong = wrong | (waits & (at.address >= self.expected))
        m.d.comb += self.wrong.eq(self._guard(m, takes, drops, at.running, begins, wrong))
        with m.If(self.restart):
            m.d.sync += [*at.empty, *at.packet_begins, self.available.eq(0)]
        return m

    def _fill(self, m: Module, at: _State, takes: Signal) -> None:
        """Beats to words, and packets to halves."""
        config, beat_bits = self._config, 8 * self._config.port_bytes
        half_depth, together = config.weight_depth // 2, rows_per_beat(config)
        beat, word_ends, address_ends = Signal(), Signal(), Signal()
        earlier = Signal((self._parts - 1) * beat_bits)
        data = self.i.payload.data
        m.d.comb += [
            beat.eq(self.i.valid & self.i.ready & takes),
            word_ends.eq(at.part == self._parts - 1),
            address_ends.eq(word_ends & (at.row == self._steps - 1)),
        ]
        m.d.sync += [
            self.w_en.eq(
                Cat(
                    (at.row == number // together) & beat & word_ends & (at.address != half_depth)
                    for number in range(config.total_rows)
                )
            ),
            self.w_address.eq(at.address + Mux(at.filling, half_depth, 0)),
            self.w_data.eq(Cat(earlier, data)),
        ]
        with m.If(beat):
            if self._parts > 1:
                m.d.sync += earlier.eq(Cat(earlier, data)[beat_bits:])
            m.d.sync += at.part.eq(Mux(word_ends, 0, at.part + 1))
            with m.If(word_ends):
                m.d.sync += at.row.eq(Mux(at.row == self._steps - 1, 0, at.row + 1))
            # What does not fit is counted but not kept, so that the wrong length is seen.
            with m.If(address_ends & (at.address != half_depth)):
                m.d.sync += at.address.eq(at.address + 1)
            with m.If(self.i.payload.last):
                m.d.sync += [at.filling.eq(~at.filling), *at.packet_begins]
                m.d.sync += at.packets_left.eq(at.packets_left - 1)
                for half in range(2):
                    with m.If(at.filling == half):
                        # A packet that ends within an address has no length that a pass has.
                        m.d.sync += at.full[half].eq(1)
                        m.d.sync += at.lengths[half].eq(Mux(address_ends, at.address + 1, 0))

    def _turn(self, m: Module, at: _State) -> Value:
        """Halves are taken by passes; returns whether an image begins."""
        taken, finished, begins = self.taken, self.finished, ~at.running & self.image_begins
        if self._config.training:
            held = Signal()
            drops = held & ~self.hold
            with m.If(self.finished):
                m.d.sync += held.eq(self.hold)
            with m.If(drops | (self.restart if self._config.guarded else 0)):
                m.d.sync += [held.eq(0), *at.empty]
            taken, finished = taken & ~self.hold, finished & ~self.hold
            begins = (~at.running | drops) & self.image_begins
        with m.If(taken):
            m.d.sync += at.reading.eq(~at.reading)
            for half in range(2):
                with m.If(at.reading == half):
                    m.d.sync += at.full[half].eq(0)
        # Every image starts with the first half, where the program expects its first pass.
        with m.If(begins):
            m.d.sync += [at.running.eq(1), at.packets_left.eq(self.passes)]
        with m.If(finished):
            m.d.sync += at.empty
        return begins

    def _guard(
        self,
        m: Module,
        takes: Signal,
        drops: Signal,
        running: Signal,
        begins: Value,
        wrong_length: Value,
    ) -> Value:
        """Looks whose every beat is: those of the pass whose turn it is are taken, those that an image has
        left are dropped, and those of pass 0 wait for the next image. Returns what is wrong."""
        # The pass of the packet that fills; a pass runs, and has not taken its weights; of a packet of pass 0
        # a part was taken; an image ended early, and none has taken anything since.
        number, runs, torn, left = Signal(len(self.i.payload.id)), Signal(), Signal(), Signal()
        own = Signal()
        last, first_pass = self.i.payload.last, self.i.payload.id == 0
        moves = self.i.valid & self.i.ready
        m.d.comb += [
            own.eq(self.i.payload.id == number),
            drops.eq(((~running | left) & (torn | ~first_pass)) | self.flush),
            # Not without a beat: what it belongs to is undefined then.
            self.i.ready.eq(self.i.valid & ((takes & own) | drops)),
            self.stray.eq(moves & drops & ~left),
        ]
        with m.If(self.start):
            m.d.sync += runs.eq(1)
        with m.If(self.taken):
            m.d.sync += runs.eq(0)
        with m.If(moves):
            m.d.sync += torn.eq(first_pass & ~last)
            with m.If(~drops):
                m.d.sync += left.eq(0)
                with m.If(last):
                    m.d.sync += number.eq(number + 1)
        with m.If(begins):
            m.d.sync += number.eq(0)
        with m.If(self.restart):
            m.d.sync += [runs.eq(0), left.eq(1)]
        with m.If(self.flush):
            m.d.sync += torn.eq(0)
        return (self.i.valid & takes & ~own) | (runs & wrong_length)
