"""Gradient words to codes: :mod:`dorefa.golden.quantizers.gradient` in hardware."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dorefa.golden import checks
from dorefa.golden.network.layer import MAX_BITS
from dorefa.golden.quantizers.gradient import FRACTION_BITS, NOISE_BITS, SCALE_BITS, TABLE_BITS, WORD_BITS
from dorefa.golden.quantizers.noise import DEGREE

from ...lib.delay import delayed
from ...lib.noise_source import MOST_LANES, NoiseSource
from .beats import mark_layout
from .greatest import Greatest, greatest_latency

RECIPROCAL_BITS = MAX_BITS + TABLE_BITS
# Bits of a word plus k STEP once they are shifted to the left as far as their k allows.
_SHIFTED_BITS = WORD_BITS + 1
_G_BITS = range(MAX_BITS + 1)


def scale_latency(lanes: int) -> int:
    """Cycles from a packet's last words to its scale."""
    # One more for the scale, and one because its reciprocal takes three cycles where words take two.
    return greatest_latency(lanes) + 2


class GradientQuantizer(wiring.Component):
    """Scale and codes of a sample's words, `lanes` (1 to 8) a cycle, Eq. 12 to 14 in integers.

    A sample is two packets of the same words: the first one, with `measure`, gives the scale k, the second
    one codes. Words are -LARGEST_WORD..LARGEST_WORD. `scale_bits` as the constant of golden.

    Ports:

    - `mark` (:func:`.mark_layout`) and `words`, a beat. Beats may come every cycle; none can be refused.
    - What a packet is quantized with, held from its first beat until its last code has left: `measure`;
      `noise`, 0 rounds to nearest; `state`, of the sample's stream (:func:`.noise.stream_state`); `g_bits`,
      G, 1 to 8.
    - `scale`: k, right from :attr:`scale_latency` cycles after the last words that are measured until the
      first words of the next packet that is measured. From then on words may come to be quantized.
    - `code_mark` and `codes`: the codes of a beat, :attr:`latency` cycles after its words.
    - `w_en`, `w_address` (k), `w_data` write the table of G (:func:`.gradient.reciprocals`); entry 0 is
      not kept.
    """

    # k STEP added; shifted; multiplied; noise added.
    latency = 4

    def __init__(self, *, lanes: int, scale_bits: int = SCALE_BITS) -> None:
        self._lanes = checks.integer(lanes, "lanes", 1, MOST_LANES)
        self._scale_bits = checks.integer(scale_bits, "scale_bits", 1, WORD_BITS - 2)
        self.scale_latency = scale_latency(lanes)
        super().__init__(
            {
                "mark": In(mark_layout(lanes)),
                "words": In(signed(WORD_BITS)).array(lanes),
                "measure": In(1),
                "noise": In(1),
                "state": In(DEGREE),
                "g_bits": In(_G_BITS),
                "scale": Out(scale_bits + 1),
                "code_mark": Out(mark_layout(lanes)),
                "codes": Out(MAX_BITS).array(lanes),
                "w_en": In(1),
                "w_address": In(scale_bits + 1),
                "w_data": In(RECIPROCAL_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._measure(m)
        zero, reciprocal, shift = self._factors(m)
        m.submodules.noise_source = source = NoiseSource(lanes=self._lanes)
        marks = [self.mark]
        for stage in range(self.latency):
            mark = Signal(mark_layout(self._lanes), name=f"mark_{stage}")
            m.d.sync += mark.eq(marks[-1])
            if stage == 0:
                m.d.sync += mark.valid.eq(self.mark.valid & ~self.measure)
            marks.append(mark)
        before, adding, leaving = marks[-3:]
        m.d.comb += [
            self.code_mark.eq(leaving),
            source.state.eq(self.state),
            # A cycle before the first codes take their noise.
            source.load.eq(before.valid & before.first),
            source.step.eq(adding.valid),
        ]
        for lane in range(self._lanes):
            noise = source.o.word_select(lane, NOISE_BITS)
            self._quantize(m, lane, zero, shift, reciprocal, noise)
        return m

    def _measure(self, m: Module) -> None:
        """k: the greatest of ceil(|word| / STEP), without a carry chain for any of them."""
        s, low = self._scale_bits, WORD_BITS - 1 - self._scale_bits
        m.submodules.greatest = greatest = Greatest(lanes=self._lanes, bits=s + 1)
        m.d.comb += [greatest.mark.eq(self.mark), greatest.mark.valid.eq(self.mark.valid & self.measure)]
        for lane in range(self._lanes):
            word = self.words[lane].as_unsigned()
            sign = word[-1]
            # ceil is `part + more`; such pairs have the order of their sums.
            part, more = word[low:-1] ^ sign.replicate(s), sign | word[:low].any()
            rounded = Signal(s + 1, name=f"rounded_{lane}")
            m.d.comb += [rounded.eq(Cat(more, part)), greatest.values[lane].eq(rounded)]
        m.d.sync += self.scale.eq(greatest.o[1:] + greatest.o[0])

    def _factors(self, m: Module) -> tuple[Value, Value, Value]:
        """(whether k is 0, the reciprocal, one cycle before it how far to shift) of the scale."""
        s = self._scale_bits
        m.submodules.table = table = Memory(shape=RECIPROCAL_BITS, depth=1 << s, init=[])
        write, read = table.write_port(), table.read_port()
        zero = Signal()
        shift, reciprocal = Signal(range(s + 2)), Signal(RECIPROCAL_BITS)
        m.d.comb += [
            zero.eq(self.scale == 0),
            # The greatest scale lies at address 0, which no other needs.
            write.en.eq(self.w_en & (self.w_address != 0)),
            write.addr.eq(self.w_address),
            write.data.eq(self.w_data),
            read.addr.eq(self.scale),
            read.en.eq(1),
        ]
        # A sample of zeros has the sums 2^(WORD_BITS - 1): with this shift and reciprocal, codes 2^(G - 1).
        m.d.sync += shift.eq(1)
        for place in range(s + 1):
            with m.If(self.scale[place]):
                m.d.sync += shift.eq(s - place)
        middle = Const(1 << (FRACTION_BITS - WORD_BITS)) << (self.g_bits - 1)[:3]
        # A block RAM is slow to answer: nothing but a register is behind it.
        answer = delayed(m, read.data, 1, "answer", reset_less=True)
        m.d.sync += reciprocal.eq(Mux(zero, middle, answer))
        return zero, reciprocal, shift

    def _quantize(
        self, m: Module, lane: int, zero: Value, shift: Value, reciprocal: Value, noise: Value
    ) -> None:
        """The code of a word, :attr:`latency` cycles later; `noise` is there in the last of them."""
        s, low = self._scale_bits, WORD_BITS - 1 - self._scale_bits

        def register(bits: int, name: str) -> Signal:
            return Signal(bits, name=f"{name}_{lane}", reset_less=True)

        offset, shifted = register(WORD_BITS, "offset"), register(_SHIFTED_BITS, "shifted")
        product = register(FRACTION_BITS + MAX_BITS, "product")
        code = register(MAX_BITS, "code")
        word = self.words[lane]
        # The lowest bit of the noise, and all below it, add to no carry.
        least = FRACTION_BITS - 1 - NOISE_BITS
        half = Const(1 << NOISE_BITS, NOISE_BITS + 1)
        total = Signal(MAX_BITS + NOISE_BITS + 1, name=f"total_{lane}")
        scale = Cat(self.scale[:s], self.scale[s] | zero)
        m.d.sync += [
            offset.eq(Cat(word[:low], word[low:] + scale)),
            shifted.eq(offset << shift),
            product.eq(shifted * reciprocal),
            code.eq(total[NOISE_BITS + 1 :]),
        ]
        m.d.comb += [
            total.eq(product[least:] + Mux(self.noise, Cat(Const(1, 1), noise), half)),
            self.codes[lane].eq(code),
        ]
