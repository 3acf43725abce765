"""Weights that stream in pass by pass: one half of the weight memory fills while the other computes."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface.streams import beats_per_word, rows_per_beat, weights_layout


class WeightLoader(wiring.Component):
    """Takes one packet per pass of the program, in its order, and again for every image.

    A packet holds, address by address, the word of every row in turn, lowest bits first; a word
    begins with a beat, or several words share one where the beat is wide enough. The packets of an
    image are accepted from its first byte on (`image_begins`), each as soon as its half is free.

    Ports: `i`; `image_begins`, `passes`, `finished` (the image's last result left); `available`: the
    weights of the next pass are there; `taken` (pulse: that pass is computed); `expected`, the addresses
    that the pass should have, and `wrong` while it has not; `w_en` (per row), `w_address`, `w_data` (the
    words of a beat, the first row's lowest).

    With `training`, `hold`: the packet of the image's only pass stays for the images that follow, until
    `hold` is low while none runs, if only for a cycle or that of the next image's first byte.

    Latency: one cycle from a word's last beat to its write, two from a packet's last beat to `available`.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(weights_layout(config))),
                "image_begins": In(1),
                "passes": In(config.layer_depth.bit_length()),
                "finished": In(1),
                "available": Out(1),
                "taken": In(1),
                "expected": In(range(config.weight_depth // 2 + 2)),
                "wrong": Out(1),
                "w_en": Out(config.total_rows),
                "w_address": Out(range(max(2, config.weight_depth))),
                "w_data": Out(config.lanes * rows_per_beat(config)),
                **({"hold": In(1)} if config.training else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        half_depth = config.weight_depth // 2
        together, parts = rows_per_beat(config), beats_per_word(config)
        steps = -(-config.total_rows // together)
        running = Signal()
        packets_left = Signal.like(self.passes)
        row, part = Signal(range(max(2, steps))), Signal(range(max(2, parts)))
        address = Signal(range(half_depth + 2))
        filling, reading = Signal(), Signal()
        full = Signal(2)
        lengths = [Signal.like(address, name=f"length_{half}") for half in range(2)]
        beat, word_ends, address_ends = Signal(), Signal(), Signal()
        beat_bits = 8 * config.port_bytes
        earlier = Signal((parts - 1) * beat_bits)
        m.d.comb += [
            self.i.ready.eq(running & (packets_left != 0) & ~full.bit_select(filling, 1)),
            beat.eq(self.i.valid & self.i.ready),
            word_ends.eq(part == parts - 1),
            address_ends.eq(word_ends & (row == steps - 1)),
            self.wrong.eq(self.available & (Mux(reading, lengths[1], lengths[0]) != self.expected)),
        ]
        m.d.sync += [
            # A cycle behind, when the packet's last word is in the memory.
            self.available.eq(full.bit_select(reading, 1) & ~self.taken),
            self.w_en.eq(
                Cat(
                    (row == number // together) & beat & word_ends & (address != half_depth)
                    for number in range(config.total_rows)
                )
            ),
            self.w_address.eq(address + Mux(filling, half_depth, 0)),
            self.w_data.eq(Cat(earlier, self.i.payload.data)),
        ]
        with m.If(beat):
            if parts > 1:
                m.d.sync += earlier.eq(Cat(earlier, self.i.payload.data)[beat_bits:])
            m.d.sync += part.eq(Mux(word_ends, 0, part + 1))
            with m.If(word_ends):
                m.d.sync += row.eq(Mux(row == steps - 1, 0, row + 1))
            # What does not fit is counted but not kept, so that the wrong length is seen.
            with m.If(address_ends & (address != half_depth)):
                m.d.sync += address.eq(address + 1)
            with m.If(self.i.payload.last):
                m.d.sync += [filling.eq(~filling), row.eq(0), part.eq(0), address.eq(0)]
                m.d.sync += packets_left.eq(packets_left - 1)
                for half in range(2):
                    with m.If(filling == half):
                        # A packet that ends within an address has no length that a pass has.
                        m.d.sync += full[half].eq(1)
                        m.d.sync += lengths[half].eq(Mux(address_ends, address + 1, 0))
        empty = [running.eq(0), filling.eq(0), reading.eq(0), full.eq(0), packets_left.eq(0)]
        taken, finished, begins = self.taken, self.finished, ~running & self.image_begins
        if config.training:
            held = Signal()
            drops = held & ~self.hold
            with m.If(self.finished):
                m.d.sync += held.eq(self.hold)
            with m.If(drops):
                m.d.sync += [held.eq(0), *empty]
            taken, finished = taken & ~self.hold, finished & ~self.hold
            begins = (~running | drops) & self.image_begins
        with m.If(taken):
            m.d.sync += reading.eq(~reading)
            for half in range(2):
                with m.If(reading == half):
                    m.d.sync += full[half].eq(0)
        # Every image starts with the first half, where the program expects its first pass.
        with m.If(begins):
            m.d.sync += [running.eq(1), packets_left.eq(self.passes)]
        with m.If(finished):
            m.d.sync += empty
        return m
