"""Where the host port finds memories, above the registers. Addresses count 32-bit words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dorefa.golden.network.layer import MAX_BITS
from dorefa.golden.quantizers.gradient import SCALE_BITS, TABLE_BITS

from ..config.engine import EngineConfig
from . import program
from .parameters import rescale_layout
from .quantizers import quantizer_of
from .registers import REGISTER_BITS
from .weight_sources import weight_source


def bits_for(count: int) -> int:
    """Address bits of `count` things."""
    return (count - 1).bit_length()


@dataclass(frozen=True, kw_only=True)
class Window:
    """A memory of the host map: `select` in the top bits of the address, then, from the top, the
    number of the memory, the address within it and the 32-bit piece of its word.

    A word is written when its last piece is, so pieces go in ascending order.
    """

    name: str
    select: int
    memories: int
    depth: int
    width: int

    @property
    def pieces(self) -> int:
        """32-bit pieces of a word."""
        return -(-self.width // 32)

    @property
    def piece_bits(self) -> int:
        """Address bits of the piece."""
        return bits_for(self.pieces)

    @property
    def depth_bits(self) -> int:
        """Address bits of the word within a memory."""
        return bits_for(self.depth)

    @property
    def offset_bits(self) -> int:
        """Address bits within the window."""
        return self.piece_bits + self.depth_bits + bits_for(self.memories)

    @property
    def word_stride(self) -> int:
        """Addresses from a word to the next one of the same memory."""
        return 1 << self.piece_bits

    @property
    def memory_stride(self) -> int:
        """Addresses from a memory's first word to that of the next memory."""
        return 1 << self.depth_bits + self.piece_bits

    def offset(self, memory: int, address: int, piece: int = 0) -> int:
        """Word offset of a piece within the window."""
        return (((memory << self.depth_bits) | address) << self.piece_bits) | piece

    def write_ports(self, engines: int) -> dict[str, object]:
        """Port name -> shape of a component that holds one of `engines` equal parts of the memories; `en` has
        a bit for each."""
        return {
            "en": self.memories // engines,
            "address": range(max(2, self.depth)),
            "data": self.width,
        }


@dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """Registers at 0, which repeat up to the first window, and windows of equal size: program, weights
    (unless they stream in), quantizer parameters, rescaling parameters where there are residual trunks, and
    the tables of the quantizers of gradients and weights where the engine trains."""

    program: Window
    weights: Window | None
    params: Window
    rescale: Window | None
    reciprocals: Window | None
    thresholds: Window | None

    @classmethod
    def of(cls, config: EngineConfig) -> MemoryMap:
        """The map of an engine of this configuration."""
        quantizer = quantizer_of(config)
        stages = quantizer.stages(config)
        weights = rescale = reciprocals = thresholds = None
        if weight_source(config).preloads:
            weights = Window(
                name="weights",
                select=2,
                memories=config.total_rows,
                width=config.lanes,
                depth=config.weight_depth,
            )
        if config.trunk_bits:
            rescale = Window(
                name="rescale",
                select=4,
                memories=config.total_quant,
                width=rescale_layout(config).size,
                depth=config.param_depth,
            )
        if config.training:
            reciprocals = Window(
                name="reciprocals",
                select=5,
                memories=1,
                width=MAX_BITS + TABLE_BITS,
                depth=(1 << SCALE_BITS) + 1,
            )
            thresholds = Window(name="thresholds", select=6, memories=1, width=32, depth=1 << MAX_BITS)
        return cls(
            program=Window(
                name="program",
                select=1,
                memories=1,
                width=program.WORD_BITS,
                depth=config.layer_depth * program.words_per_layer(config),
            ),
            weights=weights,
            params=Window(
                name="params",
                select=3,
                memories=config.total_quant * stages,
                width=quantizer.word_bits(config),
                depth=config.param_depth << (stages - 1),
            ),
            rescale=rescale,
            reciprocals=reciprocals,
            thresholds=thresholds,
        )

    @property
    def windows(self) -> tuple[Window, ...]:
        """The memories' windows."""
        every = (
            self.program,
            self.weights,
            self.params,
            self.rescale,
            self.reciprocals,
            self.thresholds,
        )
        return tuple(window for window in every if window is not None)

    @property
    def select_shift(self) -> int:
        """Lowest address bit of the three that select a window."""
        return max(REGISTER_BITS, *(window.offset_bits for window in self.windows))

    @property
    def address_bits(self) -> int:
        """Bits of a word address on the host port."""
        return self.select_shift + 3

    def address(self, window: Window, memory: int, address: int, piece: int = 0) -> int:
        """Word address of a piece of a memory word."""
        return (window.select << self.select_shift) | window.offset(memory, address, piece)

    def writes(self, window: Window, memory: int, address: int, word: int) -> Iterator[tuple[int, int]]:
        """(address, data) pairs that write `word`."""
        for piece in range(window.pieces):
            yield (
                self.address(window, memory, address, piece),
                (word >> (32 * piece)) & 0xFFFFFFFF,
            )
