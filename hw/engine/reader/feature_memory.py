"""Feature maps in bit planes: one plane per activation bit, `x * C + c` packed densely."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface.readers import reader_of
from ...lib.delay import delayed
from ...lib.thermometer import reached


class FeatureMemory(wiring.Component):
    """Reads `fetch_bits` bits of every plane from any bit address; writes aligned words.

    A plane is an array of words of `fetch_bits` bits. Even words lie in bank 0 and odd words in
    bank 1, at address ``word >> 1``, so that two neighbours are read at once and a funnel shifter
    picks the bits. The planes that a quantized layer can write lie in ``bank0`` and ``bank1``, plane
    p at bits ``[p * fetch_bits, (p + 1) * fetch_bits)`` of a row; the planes that only an image uses
    lie likewise in ``image_bank0`` and ``image_bank1``, which are shallower.

    Ports: `r_address` (address of a bit) and `o`, the bits from there on, plane p at bits
    ``[p * fetch_bits, (p + 1) * fetch_bits)``; where columns share reads, each bit is at its place in its
    word, and the reader turns them. `w_en`, `w_address` (word), `w_data` (laid out like `o`).

    Latency: four cycles from `r_address` to `o`, :attr:`latency`; where columns share reads two,
    :attr:`unturned_latency`.
    """

    latency = 4
    unturned_latency = 2

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        planes, fetch = config.fetch_planes, config.fetch_bits
        super().__init__(
            {
                "r_address": In(config.feature_address_bits),
                "o": Out(planes * fetch),
                "w_en": In(1),
                "w_address": In((config.feature_depth - 1).bit_length()),
                "w_data": In(planes * fetch),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        fetch, shift_bits = config.fetch_bits, config.fetch_bits.bit_length() - 1
        word = self.r_address[shift_bits:]
        # From the place of the window's first bit on, the bits are those of its first word, before it those
        # of its second one. `odd` marks those in the word of odd number.
        odd = Signal(fetch, reset_less=True)
        first = delayed(m, self.r_address[: shift_bits + 1], 1, "first")
        m.d.sync += odd.eq(~(reached(first[:shift_bits], fetch) ^ first[-1].replicate(fetch)))
        turns = reader_of(config).turns
        if turns:
            turn = [delayed(m, first[:shift_bits], cycles, f"turn{cycles}") for cycles in (1, 2)]

        classes = [("", config.out_bits, config.feature_depth)]
        if config.image_planes:
            classes.append(("image_", config.image_planes, config.image_depth))
        lowest = 0
        for prefix, planes, depth in classes:
            bits = slice(lowest * fetch, (lowest + planes) * fetch)
            outputs = []
            for bank in range(2):
                memory = Memory(shape=planes * fetch, depth=-(-depth // 2), init=[])
                m.submodules[f"{prefix}bank{bank}"] = memory
                write, read = memory.write_port(), memory.read_port()
                # Maps beyond the image planes' depth have no codes that wide.
                exists = self.w_address < 2 * memory.depth
                m.d.comb += [
                    # The window's second word is the odd one unless the first is.
                    read.addr.eq((word + 1 if bank == 0 else word) >> 1),
                    read.en.eq(1),
                    write.addr.eq(self.w_address >> 1),
                    write.data.eq(self.w_data[bits]),
                    write.en.eq(self.w_en & (self.w_address[0] == bank) & exists),
                ]
                # A block RAM is slow to answer: nothing but a register is behind it.
                outputs.append(delayed(m, read.data, 1, f"{prefix}word{bank}", reset_less=True))
            for plane in range(planes):
                even_word, odd_word = (word.word_select(plane, fetch) for word in outputs)
                window = (even_word & ~odd) | (odd_word & odd)
                if turns:
                    window = self._turned(m, window, turn, lowest + plane)
                m.d.comb += self.o.word_select(lowest + plane, fetch).eq(window)
            lowest += planes
        return m

    def _turned(self, m: Module, window: Value, turn: list[Value], plane: int) -> Value:
        """The `window`, its first bit lowest, two cycles later. `turn`: where that bit was, one cycle and two
        cycles later."""
        levels = len(turn[0])
        for level in range(levels):
            late = level >= levels // 2
            turned = Signal(len(window), name=f"turned_{plane}_{level}")
            m.d.comb += turned.eq(Mux(turn[late][level], window.rotate_right(1 << level), window))
            window = turned
            if level == levels // 2 - 1:
                window = delayed(m, turned, 1, f"half_turned_{plane}", reset_less=True)
        return delayed(m, window, 1, f"turned_{plane}", reset_less=True)
