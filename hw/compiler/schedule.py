"""The passes of a whole network, and where its maps and trunks lie."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork

from ..config.engine import EngineConfig
from ..engine.reader.patch_buffer import patch_depth
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .map_layout import MapLayout, place_all
from .passes import Pass, cut, finds_its_trunk, map_of, pixel_channels, row_passes


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A network on an engine: `passes` of the whole program; `maps`, the layout of each layer's codes
    (None without), `map_words` and `image_words`, the feature memory's least depths, and `addresses`, the
    first word of the image's and then of each layer's codes; likewise `trunk_groups`, the trunk
    memory's least depth, and per layer `trunk_addresses` and `trunk_steps`, the groups from one pixel to
    the next (None where none is kept, or made). `trunk_sources`: per pass the one whose trunk it adds, where
    those two leave the same channels (else None)."""

    passes: tuple[Pass, ...]
    maps: tuple[MapLayout | None, ...]
    map_words: int
    image_words: int
    addresses: tuple[int, ...]
    trunk_groups: int
    trunk_addresses: tuple[int | None, ...]
    trunk_steps: tuple[int | None, ...]
    trunk_sources: tuple[int | None, ...]

    @property
    def trunk_plan(self) -> tuple[list[int], list[int]]:
        """Of streamed trunks, the passes whose packets leave, in order; and for every packet that comes in
        the number of the one that left."""
        sources = [number for number in self.trunk_sources if number is not None]
        keep = sorted(set(sources))
        packets = {number: packet for packet, number in enumerate(keep)}
        return keep, [packets[number] for number in sources]

    @cached_property
    def _numbers(self) -> list[range]:
        """Per layer the numbers of its passes."""
        counts = Counter(part.layer for part in self.passes)
        ends = itertools.accumulate((counts[index] for index in range(len(self.maps))), initial=0)
        return [range(begin, end) for begin, end in itertools.pairwise(ends)]

    def numbers_of_layer(self, index: int) -> range:
        """The numbers of the passes of one layer in the program."""
        return self._numbers[index]

    def of_layer(self, index: int) -> list[Pass]:
        """The passes of one layer."""
        return [self.passes[number] for number in self._numbers[index]]


