"""What a network needs of an engine: widths, depths, and the numbers that XNOR products lack."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .geometry import PassGeometry
from .schedule import Schedule, patch_needs


class Need(NamedTuple):
    """The `least` value of an engine parameter, and the name of the layer that needs the most. `share`: the
    part of that layer where layers add up, else None."""

    least: int
    layer: str
    share: int | None = None


def xnor_constants(
    layer: IntegerLayer, geometry: PassGeometry, config: EngineConfig, codes: np.ndarray | None = None
) -> np.ndarray:
    """Per output channel, ``n_a sum_i 2^i (popcount(w_i) - N)``, N the lanes of all its words: what
    ``sum_ij 2^(i+j) popcount(w_i XNOR a_j)`` lacks of ``sum v a``. Shape (Cout,), int64; 0 for AND.

    n_a is the value of a code of ones: -1 where activations are two's complement and their top plane
    counts negatively. `codes`: weight codes (..., Cout, Kh, Kw, Cin / groups) in place of the layer's, for a
    result of shape (..., Cout).
    """
    codes = layer.codes if codes is None else codes
    if not config.xnor:
        return np.zeros(codes.shape[:-3], np.int64)
    lanes = geometry.words * geometry.lanes
    weight_top = (1 << layer.w_bits) - 1
    activation_top = -1 if layer.a_signed else (1 << layer.a_bits) - 1
    return activation_top * (codes.sum(axis=(-3, -2, -1), dtype=np.int64) - lanes * weight_top)


def _count_range(layer: IntegerLayer, geometry: PassGeometry) -> tuple[int, int]:
    """Least and greatest sum of XNOR counts of one pixel."""
    counts = geometry.words * geometry.lanes * ((1 << layer.w_bits) - 1)
    if layer.a_signed:
        return -counts << (layer.a_bits - 1), counts * ((1 << (layer.a_bits - 1)) - 1)
    return 0, counts * ((1 << layer.a_bits) - 1)


def summed_pixels(layer: IntegerLayer) -> int:
    """Accumulators that average pooling adds up in front of the quantizer."""
    return layer.pool.area if layer.pool is not None and layer.pool.kind == "average" else 1


def converts(layer: IntegerLayer) -> bool:
    """Whether the codes that a layer stores are not its counts."""
    return (layer.code_step, layer.code_offset) != (1, 0)


def quantized_bits(layer: IntegerLayer) -> int:
    """Planes that a layer needs of the quantizer and of the feature memory's deep part."""
    if layer.code_bits is None or layer.out_bits is None:
        return 1
    return max(layer.code_bits, layer.out_bits) if converts(layer) else layer.code_bits


def raw_range(layer: IntegerLayer, geometry: PassGeometry, config: EngineConfig) -> tuple[int, int]:
    """Least and greatest value as it reaches the quantizer."""
    if not config.xnor or layer.rescale is not None:
        return layer.value_min, layer.value_max
    pixels = summed_pixels(layer)
    least, greatest = _count_range(layer, geometry)
    return pixels * least, pixels * greatest


def accumulator_bits(layer: IntegerLayer, geometry: PassGeometry, config: EngineConfig) -> int:
    """Bits of a signed accumulator that holds every sum, every threshold and every result."""
    least, greatest = raw_range(layer, geometry, config)
    least, greatest = min(least, layer.acc_min), max(greatest, layer.acc_max)
    if config.xnor:
        counts = max(map(abs, _count_range(layer, geometry)))
        least, greatest = min(least, -counts), max(greatest, counts)
        if layer.rescale is None:
            least = min(least, -greatest)
    return max((-least - 1).bit_length() if least < 0 else 0, (greatest + 1).bit_length()) + 1


def _padded_row_bits(geometry: PassGeometry) -> int:
    layer = geometry.layer
    channels = max(layer.in_shape[2], geometry.source.channels)
    return (layer.padding[1] + layer.in_shape[1] + layer.padding[3]) * channels


