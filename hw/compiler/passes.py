"""The passes of a layer: what the engine computes at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from ..interface.weight_sources import weight_source
from .geometry import PassGeometry
from .map_layout import MapLayout


@dataclass(frozen=True, kw_only=True)
class Pass:
    """The part of a layer that the engine computes at a time: what one descriptor of the program describes.

    `layer` is the layer's index, `part` the pass's number within it; `first_group` and `first_channel`
    (within its channel group) are where its output channels begin. `pixels`: of a layer whose channels become
    pixels, how many of them the pass writes side by side.
    """

    layer: int
    part: int
    parts: int
    geometry: PassGeometry
    first_group: int
    first_channel: int
    pixels: int | None = None

    def output_channels(self) -> Iterator[int]:
        """The layer's output channels in this pass, in order; -1 for the zero channels that fill up."""
        geometry = self.geometry
        per_group = geometry.layer.codes.shape[0] // geometry.layer.groups
        if self.pixels is not None:
            own = geometry.layer.out_shape[2]
            for first in range(self.first_channel, self.first_channel + self.pixels * own, own):
                for channel in range(geometry.channels // self.pixels):
                    yield first + channel if channel < own else -1
            return
        for group in range(self.first_group, self.first_group + geometry.groups):
            for channel in range(self.first_channel, self.first_channel + geometry.channels):
                yield group * per_group + channel if channel < per_group else -1

    def quantizer_groups(self) -> Iterator[list[int]]:
        """The output channels of every quantizer group of a pixel, in the order of the drain."""
        geometry, channels = self.geometry, list(self.output_channels())
        for group in range(geometry.groups):
            for tile in range(geometry.tiles):
                first = group * geometry.channels + tile * geometry.rows
                end = min(first + geometry.rows, (group + 1) * geometry.channels)
                for channel in range(first, end, geometry.quant):
                    yield channels[channel : min(channel + geometry.quant, end)]


def cut(
    network: IntegerNetwork, index: int, source: MapLayout, config: EngineConfig, most: int | None
) -> list[Pass]:
    """The passes of layer `index`, which reads a map of layout `source`, of at most `most` tiles each (None:
    no such limit).

    Raises :class:`InputError` that names the layer, where half of the weight memory is too small for a tile,
    or for channels that the layer's readers can take.
    """
    layer = network.layers[index]
    whole = PassGeometry.of(layer, config, source=source)
    tile_words = layer.w_bits * whole.words
    half = weight_source(config).room(config)
    if half is None:
        return [_pass(index, 0, 1, whole, 0, 0)]
    fitting = half // tile_words if most is None else min(half // tile_words, most)
    if whole.groups * whole.tiles <= fitting:
        return [_pass(index, 0, 1, whole, 0, 0)]
    if tile_words > half:
        raise InputError(
            f"layer {layer.name}: one tile of {whole.rows} channels needs {tile_words} weight words per "
            f"row (= {whole.words} words x {layer.w_bits} bits); accepted: weight_depth of at least "
            f"{2 * tile_words}, a tile in each half"
        )
    per_group = whole.channels
    if fitting >= whole.tiles:
        together = max(
            n for n in range(1, layer.groups + 1) if layer.groups % n == 0 and n * whole.tiles <= fitting
        )
        parts = layer.groups // together
        if _readable(network, index, together * per_group):
            part = PassGeometry.of(layer, config, source=source, groups=together)
            return [_pass(index, n, parts, part, n * together, 0) for n in range(parts)]
    for tiles in range(min(fitting, whole.tiles), 0, -1):
        cuts = -(-whole.tiles // tiles)
        channels = -(-per_group // cuts)
        if layer.rescale is not None:
            # Whole quantizer groups, like those of what is added, however that is cut.
            channels = min(-(-channels // whole.quant) * whole.quant, tiles * whole.rows)
        exact = cuts * channels == per_group
        if _readable(network, index, channels if exact else None):
            return _tile_passes(layer, index, config, source, cuts, channels)
    readers = ", ".join(
        f"{reader.name} ({layer.out_shape[2] // reader.groups} channels)"
        for reader in network.layers
        if reader.source == index and reader.groups > 1
    )
    why = f"its {whole.tiles} tiles do not fit half of weight_depth {config.weight_depth} at once"
    larger = f"weight_depth of at least {2 * whole.weight_words}"
    if 2 * whole.weight_words <= config.weight_depth:
        why = f"it is cut like others of its trunk, into passes of {most} of its {whole.tiles} tiles"
        larger = f"a larger weight_depth, now {config.weight_depth}"
    raise InputError(
        f"layer {layer.name}: {why}, and no part of it has channels that divide the channel groups of "
        f"{readers}; accepted: rows that do, or {larger}"
    )


def pixel_channels(parts: Sequence[Pass]) -> list[list[int]]:
    """The channels of every quantizer group of a pixel of the layer of these passes, in the order of the
    trunk memory; a group without any is one of channels that only fill up a block."""
    groups = [group for part in parts for group in part.quantizer_groups()]
    return [[channel for channel in group if channel >= 0] for group in groups]


def finds_its_trunk(own: list[list[int]], added: list[list[int]]) -> bool:
    """Whether a layer of the :func:`pixel_channels` `own` finds the trunk of one of `added` where it looks,
    also that of channels that fill up: zeros, where somebody has written them."""
    return added[: len(own)] == own


def _tile_passes(
    layer: IntegerLayer, index: int, config: EngineConfig, source: MapLayout, cuts: int, channels: int
) -> list[Pass]:
    """Passes of `channels` output channels of one channel group each; the last ones of a layer
    whose results leave the engine have only those that exist."""
    per_group = layer.codes.shape[0] // layer.groups
    result = []
    for number in range(layer.groups * cuts):
        group, block = divmod(number, cuts)
        first = block * channels
        own = min(channels, per_group - first) if layer.is_result else channels
        geometry = PassGeometry.of(layer, config, source=source, groups=1, channels=own)
        result.append(_pass(index, number, layer.groups * cuts, geometry, group, first))
    return result


def row_passes(network: IntegerNetwork, index: int, source: MapLayout, config: EngineConfig) -> list[Pass]:
    """Passes of a layer whose channels become pixels: one for each row of a block, which writes these rows of
    the map. Zero channels fill up every pixel, so that a row has whole words.

    Raises :class:`InputError` that names the layer, where they cannot, or where half of the weight memory is
    too small for a pass.
    """
    layer = network.layers[index]
    if layer.groups > 1 or layer.rescale is not None:
        raise InputError(
            f"layer {layer.name}: its channels become pixels, and it has channel groups or a residual trunk; "
            "accepted: one group without a trunk"
        )
    rows, columns = layer.block
    channels, width = layer.out_shape[2], layer.out_shape[1]
    step = config.fetch_bits // math.gcd(width, config.fetch_bits) if rows > 1 else 1
    filled = -(-channels // step) * step
    if filled != channels and zero_count(layer) is None:
        raise InputError(
            f"layer {layer.name}: its rows of {width} pixels of {channels} channels are no whole words of "
            f"fetch_bits {config.fetch_bits}, and no code of it stands for 0, which could fill them up; "
            f"accepted: channels in multiples of {step}, or a smaller fetch_bits"
        )
    geometry = PassGeometry.of(layer, config, source=source, channels=columns * filled)
    half = weight_source(config).room(config)
    if half is not None and geometry.weight_words > half:
        raise InputError(
            f"layer {layer.name}: a row of its blocks needs {geometry.weight_words} weight words per row, "
            f"and half of weight_depth {config.weight_depth} is less; accepted: weight_depth of at least "
            f"{2 * geometry.weight_words}"
        )
    own = _pass(index, 0, rows, geometry, 0, 0)
    return [
        dataclasses.replace(own, part=row, first_channel=row * columns * channels, pixels=columns)
        for row in range(rows)
    ]


def row_words(layer: IntegerLayer, layout: MapLayout | None, fetch_bits: int) -> int:
    """Words from a row of the map of a layer to the next one, where its passes write rows of their own; else
    0."""
    if layout is None or layer.block[0] == 1:
        return 0
    return layout.shape[1] * layout.channels // fetch_bits


def _readable(network: IntegerNetwork, index: int, block_channels: int | None) -> bool:
    """Whether all readers of layer `index` can read blocks of so many channels; None: the last block is
    filled up with zero channels, which only a reader of all channels can take."""
    layer = network.layers[index]
    channels = layer.codes.shape[0]
    if block_channels is None and zero_count(layer) is None:
        return False
    for reader in network.layers:
        if reader.source == index and reader.groups > 1:
            if block_channels is None or (channels // reader.groups) % block_channels:
                return False
    return True


def zero_count(layer: IntegerLayer) -> int | None:
    """The count whose stored code is 0, None where every code stands for something else."""
    count, rest = divmod(-layer.code_offset, layer.code_step)
    if layer.code_bits is None:
        return 0
    return count if not rest and 0 <= count < 1 << layer.code_bits else None


def _pass(
    index: int, part: int, parts: int, geometry: PassGeometry, first_group: int, first_channel: int
) -> Pass:
    return Pass(
        layer=index,
        part=part,
        parts=parts,
        geometry=geometry,
        first_group=first_group,
        first_channel=first_channel,
    )


def map_of(layer: IntegerLayer, parts: list[Pass]) -> MapLayout | None:
    """Layout of the codes that `parts` leave, None where they leave none."""
    if layer.out_bits is None:
        return None
    geometry = parts[0].geometry
    if parts[0].pixels is not None:
        channels = geometry.channels // parts[0].pixels
        return MapLayout(shape=layer.out_shape, blocks=1, channels=channels)
    if len(parts) == 1:
        return MapLayout.dense(layer.out_shape)
    return MapLayout(
        shape=layer.out_shape,
        blocks=len(parts),
        channels=geometry.groups * geometry.channels,
        filled=None if geometry.groups > 1 else layer.out_shape[2] // layer.groups,
    )
