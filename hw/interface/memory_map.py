"""Where the host port finds registers and memories. Addresses count 32-bit words."""

from __future__ import annotations

from dataclasses import dataclass

from . import program
from .parameters import quantizer_bits, rescale_layout

IDENTITY = 0x444F5245  # "DORE"
VERSION = 2

# name: (word address, access, meaning)
REGISTERS = {
    "identity": (0, "ro", "0x444F5245"),
    "version": (1, "ro", "version of this map"),
    "control": (2, "rw", "bit 0: accept images"),
    "layers": (3, "rw", "passes of the program: layers, or parts of layers"),
    "image_bytes": (4, "rw", "bytes of one image packet"),
    "status": (
        5,
        "rw",
        "bit 0: busy; bit 1: an image had another length and was dropped; bit 2: a pass's "
        "weights had another length; bit 3: a residual trunk came back with another length (write 1 "
        "to clear)",
    ),
    "cycles": (6, "ro", "cycles of the last image, from its first feature read to its last result"),
    "array": (7, "ro", "bits 11-0 lanes, 23-12 rows, 31-24 columns"),
    "widths": (8, "ro", "bits 7-0 w_bits, 15-8 a_bits, 23-16 out_bits, 31-24 channels per quantizer cycle"),
}
REGISTER_BITS = 4  # of an address that tell registers apart


def bits_for(count):
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
    (unless they stream in), quantizer parameters, and rescaling parameters where there are residual
    trunks."""

    program: Window
    weights: Window | None
    params: Window
    rescale: Window | None

    @classmethod
    def of(cls, config) -> MemoryMap:
        """The map of an engine of this configuration."""
        thresholds = config.quantizer == "thresholds"
        stages = config.out_bits if thresholds else 1
        weights = rescale = None
        if config.weights == "onchip":
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
                width=quantizer_bits(config),
                depth=config.param_depth << (stages - 1),
            ),
            rescale=rescale,
        )

    @property
    def windows(self) -> tuple[Window, ...]:
        """The memories' windows."""
        every = (self.program, self.weights, self.params, self.rescale)
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

    def writes(self, window: Window, memory: int, address: int, word: int):
        """(address, data) pairs that write `word`."""
        for piece in range(window.pieces):
            yield (
                self.address(window, memory, address, piece),
                (word >> (32 * piece)) & 0xFFFFFFFF,
            )