def _reach_bits(geometry: PassGeometry) -> int:
    """Bits that offsets and runs of the window reader reach over. Windows lie up to the padding's width
    outside of the map's row."""
    return geometry.reader.reach(geometry, _padded_row_bits(geometry)) + 1


def _size_bits(layer: IntegerLayer, geometry: PassGeometry) -> int:
    """Bits of rows and columns of the maps that a layer reads and leaves, and of its padded rows less one."""
    sizes = (*geometry.layer.in_shape[:2], *layer.conv_shape[:2], *layer.out_shape[:2])
    padded_rows = layer.padding[0] + layer.in_shape[0] + layer.padding[2]
    return max(max(sizes).bit_length(), padded_rows.bit_length() - 1)


def _kernel_bits(layer: IntegerLayer, geometry: PassGeometry) -> int:
    """Bits of the runs of a window and of a pooling window's rows and columns."""
    _, kernel_rows, runs_per_row, _ = geometry.runs
    pool = layer.pool.kernel if layer.pool else (1, 1)
    return max(kernel_rows, runs_per_row, *pool).bit_length()


def open_windows(layer: IntegerLayer, axis: int) -> int:
    """Pooling windows that may be open at the same pixel of an axis: of those that there are, the ones that
    overlap; 1 without pooling."""
    if layer.pool is None:
        return 1
    return min(layer.pooled_shape[axis], -(-layer.pool.kernel[axis] // layer.pool.stride[axis]))


def needs(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> dict[str, Need]:
    """What `network` needs of each depth and width of an engine of `config`'s lanes, rows, cols, engines,
    quant, fetch_bits, encoding and weights; `plan` is its Schedule there, and `network` what
    :func:`dorefa.hw.compiler.merged_groups.merged` makes of it."""
    of_passes = [(network.layers[part.layer], part.geometry) for part in plan.passes]

    def most(value: Callable[[IntegerLayer, PassGeometry], int]) -> Need:
        return _largest(Need(int(value(layer, geometry)), layer.name) for layer, geometry in of_passes)

    result = {
        "w_bits": most(lambda layer, _: layer.w_bits),
        "a_bits": most(lambda layer, _: max(layer.a_bits, layer.out_bits or 0)),
        "out_bits": most(lambda layer, _: quantized_bits(layer)),
        "signed_codes": most(lambda layer, _: layer.a_signed or converts(layer)),
        "acc_bits": most(lambda layer, geometry: accumulator_bits(layer, geometry, config)),
        "weight_depth": _weight_need(network, config, plan),
        "feature_depth": _feature_need(network, config, plan),
        "image_depth": _image_need(network, config, plan),
        **_patch_needs(network, config, plan),
        "param_depth": _total(network, plan, lambda geometry: geometry.pixel_groups),
        "pool_depth": most(lambda _, geometry: geometry.pixel_groups),
        "pool_slots": most(lambda layer, _: max(open_windows(layer, axis) for axis in (0, 1))),
        "line_depth": most(lambda _, geometry: max(1, geometry.line_groups)),
        "sum_values": most(lambda layer, _: layer.pool is not None and layer.pool.kind == "average"),
        "sum_codes": most(lambda layer, _: layer.pool is not None and layer.pool.kind == "average_codes"),
        "layer_depth": _total(network, plan, lambda geometry: 1),
        "row_steps": most(lambda layer, _: layer.block[0] > 1),
        "size_bits": most(_size_bits),
        "kernel_bits": most(_kernel_bits),
    }
    return result | _trunk_needs(network, config, plan)


def _largest(needed: Iterable[Need]) -> Need:
    """The first of the needs of which the others are no larger."""
    return max(needed, key=lambda need: need.least)


def _total(network: IntegerNetwork, plan: Schedule, value: Callable[[PassGeometry], int]) -> Need:
    """The sum of `value` over all passes."""
    shares = dict.fromkeys((layer.name for layer in network.layers), 0)
    for part in plan.passes:
        shares[network.layers[part.layer].name] += value(part.geometry)
    layer = max(shares, key=shares.__getitem__)
    return Need(sum(shares.values()), layer, shares[layer])


def _weight_need(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> Need:
    """Words per row of the weight memory."""
    total = _total(network, plan, lambda geometry: geometry.weight_words)
    words = [part.geometry.weight_words for part in plan.passes]
    least = weight_source(config).least_depth(words)
    if not weight_source(config).streams:
        return total._replace(least=least)
    longest = plan.passes[words.index(max(words))]
    return Need(least, network.layers[longest.layer].name)


def _feature_need(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> Need:
    """Words per plane of the feature memory: for all maps that are needed at the same time, for an image with
    all groups of planes that the engine writes, whether the network reads them or not, and as many as offsets
    and lengths reach over, which have twice the address space."""
    reaches = [
        Need(-(-_reach_bits(part.geometry) // (2 * config.fetch_bits)), network.layers[part.layer].name)
        for part in plan.passes
    ]
    maps = []
    for part in plan.passes:
        read, stored = part.geometry.source, plan.maps[part.layer]
        words = read.words(config.fetch_bits) + (stored.words(config.fetch_bits) if stored else 0)
        maps.append(Need(words, network.layers[part.layer].name))
    images = [
        Need(config.plane_groups * part.geometry.source.block_words(config.fetch_bits), layer.name)
        for part in plan.passes
        for layer in [network.layers[part.layer]]
        if layer.source < 0
    ]
    share, layer, _ = _largest(maps)
    return _largest([Need(max(2, plan.map_words), layer, share), *images, *reaches])


def _image_need(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> Need:
    """Words per plane of those planes that only maps wider than other codes have."""
    read = _largest(
        Need(part.geometry.source.words(config.fetch_bits), layer.name)
        for part in plan.passes
        for layer in [network.layers[part.layer]]
        if layer.a_bits > config.out_bits or layer.source < 0
    )
    return read._replace(least=max(2, plan.image_words))


def _patch_needs(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> dict[str, Need]:
    """Depths of the patch buffer."""
    needed = [(patch_needs([part], config), network.layers[part.layer].name) for part in plan.passes]
    return {name: _largest(Need(depths[name], layer) for depths, layer in needed) for name in needed[0][0]}


def _trunk_needs(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> dict[str, Need]:
    """Widths and depth of the residual trunk."""
    store, first = trunk_store(config), network.layers[0].name
    bits, multipliers, offsets = ([Need(least, first)] for least in (0, 2, 2))
    depths: list[Need] = []
    for part in plan.passes:
        layer, geometry = network.layers[part.layer], part.geometry
        if layer.rescale is None:
            continue
        m = layer.rescale.m.astype(object)
        b = layer.rescale.b.astype(object) + m * xnor_constants(layer, geometry, config)
        bits.append(Need(layer.rescale.bits, layer.name))
        multipliers.append(Need(_signed_bits(m.tolist()), layer.name))
        offsets.append(Need(_signed_bits(b.tolist()), layer.name))
        if store.streams:
            depths.append(Need(store.least_depth([(geometry, layer)], plan.trunk_groups), layer.name))
        else:
            groups = geometry.pixels * (plan.trunk_steps[part.layer] or 0) if layer.trunk else 0
            depths.append(Need(groups, layer.name))
    if len(bits) == 1:
        return {"trunk_bits": bits[0]}
    deepest = _largest(depths)
    if not store.streams:
        deepest = Need(max(plan.trunk_groups, 1), deepest.layer, deepest.least)
    return {
        "trunk_bits": _largest(bits),
        "trunk_depth": deepest,
        "trunk_mul_bits": _largest(multipliers),
        "trunk_bias_bits": _largest(offsets),
    }


def _signed_bits(values: Iterable[int]) -> int:
    """Bits of two's complement that hold all of `values`."""
    return max((value if value >= 0 else -value - 1).bit_length() for value in values) + 1
