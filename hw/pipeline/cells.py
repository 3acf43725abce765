"""Cells and block RAMs of a pipeline on ECP5, before anything is synthesized.

What stands in carry chains is counted, cell by cell. The rest is logic that Yosys makes, by rules of thumb
that were measured: comparisons with constants, maxima, multiplexers, memories in tables, counters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Fragment, Instance
from amaranth.lib import wiring

from ..fabric.families import FabricPlatform
from .pipeline import Pipeline
from .plan import PipelinePlan, Stage
from .rom.drain import TABLE_BITS
from .rom.stage import RomStage
from .slots.memories import block_rams, is_block
from .slots.pool import PoolStage
from .slots.raster import Raster
from .stage import LayerStage

FABRIC = "ecp5"  # whose cells these are
_TABLE_CELLS = 6  # of a memory of 16 words of 4 bits in tables
_SOURCE, _ERRORS = 50, 25
_WALK, _BANKS, _DRAIN = 50, 20, 12


@dataclass(frozen=True)
class Size:
    """Packed logic cells and block RAMs of 18 Kbit."""

    cells: int
    rams: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.cells + other.cells, self.rams + other.rams)


def predicted(plan: PipelinePlan) -> Size:
    """The size of a plan whose sums are in carry chains: one made with `absorbs`."""
    last = plan.stages[-1]
    pipeline = Pipeline(plan)
    width = last.numbers * last.out_bits
    queue = _tables(width, plan.depth) + 10 * plan.depth.bit_length()
    # Numbers of a slot leave one by one.
    queue += int(0.65 * width) if last.numbers > 1 else 0
    total = origin_size() + Size(_chained(pipeline) + queue)
    for stage in plan.stages:
        total += _around_chains(stage)
    for adder in plan.flow.adders.values():
        total += Size(adder.cells) + memory_size(adder.width, adder.depth)
    return total


def origin_size() -> Size:
    """What makes slots of images, and remembers which had a wrong length."""
    return Size(_SOURCE + _ERRORS)


def stage_size(stage: Stage) -> Size:
    """A stage whose sums are in carry chains."""
    return Size(_chained(stage)) + _around_chains(stage)


def _around_chains(stage: Stage) -> Size:
    return _array(stage) if isinstance(stage, RomStage) else _constants(stage)


def _chained(component: wiring.Component) -> int:
    """Cells of all carry chains that are described as such."""
    fragment = Fragment.get(component, FabricPlatform(FABRIC))
    return 2 * sum(instance.type == "CCU2C" for instance in _instances(fragment))


def _instances(fragment: Fragment) -> Iterator[Instance]:
    for part, *_ in fragment.subfragments:
        if isinstance(part, Instance):
            yield part
        else:
            yield from _instances(part)


def _tables(width: int, depth: int) -> int:
    """Cells of a memory in tables, and of the choice between them."""
    rows = -(-depth // 16)
    return _TABLE_CELLS * -(-width // 4) * rows + width * (rows - 1)


def memory_size(width: int, depth: int) -> Size:
    """A memory that is a block RAM from some size on."""
    return Size(0, block_rams(width, depth)) if is_block(width, depth) else Size(_tables(width, depth))


def _constants(stage: LayerStage) -> Size:
    """Of a stage, what is not in chains."""
    kernel = stage.kernels[0]
    word = stage.shape[2] * stage.layer.a_bits
    digit = word if stage.steps == 1 else stage.shape[2] * stage.options.digit_bits
    total = _window(stage.raster, digit, stage.steps)
    # A slot that comes, or the rest of the one before.
    total += Size(word if stage.steps > 1 else 0)
    if not stage.options.columns:
        total += Size(_masked(stage.raster, digit * kernel.steps))
    if stage.rounding is not None:
        total += Size(stage.rounding.cells)
    if stage.quantizer is not None:
        total += Size(stage.quantizer.cells)
    if stage.pool is not None:
        total += _pool(stage.pool, stage.layer.out_channels)
    return total


def _position(raster: Raster) -> int:
    """Two counters of rows and columns with what is compared."""
    bits = sum((size - 1).bit_length() for size in raster.shape)
    return int(bits * (6.5 if max(raster.shape) > 16 else 3.5))


def _window(raster: Raster, width: int, steps: int) -> Size:
    """Rows in memory, and where the window is."""
    above, depth = raster.geometry.reach[0] - 1, raster.shape[1] * steps
    own = Size(_position(raster))
    if not above or depth <= 2:
        return own
    return own + memory_size(above * width, depth) + Size(12)


def _masked(raster: Raster, width: int) -> int:
    """Registers of columns that may lie outside of the map."""
    top, left, bottom, right = raster.geometry.padding
    rows, columns = raster.geometry.kernel
    sides = (max(left, 0) > 0) + (max(right, 0) > 0)
    if not sides and top <= 0 and bottom <= 0:
        return 0
    return rows * width * max(1, sides * columns // 2)


def _pool(pool: PoolStage, channels: int) -> Size:
    """Maxima or sums along the columns and along the rows."""
    total = Size(0)
    for raster, bits in zip(pool.rasters, pool.bits, strict=True):
        numbers = math.prod(raster.geometry.kernel)
        each = bits if bits <= 2 or not pool.is_max else 2 * bits
        total += _window(raster, channels * bits, 1) + Size(channels * (numbers - 1) * each)
    return total


def _array(stage: RomStage) -> Size:
    """Of an array, what is not in chains: multiplexers of what goes through one by one, its memories."""
    sizes, layer = stage.sizes, stage.layer
    word, compared = sizes.shape[2] * layer.a_bits, 0
    table = Size(0)
    if layer.thresholds is not None:
        compared = layer.thresholds.shape[1]
        width = sizes.value_bits * (compared + bool(layer.inverted.any()))
        bits = width * layer.out_channels
        table = Size(int(0.09 * bits))
        if bits >= TABLE_BITS:
            table = Size(0, block_rams(width, layer.out_channels))
    total = Size(_WALK + _BANKS + _DRAIN, sizes.weight_rams) + table
    total += memory_size(sizes.lanes * layer.a_bits, 2 * sizes.map_words)
    total += Size(word if sizes.words > 1 else 0)
    total += Size(sizes.rows * sizes.sum_bits if sizes.rows > 1 else 0)
    return total + Size((compared + 1) * (sizes.value_bits + 2))
