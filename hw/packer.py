"""Codes in order become words of bit planes."""

from amaranth import Array, Cat, Module, Mux, Signal
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
        # Where the next code goes; one bit for each place is less than a shifter for each plane, if all there
        # is to shift is one code.
        following, starts = Signal.like(fill), Signal(fetch, init=1)
        m.d.comb += following.eq(Mux(self.valid, total, fill))
        with m.If(self.start | (self.valid & self.last)):
            m.d.comb += following.eq(0)
        m.d.sync += [fill.eq(following), starts.eq(1 << following)]
        with m.If(self.start):
            m.d.sync += address.eq(self.address)
        with m.Elif(writes | flush):
            m.d.sync += address.eq(address + 1)
        with m.If(writes | flush):
            m.d.sync += [
                writing.eq(1), group.eq(0), self.w_address.eq(address),
                ends.eq(flush | (self.last & (total <= fetch))),
            ]  # fmt: skip
        with m.Elif(writing):
            m.d.sync += [
                writing.eq(~group_ends), group.eq(Mux(group_ends, 0, group + 1)),
                self.w_address.eq(self.w_address + self.distance),
            ]  # fmt: skip
        with m.If(self.valid & self.last & (total > fetch)):
            m.d.sync += flushing.eq(1)
        with m.Elif(flush):
            m.d.sync += flushing.eq(0)

        # Of the codes collected so far, a word that is full leaves what lies beyond it, a map nothing.
        fresh, spilled = Signal(init=1), Signal()
        ended = flush | (self.valid & self.last & (total <= fetch))
        with m.If(self.start | ended):
            m.d.sync += fresh.eq(1)
        with m.Elif(self.valid):
            m.d.sync += fresh.eq(0)
        with m.If(self.valid):
            m.d.sync += spilled.eq(full)
        words = []
        for plane in range(self._code_bits):
            collected = Signal(fetch + width - 1, name=f"collected_{plane}")
            rest = Signal.like(collected, name=f"rest_{plane}")
            incoming = [
                self.codes[lane * self._code_bits + plane] & (lane < self.count) & self.valid
                for lane in range(width)
            ]
            if width == 1:
                added = starts & incoming[0].replicate(fetch)
            else:
                added = Cat(incoming) << fill
            m.d.comb += rest.eq(Mux(fresh, 0, Mux(spilled, collected >> fetch, collected)))
            with m.If(self.valid | flush):
                m.d.sync += collected.eq(rest | added)
            words.append(collected[:fetch])
        groups = [Cat(words[first : first + planes]) for first in range(0, len(words), planes)]
        m.d.comb += self.w_data.eq(Array(groups)[group] if len(groups) > 1 else groups[0])
        return m