def schedule(network: IntegerNetwork, config: EngineConfig) -> Schedule:
    """The Schedule of an IntegerNetwork on an engine of `config`.

    Weights on chip: every layer is one pass. Streamed weights: as many tiles a pass as half the weight
    memory holds, if the layers that read the map in channel groups can read the blocks. Layers that add to
    the same trunk are cut alike where residual trunks stream too, and where else the passes of one would be
    filled up with channels that the trunk does not have. Raises :class:`InputError` that names the layer
    that cannot be cut so.
    """
    image = MapLayout.dense(network.input_shape, -(-network.input_bits // config.fetch_planes))
    maps, passes = _cut_layers(network, config, image)
    sizes = [image.words(config.fetch_bits)]
    sizes += [layout.words(config.fetch_bits) if layout else 0 for layout in maps]
    # The codes of a layer (-1 the image) are needed from it to the last one that reads them.
    last_read = {layer.source: at for at, layer in enumerate(network.layers)}
    lifetimes = [
        (max(index, 0), max(index, 0, last_read.get(index, 0))) for index in range(-1, len(network.layers))
    ]
    wide = [
        number
        for number, bits in enumerate([network.input_bits, *(layer.out_bits for layer in network.layers)])
        if bits is not None and bits > config.out_bits
    ]
    words, addresses = place_all(sizes, lifetimes, wide)
    trunk_steps = _trunk_steps(network, passes)
    trunk_groups, trunk_addresses = _place_trunks(network, passes, trunk_steps)
    return Schedule(
        passes=tuple(passes),
        maps=tuple(maps),
        map_words=words,
        image_words=max((addresses[number] + sizes[number] for number in wide), default=0),
        addresses=tuple(addresses),
        trunk_groups=trunk_groups,
        trunk_addresses=trunk_addresses,
        trunk_steps=tuple(
            step if layer.rescale is not None else None
            for step, layer in zip(trunk_steps, network.layers, strict=True)
        ),
        trunk_sources=_trunk_sources(network, passes),
    )


def patch_needs(passes: Sequence[Pass], config: EngineConfig) -> dict[str, int]:
    """Least depths of the patch buffer and of its image planes for `passes`."""
    body, image = [], []
    for geometry in (part.geometry for part in passes):
        if geometry.layer.a_bits <= config.out_bits:
            body.append(geometry.words)
        else:
            # Groups lie as far apart as all of the engine's need, also in patches of fewer.
            groups = config.plane_groups if geometry.source.plane_groups > 1 else 1
            image.append(patch_depth(geometry.words, groups))
    return {"patch_depth": max(body + image), "image_patch_depth": max(image, default=1)}


def _cut_layers(
    network: IntegerNetwork, config: EngineConfig, image: MapLayout
) -> tuple[list[MapLayout | None], list[Pass]]:
    """(layout of each layer's codes, passes of all layers), from the layout of the image."""
    most: dict[int, int] = {}
    first, streams = _first_of_trunk(network), trunk_store(config).streams
    # Trunks, by the layers that begin them, whose layers are cut alike.
    alike = set(first) if streams and weight_source(config).streams else set()
    while True:
        layouts, parts = {-1: image}, []
        for index, layer in enumerate(network.layers):
            source = layouts[layer.source]
            if layer.block != (1, 1):
                parts.append(row_passes(network, index, source, config))
            else:
                parts.append(cut(network, index, source, config, most.get(index)))
            layout = map_of(layer, parts[index])
            if layout is not None:
                layouts[index] = layout
        alike |= {
            first[index]
            for index, layer in enumerate(network.layers)
            if layer.add is not None
            and not finds_its_trunk(pixel_channels(parts[index]), pixel_channels(parts[layer.add]))
        }
        # The layer with the longest reduction has the fewest tiles to a pass: the others follow it.
        tiles = {
            index: parts[index][0].geometry.tiles
            for index, layer in enumerate(network.layers)
            if layer.rescale is not None and layer.groups == 1 and first[index] in alike
        }
        fewest: dict[int, int] = {}
        for index, own in tiles.items():
            fewest[first[index]] = min(own, fewest.get(first[index], own))
        before, most = most, {index: fewest[first[index]] for index in tiles}
        if most == before:
            _check_fills(network, parts, config)
            maps = [layouts.get(index) for index in range(len(network.layers))]
            return maps, [part for own_parts in parts for part in own_parts]


def _check_fills(network: IntegerNetwork, parts: Sequence[Sequence[Pass]], config: EngineConfig) -> None:
    """Raises :class:`InputError` where a layer's passes are filled up with channels that those of the trunk
    that it adds do not have; `parts`: the passes of every layer."""
    for layer, passes in zip(network.layers, parts, strict=True):
        if layer.add is None:
            continue
        own, other = (pixel_channels(cuts) for cuts in (passes, parts[layer.add]))
        alike = [group for group in own if group] == [group for group in other if group]
        if alike and not finds_its_trunk(own, other):
            raise InputError(
                f"layer {layer.name}: its {len(passes)} passes are filled up with channels that the "
                f"{len(parts[layer.add])} of {network.layers[layer.add].name}, which it adds, do not leave; "
                f"accepted: a weight_depth, now {config.weight_depth}, that cuts both alike"
            )


def _first_of_trunk(network: IntegerNetwork) -> list[int]:
    """For every layer the one that begins the trunk that it adds to, itself where it adds to none."""
    first: list[int] = []
    for index, layer in enumerate(network.layers):
        first.append(index if layer.add is None else first[layer.add])
    return first


def _trunk_steps(network: IntegerNetwork, passes: Sequence[Pass]) -> list[int]:
    """Quantizer groups per pixel in the trunk memory, for every layer: as many as any layer leaves that adds
    to the same trunk, those of channels that fill up a block included."""
    first = _first_of_trunk(network)
    own = [0] * len(network.layers)
    for part in passes:
        own[part.layer] += part.geometry.pixel_groups
    most: dict[int, int] = {}
    for index, groups in zip(first, own, strict=True):
        most[index] = max(groups, most.get(index, 0))
    return [most[index] for index in first]


def _trunk_sources(network: IntegerNetwork, passes: Sequence[Pass]) -> tuple[int | None, ...]:
    """Schedule.trunk_sources of these passes."""
    places: dict[tuple[int | None, int], int] = {
        (part.layer, part.part): number for number, part in enumerate(passes)
    }

    def source(part: Pass) -> int | None:
        number = places.get((network.layers[part.layer].add, part.part))
        alike = number is not None and [*passes[number].quantizer_groups()] == [*part.quantizer_groups()]
        return number if alike else None

    return tuple(map(source, passes))


def _place_trunks(
    network: IntegerNetwork, passes: Sequence[Pass], steps: Sequence[int]
) -> tuple[int, tuple[int | None, ...]]:
    layers = network.layers
    kept = [index for index, layer in enumerate(layers) if layer.trunk]
    if not kept:
        return 1, (None,) * len(layers)
    last_add = {layer.add: at for at, layer in enumerate(layers)}
    # A sum takes the place of the trunk that it adds where nobody else adds that one later.
    home: dict[int, int] = {}
    last_use: dict[int, int] = {}
    for index in kept:
        adds = layers[index].add
        home[index] = home[adds] if adds is not None and last_add[adds] == index else index
    for index in kept:
        last_use[home[index]] = max(last_use.get(home[index], 0), last_add[index])
    regions = sorted(last_use)
    firsts = {part.layer: part for part in reversed(passes)}
    sizes = [firsts[region].geometry.pixels * steps[region] for region in regions]
    depth, placed = place_all(sizes, [(region, last_use[region]) for region in regions])
    at = dict(zip(regions, placed, strict=True))
    return depth, tuple(at[home[index]] if index in home else None for index in range(len(layers)))
