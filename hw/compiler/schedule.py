"""How a network is cut into passes, and where its maps and trunks lie."""

from __future__ import annotations

from dataclasses import dataclass

from dorefa.golden.errors import InputError

from ..engine.reader.patch_buffer import patch_depth
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .geometry import PassGeometry
from .map_layout import MapLayout, place_all


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Part of a layer that the engine computes at a time: what one descriptor of the program says.

    `layer` is the layer's index, `part` the pass's number within it; `first_group` and `first_channel`
    (within its channel group) are where its output channels begin.
    """

    layer: int
    part: int
    parts: int
    geometry: PassGeometry
    first_group: int
    first_channel: int

    def output_channels(self):
        """The layer's output channels in this pass, in order; -1 for the zero channels that fill up."""
        geometry = self.geometry
        per_group = geometry.layer.codes.shape[0] // geometry.layer.groups
        for group in range(self.first_group, self.first_group + geometry.groups):
            for channel in range(self.first_channel, self.first_channel + geometry.channels):
                yield group * per_group + channel if channel < per_group else -1

    def quantizer_groups(self):
        """The output channels of every quantizer group of a pixel, in the order of the drain."""
        geometry, channels = self.geometry, list(self.output_channels())
        for group in range(geometry.groups):
            for tile in range(geometry.tiles):
                first = group * geometry.channels + tile * geometry.rows
                end = min(first + geometry.rows, (group + 1) * geometry.channels)
                for channel in range(first, end, geometry.quant):
                    yield channels[channel : min(channel + geometry.quant, end)]


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
        keep = sorted({number for number in self.trunk_sources if number is not None})
        return keep, [keep.index(number) for number in self.trunk_sources if number is not None]

    def of_layer(self, index) -> list[Pass]:
        """The passes of one layer."""
        return [part for part in self.passes if part.layer == index]


