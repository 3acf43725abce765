"""Codes in order become words of bit planes."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class PlanePacker(wiring.Component):
    """Appends up to `width` codes per cycle to a dense map and writes it word by word.

    Codes have the feature memory's planes (`fetch_planes`), or, where `groups` is more than 1, those of
    so many groups, which lie `distance` words apart and are written one after another.

    Ports: `start` (with `address`, the first word) begins a map; `valid` with `codes` (`width`
    codes side by side) and `count` (0 to `width` of them) appends while `ready`, which one group always
    is; `last`, with the last codes, writes the partial word too, if there is one. `w_en`, `w_address`,
    `w_data` go to the feature memory; `done` pulses with the write that ends the map, or in its place.
    Latency: one cycle from codes to the first write, `groups` more when the last codes fill a word and
    start another.
    """

    def __init__(self, config, *, width, groups=1):
        self._config, self._width, self._groups = config, width, groups
        self._code_bits = config.a_bits if groups > 1 else config.fetch_planes
        address = (config.feature_depth - 1).bit_length()
        super().__init__(
            {
                "start": In(1),
                "address": In(address),
                "distance": In(address),
                "valid": In(1),
                "ready": Out(1),
                "codes": In(width * self._code_bits),
                "count": In(width.bit_length()),
                "last": In(1),
                "w_en": Out(1),
                "w_address": Out(address),
                "w_data": Out(config.fetch_planes * config.fetch_bits),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fetch, planes, width = self._config.fetch_bits, self._config.fetch_planes, self._width
        fill = Signal(range(fetch))
        total = Signal(range(fetch + width))
        full, writes, flushing, flush = Signal(), Signal(), Signal(), Signal()
        # A word on its way: the group that is written, whether it ends the map.
        writing, group = Signal(), Signal(range(max(2, self._groups)))
        ends, empty_end = Signal(), Signal()
        group_ends = Signal()
        address = Signal.like(self.address)
        m.d.comb += [
            total.eq(fill + self.count),
            full.eq(total >= fetch),
            group_ends.eq(group == self._groups - 1),
            self.ready.eq((~writing | group_ends) & ~flushing),
            # An empty end of a map whose words are full writes nothing beyond them.
            writes.eq(self.valid & (full | (self.last & (total != 0)))),
            flush.eq(flushing & (~writing | group_ends)),
            self.w_en.eq(writing),
            self.done.eq((writing & group_ends & ends) | empty_end),
        ]
        m.d.sync += empty_end.eq(self.valid & self.last & (total == 0))
        with m.If(self.valid):
            m.d.sync += fill.eq(Mux(self.last, 0, total[: len(fill)]))
        with m.If(self.start):
            m.d.sync += [address.eq(self.address), fill.eq(0)]
        with m.Elif(writes | flush):
            m.d.sync += address.eq(address + 1)
        with m.If(writes | flush):
            m.d.sync += [
                writing.eq(1), group.eq(0), self.w_address.eq(address),
                ends.eq(flush | (self.last & (total <= fetch))),
            ]  # fmt: skip
        with m.Elif(writing):
            m.d.sync += [
                writing.eq(~group_ends), group.eq(group + 1),
                self.w_address.eq(self.w_address + self.distance),
            ]  # fmt: skip
        with m.If(self.valid & self.last & (total > fetch)):
            m.d.sync += flushing.eq(1)
        with m.Elif(flush):
            m.d.sync += flushing.eq(0)

        words = []
        for plane in range(self._code_bits):
            staged = Signal(max(fetch, width), name=f"staged_{plane}")
            incoming = Cat(
                self.codes[lane * self._code_bits + plane] & (lane < self.count)
                for lane in range(width)
            )
            merged = Signal(fetch + width, name=f"merged_{plane}")
            word = Signal(fetch, name=f"word_{plane}")
            m.d.comb += merged.eq(staged | Mux(self.valid, incoming << fill, 0))
            with m.If(writes | flush):
                m.d.sync += word.eq(merged)
            with m.If(self.start):
                m.d.sync += staged.eq(0)
            with m.Elif(self.valid):
                # What goes beyond the full word, and nothing after a word that ends the map.
                m.d.sync += staged.eq(Mux(full, merged >> fetch, Mux(self.last, 0, merged)))
            with m.Elif(flush):
                m.d.sync += staged.eq(0)
            words.append(word)
        groups = [Cat(words[first : first + planes]) for first in range(0, len(words), planes)]
        for number, data in enumerate(groups):
            with m.If(group == number):
                m.d.comb += self.w_data.eq(data)
        return m
