"""Codes in order become words of bit planes."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class PlanePacker(wiring.Component):
    """Appends up to `width` codes per cycle to a dense map and writes it word by word.

    Ports: `start` (with `address`, the first word) begins a map; `valid` with `codes` (`width`
    codes of `a_bits` bits side by side) and `count` (0 to `width` of them) appends; `last`, with the
    last codes, writes the partial word too, if there is one. `w_en`, `w_address`, `w_data` go to the
    feature memory; `done` pulses with the write that ends the map, or in its place. Latency: one
    cycle from codes to the write, one more when the last codes fill a word and start another.
    """

    def __init__(self, config):
        self._config = config
        self._width = max(config.total_quant, config.port_bytes)
        address = (config.feature_depth - 1).bit_length()
        super().__init__(
            {
                "start": In(1),
                "address": In(address),
                "valid": In(1),
                "codes": In(self._width * config.a_bits),
                "count": In(self._width.bit_length()),
                "last": In(1),
                "w_en": Out(1),
                "w_address": Out(address),
                "w_data": Out(config.a_bits * config.fetch_bits),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        planes, fetch, width = self._config.a_bits, self._config.fetch_bits, self._width
        fill = Signal(range(fetch))
        full = Signal()
        flushing = Signal()
        address = Signal.like(self.address)
        total = Signal(range(fetch + width))
        m.d.comb += [
            total.eq(fill + self.count),
            full.eq(total >= fetch),
        ]
        m.d.sync += [
            # An empty end of a map whose words are full writes nothing beyond them.
            self.w_en.eq((self.valid & (full | (self.last & (total != 0)))) | flushing),
            self.w_address.eq(address),
            self.done.eq((self.valid & self.last & (total <= fetch)) | flushing),
            flushing.eq(self.valid & self.last & (total > fetch)),
        ]
        with m.If(self.valid):
            m.d.sync += fill.eq(Mux(self.last, 0, total[: len(fill)]))
        with m.If(self.start):
            m.d.sync += [address.eq(self.address), fill.eq(0)]
        with m.Elif(flushing | (self.valid & (full | self.last))):
            m.d.sync += address.eq(address + 1)

        for plane in range(planes):
            staged = Signal(max(fetch, width), name=f"staged_{plane}")
            incoming = Cat(
                self.codes[lane * self._config.a_bits + plane] & (lane < self.count)
                for lane in range(width)
            )
            merged = Signal(fetch + width, name=f"merged_{plane}")
            m.d.comb += merged.eq(staged | Mux(self.valid, incoming << fill, 0))
            m.d.sync += self.w_data[plane * fetch : (plane + 1) * fetch].eq(merged)
            with m.If(self.start):
                m.d.sync += staged.eq(0)
            with m.Elif(self.valid):
                # What goes beyond the full word, and nothing after a word that ends the map.
                m.d.sync += staged.eq(Mux(full, merged >> fetch, Mux(self.last, 0, merged)))
            with m.Elif(flushing):
                m.d.sync += staged.eq(0)
        return m