def schedule(network, config) -> Schedule:
    """The Schedule of an IntegerNetwork on an engine of `config`.

    Weights on chip: every layer is one pass. Streamed weights: as many tiles a pass as half the weight
    memory holds, if the layers that read the map in channel groups can read the blocks. Where residual
    trunks stream too, layers that add to the same trunk are cut alike. Raises :class:`InputError` that
    names the layer that cannot be cut so.
    """
    image = MapLayout.dense(network.input_shape, -(-network.input_bits // config.fetch_planes))
    maps, passes = _cut_layers(network, config, image)
    sizes = [image.words(config.fetch_bits)]
    sizes += [layout.words(config.fetch_bits) if layout else 0 for layout in maps]
    lifetimes = [_lifetime(network, index) for index in range(-1, len(network.layers))]
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
        trunk_steps=trunk_steps,
        trunk_sources=_trunk_sources(network, passes),
    )


def patch_needs(passes, config) -> dict[str, int]:
    """Least depths of the patch buffer and of its image planes for `passes`."""
    body, image = [], []
    for geometry in (part.geometry for part in passes):
        if geometry.layer.a_bits <= config.out_bits:
            body.append(geometry.words)
        else:
            image.append(patch_depth(geometry.words, geometry.source.plane_groups))
    return {"patch_depth": max(body + image), "image_patch_depth": max(image, default=1)}


def _lifetime(network, index):
    """(first, last) layer during which the codes of layer `index` (-1 the image) are needed."""
    readers = [at for at, layer in enumerate(network.layers) if layer.source == index]
    return max(index, 0), max([max(index, 0), *readers])


def _cut_layers(network, config, image):
    """(layout of each layer's codes, passes of all layers), from the layout of the image."""
    most = {}
    while True:
        maps, passes = [], []
        for index, layer in enumerate(network.layers):
            source = image if layer.source < 0 else maps[layer.source]
            parts = _cut(network, index, source, config, most.get(index))
            passes += parts
            maps.append(_map_of(layer, parts))
        if not (weight_source(config).streams and trunk_store(config).streams):
            return maps, passes
        # The layer with the longest reduction has the fewest tiles to a pass: the others follow it.
        tiles = {part.layer: part.geometry.tiles for part in passes if part.part == 0}
        first = _first_of_trunk(network)
        members = [
            index
            for index, layer in enumerate(network.layers)
            if layer.rescale is not None and layer.groups == 1
        ]
        alike = {
            index: min(tiles[other] for other in members if first[other] == first[index]) for index in members
        }
        if alike == most:
            return maps, passes
        most = alike


def _first_of_trunk(network):
    """For every layer the one that begins the trunk that it adds to, itself where it adds to none."""
    first = []
    for index, layer in enumerate(network.layers):
        first.append(index if layer.add is None else first[layer.add])
    return first


def _trunk_steps(network, passes):
    """Quantizer groups per pixel in the trunk memory, for every layer that rescales: as many as any layer
    leaves that adds to the same trunk, those of channels that fill up a block included."""
    layers, first = network.layers, _first_of_trunk(network)
    own = [
        sum(part.geometry.pixel_groups for part in passes if part.layer == index)
        for index in range(len(layers))
    ]
    most = [max(own[at] for at in range(len(own)) if first[at] == first[index]) for index in range(len(own))]
    return tuple(most[i] if layer.rescale is not None else None for i, layer in enumerate(layers))


def _trunk_sources(network, passes):
    """Schedule.trunk_sources of these passes."""
    places = {(part.layer, part.part): number for number, part in enumerate(passes)}

    def source(part):
        number = places.get((network.layers[part.layer].add, part.part))
        alike = number is not None and [*passes[number].quantizer_groups()] == [*part.quantizer_groups()]
        return number if alike else None

    return tuple(map(source, passes))


def _place_trunks(network, passes, steps):
    layers = network.layers
    kept = [index for index, layer in enumerate(layers) if layer.trunk]
    if not kept:
        return 1, (None,) * len(layers)
    # A sum takes the place of the trunk that it adds where nobody else adds that one later.
    home, last_use = {}, {}
    for index in kept:
        adds = layers[index].add
        users = [at for at, layer in enumerate(layers) if layer.add == adds]
        home[index] = home[adds] if adds is not None and users[-1] == index else index
    for index in kept:
        users = [at for at, layer in enumerate(layers) if layer.add == index]
        last_use[home[index]] = max(last_use.get(home[index], 0), users[-1])
    regions = sorted(last_use)
    sizes = []
    for region in regions:
        parts = [part for part in passes if part.layer == region]
        sizes.append(parts[0].geometry.pixels * steps[region])
    depth, placed = place_all(sizes, [(region, last_use[region]) for region in regions])
    at = dict(zip(regions, placed, strict=True))
    return depth, tuple(at[home[index]] if index in home else None for index in range(len(layers)))


def _cut(network, index, source, config, most=None):
    """The passes of one layer that reads a map of layout `source`, of at most `most` tiles each."""
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
    raise InputError(
        f"layer {layer.name}: its {whole.tiles} tiles do not fit half of weight_depth {config.weight_depth} "
        f"at once, and no part of it has channels that divide the channel groups of {readers}; accepted: "
        f"rows that do, or weight_depth of at least {2 * whole.weight_words}"
    )


def _tile_passes(layer, index, config, source, cuts, channels):
    """Passes of `channels` output channels of one channel group each; the last ones of the last layer,
    whose results leave the engine, have only those that exist."""
    per_group = layer.codes.shape[0] // layer.groups
    result = []
    for number in range(layer.groups * cuts):
        group, cut = divmod(number, cuts)
        first = cut * channels
        own = min(channels, per_group - first) if _is_last(layer) else channels
        geometry = PassGeometry.of(layer, config, source=source, groups=1, channels=own)
        result.append(_pass(index, number, layer.groups * cuts, geometry, group, first))
    return result


def _is_last(layer):
    return layer.code_bits is None and layer.rescale is None


def _readable(network, index, block_channels):
    """Whether all readers of layer `index` can read blocks of so many channels; None: the last block is
    filled up with zero channels, which only a reader of all channels can have."""
    layer = network.layers[index]
    channels = layer.codes.shape[0]
    if block_channels is None and zero_count(layer) is None:
        return False
    for reader in network.layers:
        if reader.source == index and reader.groups > 1:
            if block_channels is None or (channels // reader.groups) % block_channels:
                return False
    return True


def zero_count(layer):
    """The count whose stored code is 0, None where every code stands for something else."""
    count, rest = divmod(-layer.code_offset, layer.code_step)
    if layer.code_bits is None:
        return 0
    return count if not rest and 0 <= count < 1 << layer.code_bits else None


def _pass(index, part, parts, geometry, first_group, first_channel):
    return Pass(
        layer=index,
        part=part,
        parts=parts,
        geometry=geometry,
        first_group=first_group,
        first_channel=first_channel,
    )


def _map_of(layer, parts):
    """Layout of the codes that `parts` leave, None where they leave none."""
    if layer.out_bits is None:
        return None
    if len(parts) == 1:
        return MapLayout.dense(layer.out_shape)
    geometry = parts[0].geometry
    return MapLayout(shape=layer.out_shape, blocks=len(parts), channels=geometry.groups * geometry.channels)
