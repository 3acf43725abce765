"""Float32 weights to codes, by thresholds that :mod:`dorefa.golden.quantizers.weight_thresholds` finds."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dorefa.golden import checks
from dorefa.golden.network.layer import MAX_BITS

from ...lib.delay import delayed
from .beats import mark_layout
from .greatest import Greatest, greatest_latency

PATTERN_BITS = 32
# Up to this many thresholds of a stage answer like registers; more are a block RAM, which is slow.
_FEW = 16


def _stage_cycles(stage: int) -> int:
    """Cycles of a stage of the search: a memory's answer, a register behind a slow one, the comparison."""
    if stage == 0:
        return 1
    return 2 if 1 << stage <= _FEW else 3


class WeightQuantizer(wiring.Component):
    """Codes of a layer's weights, `lanes` a cycle: ``code = number of thresholds t, 1 to n, <= weight``.

    The weights come twice: the first packet, with `measure`, gives the greatest magnitude, from which the
    host finds the thresholds; the second one gives codes. A binary search: each of eight stages compares
    with one threshold, chosen by the bits found so far.

    Ports:

    - `mark` (:func:`.mark_layout`) and `words`, a beat: patterns of finite float32. Beats may come every
      cycle; none can be refused.
    - What a packet is quantized with, held from its first beat until its last code has left: `measure`;
      `w_bits`, W, 1 to 8.
    - `largest`: the pattern of the greatest magnitude, right from :attr:`largest_latency` cycles after the
      last words that are measured until the next packet that is measured.
    - `code_mark` and `codes`: the codes of a beat, :attr:`latency` cycles after its words.
    - `w_en`, `w_address` (t, 1 to n), `w_data` write a threshold, a word of
      :func:`.weight_thresholds.threshold_words`; those above n need not be written.
    """

    latency = sum(_stage_cycles(stage) for stage in range(MAX_BITS))

    def __init__(self, *, lanes: int) -> None:
        self._lanes = checks.integer(lanes, "lanes", 1)
        self.largest_latency = greatest_latency(lanes)
        super().__init__(
            {
                "mark": In(mark_layout(lanes)),
                "words": In(PATTERN_BITS).array(lanes),
                "measure": In(1),
                "w_bits": In(range(MAX_BITS + 1)),
                "largest": Out(PATTERN_BITS - 1),
                "code_mark": Out(mark_layout(lanes)),
                "codes": Out(MAX_BITS).array(lanes),
                "w_en": In(1),
                "w_address": In(MAX_BITS),
                "w_data": In(PATTERN_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.greatest = greatest = Greatest(lanes=self._lanes, bits=PATTERN_BITS - 1)
        mark = Signal.like(self.mark)
        m.d.comb += [
            greatest.mark.eq(self.mark),
            greatest.mark.valid.eq(self.mark.valid & self.measure),
            *(value.eq(word) for value, word in zip(greatest.values, self.words, strict=True)),
            self.largest.eq(greatest.o),
            mark.eq(self.mark),
            mark.valid.eq(self.mark.valid & ~self.measure),
            self.code_mark.eq(delayed(m, mark, self.latency, "mark")),
        ]
        # Stage s compares with a threshold t whose lowest bit that is set is this one; above n there is none.
        place = [MAX_BITS - 1 - stage for stage in range(MAX_BITS)]
        written = [Signal(name=f"written_{stage}") for stage in range(MAX_BITS)]
        used = [Signal(name=f"used_{stage}") for stage in range(MAX_BITS)]
        for stage in range(MAX_BITS):
            lowest = self.w_address[: place[stage] + 1] == 1 << place[stage]
            m.d.comb += [written[stage].eq(self.w_en & lowest), used[stage].eq(self.w_bits > place[stage])]
        first = Signal(PATTERN_BITS, reset_less=True)
        with m.If(written[0]):
            m.d.sync += first.eq(self.w_data)
        for lane in range(self._lanes):
            word = self.words[lane]
            # In the order of patterns a negative one of greater magnitude is less; -0 is just below 0.
            value, bits = word ^ (word[-1].replicate(PATTERN_BITS - 1)), Signal(0)
            for stage in range(MAX_BITS):
                waits = _stage_cycles(stage) - 1
                name = f"{lane}_{stage}"
                threshold: Value = first
                if stage:
                    address = self.w_address[place[stage] + 1 :]
                    threshold = self._stored(m, name, written[stage], address, bits)
                    threshold = delayed(m, threshold, waits - 1, f"threshold_{name}", reset_less=True)
                value = delayed(m, value, waits, f"waits_{name}", reset_less=True)
                bits = delayed(m, bits, waits, f"bits_{name}", reset_less=True)
                reached = used[stage] & (value.as_signed() >= threshold.as_signed())
                value = delayed(m, value, 1, f"value_{name}", reset_less=True)
                bits = delayed(m, Cat(reached, bits), 1, f"found_{name}", reset_less=True)
            m.d.comb += self.codes[lane].eq(bits)
        return m

    def _stored(self, m: Module, name: str, written: Value, address: Value, found: Value) -> Value:
        """The threshold of a stage that belongs to the bits found so far, a cycle later."""
        m.submodules[f"thresholds_{name}"] = memory = Memory(
            shape=PATTERN_BITS, depth=1 << len(found), init=[]
        )
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(written),
            write.addr.eq(address),
            write.data.eq(self.w_data),
            read.addr.eq(found),
            read.en.eq(1),
        ]
        return read.data
