# amaranth: UnusedElaboratable=no
"""A layer whose map is computed when it is whole, while the next one comes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dorefa.golden.lowering.integer_network import IntegerLayer

from ...lib.delay import delayed
from ..slots.layer import stored_bits, stored_codes
from ..slots.slot import slot_signature
from ..slots.stream import Stream
from .array import RomArray
from .banks import MapBanks
from .drain import RomDrain
from .flush import Flush
from .sizes import RomSizes
from .walk import Walk

# What a block RAM is worth: devices have one for about 400 cells, of which a network needs most.
_RAM_CELLS = 100


class RomStage(wiring.Component):
    """An IntegerLayer whose map comes as slots, computed by an array of `sizes`.

    absorbs: as of :class:`..kernel.kernel.KernelOptions`; flush: blank slots that leave behind a map;
    settle: cycles in front of and behind the restart that ends them. Ports `i` and `o` as of
    :class:`..stage.LayerStage`, but a result leaves number by number; a map leaves while the next one comes.
    """

    structure = "rom"

    def __init__(self, sizes: RomSizes, *, absorbs: bool, flush: int = 0, settle: int = 1) -> None:
        self.sizes, self.absorbs, self.flush, self.settle = sizes, absorbs, flush, settle
        super().__init__(
            {
                "i": In(slot_signature(sizes.shape[2] * self.layer.a_bits)),
                "o": Out(slot_signature(self.numbers * self.out_bits)),
            }
        )

    @property
    def layer(self) -> IntegerLayer:
        """The layer."""
        return self.sizes.layer

    @property
    def out_bits(self) -> int:
        """Bits of what leaves, per channel."""
        return stored_bits(self.layer)

    @property
    def steps(self) -> int:
        """Cycles that a pixel takes that leaves."""
        return self.sizes.pace

    @property
    def numbers(self) -> int:
        """Channels in a slot that leaves."""
        return 1 if self.layer.is_result else self.layer.out_channels

    @property
    def busy(self) -> int:
        """Cycles that a map takes, and what leaves behind it: maps may come as far apart."""
        banks, walk, *_ = self._parts
        more = self.flush * self.sizes.pace + 2 * self.settle if self.flush else 0
        # The steps are as late behind the words that come, of which the first must not be needed any more.
        late = banks.write_latency + walk.latency
        if self.sizes.last_reads(late) < late:
            more = max(more, late)
        return self.sizes.cycles + more

    def estimate(self) -> int:
        """Cells, and what block RAMs are worth, more or less: for comparisons between structures."""
        return self.sizes.estimate() + _RAM_CELLS * self.sizes.weight_rams

    @cached_property
    def _parts(self) -> tuple[MapBanks, Walk, RomArray, RomDrain]:
        sizes = self.sizes
        return MapBanks(sizes), Walk(sizes), RomArray(sizes, absorbs=self.absorbs), RomDrain(sizes)

    @cached_property
    def latency(self) -> int:
        """Cycles from the last slot of a map to the last one of its first pixel."""
        banks, walk, array, drain = self._parts
        first = self.sizes.pace - 1  # its last step
        return banks.write_latency + walk.latency + first + banks.latency + array.latency + drain.latency

    def passed(self, stream: Stream) -> Stream:
        """What leaves, of what enters."""
        return Stream.origin(self.sizes.positions, self.sizes.pace, stream.last + self.latency)

    def elaborate(self, platform: Any) -> Module:
        m, layer, sizes = Module(), self.layer, self.sizes
        m.submodules.banks, m.submodules.walk, m.submodules.array, m.submodules.drain = self._parts
        banks, walk, array, drain = self._parts
        wiring.connect(m, wiring.flipped(self.i), banks.i)
        words = sizes.weight_words()
        m.submodules.weights = weights = Memory(
            shape=len(array.weights), depth=len(words), init=words, attrs={"rom_style": "block"}
        )
        read = weights.read_port()
        # As late as the words of the map.
        weight = delayed(m, read.data, banks.latency - 1, "weight", reset_less=True)
        m.d.comb += [
            walk.start.eq(banks.full),
            banks.address.eq(walk.address),
            banks.inside.eq(walk.inside),
            read.addr.eq(walk.weight),
            array.codes.eq(banks.word),
            array.weights.eq(weight),
            array.first.eq(delayed(m, walk.first, banks.latency, "first")),
            drain.load.eq(delayed(m, walk.last, banks.latency + array.latency, "last")),
            drain.sums.eq(array.sums),
            drain.total.eq(array.total),
        ]
        slots = slot_signature(len(drain.word)).create()
        m.d.comb += [slots.valid.eq(drain.valid), slots.word.eq(drain.word)]
        if self.flush:
            m.submodules.flush = flush = Flush(
                slots=sizes.positions,
                bits=len(slots.word),
                count=self.flush,
                pace=sizes.pace,
                settle=self.settle,
            )
            wiring.connect(m, slots, flush.i)
            slots = flush.o
        m.d.comb += [
            self.o.valid.eq(slots.valid),
            self.o.blank.eq(slots.blank),
            self.o.restart.eq(slots.restart),
            self.o.word.eq(slots.word if layer.is_result else stored_codes(m, layer, slots.word)),
        ]
        return m
