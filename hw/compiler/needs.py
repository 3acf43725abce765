"""What a network needs of an engine: widths, depths, and the numbers that XNOR products lack."""

from collections.abc import Iterable

import numpy as np

from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .geometry import PassGeometry
from .schedule import Schedule, patch_needs


def xnor_constants(layer: IntegerLayer, geometry: PassGeometry, config: EngineConfig) -> np.ndarray:
    """Per output channel, ``n_a sum_i 2^i (popcount(w_i) - N)``, N the lanes of all its words: what
    ``sum_ij 2^(i+j) popcount(w_i XNOR a_j)`` lacks of ``sum v a``. Shape (Cout,), int64; 0 for AND.

    n_a is the value of a code of ones: -1 where activations are two's complement and their top plane
    counts negatively.
    """
    codes = layer.codes.reshape(len(layer.codes), -1).astype(np.int64)
    if not config.xnor:
        return np.zeros(len(codes), np.int64)
    lanes = geometry.words * geometry.lanes
    weight_top = (1 << layer.w_bits) - 1
    activation_top = -1 if layer.a_signed else (1 << layer.a_bits) - 1
    return activation_top * (codes.sum(axis=1) - lanes * weight_top)


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


def _padded_row_bits(layer: IntegerLayer) -> int:
    return (layer.padding[1] + layer.in_shape[1] + layer.padding[3]) * layer.in_shape[2]


def _reach_bits(geometry: PassGeometry) -> int:
    """Bits that offsets and runs of the window reader reach over. Windows lie up to the padding's width
    outside of the map's row."""
    return geometry.reader.reach(geometry, _padded_row_bits(geometry.layer)) + 1


def needs(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> dict[str, int]:
    """Least value of each depth and width that `network` needs of an engine of `config`'s lanes,
    rows, cols, engines, quant, fetch_bits, encoding and weights; `plan` is its Schedule there, and
    `network` what :func:`dorefa.hw.compiler.merged_groups.merged` makes of it."""
    layers, passes = network.layers, plan.passes
    geometries = [part.geometry for part in passes]
    # Twice the address space holds offsets and lengths.
    reaches = [-(-_reach_bits(geometry) // (2 * config.fetch_bits)) for geometry in geometries]
    pools = [layer.pool for layer in layers if layer.pool is not None]
    overlaps = [-(-pool.kernel[axis] // pool.stride[axis]) for pool in pools for axis in (0, 1)]
    words = [g.weight_words for g in geometries]
    result = {
        "w_bits": max(layer.w_bits for layer in layers),
        "a_bits": max(max(layer.a_bits, layer.out_bits or 0) for layer in layers),
        "out_bits": max((quantized_bits(layer) for layer in layers), default=1),
        "signed_codes": int(any(layer.a_signed or converts(layer) for layer in layers)),
        "acc_bits": max(accumulator_bits(layers[p.layer], p.geometry, config) for p in passes),
        "weight_depth": weight_source(config).least_depth(words),
        "feature_depth": max(2, plan.map_words, *reaches),
        "image_depth": max(2, plan.image_words),
        **patch_needs(passes, config),
        "param_depth": sum(g.pixel_groups for g in geometries),
        "pool_depth": max(g.pixel_groups for g in geometries),
        "pool_slots": max(overlaps, default=1),
        "line_depth": max(1, *(g.line_groups for g in geometries)),
        "sum_values": int(any(pool.kind == "average" for pool in pools)),
        "sum_codes": int(any(pool.kind == "average_codes" for pool in pools)),
        "layer_depth": len(passes),
    }
    return result | _trunk_needs(network, config, plan)


def _trunk_needs(network: IntegerNetwork, config: EngineConfig, plan: Schedule) -> dict[str, int]:
    """Widths and depth of the residual trunk."""
    rescaled, bits, multipliers, offsets = [], [0], [1], [0]
    for part in plan.passes:
        layer = network.layers[part.layer]
        if layer.rescale is None:
            continue
        m = layer.rescale.m.astype(object)
        b = layer.rescale.b.astype(object) + m * xnor_constants(layer, part.geometry, config)
        rescaled.append((part.geometry, layer))
        bits.append(layer.rescale.bits)
        multipliers += m.tolist()
        offsets += b.tolist()
    if not rescaled:
        return {"trunk_bits": 0}
    return {
        "trunk_bits": max(bits),
        "trunk_depth": trunk_store(config).least_depth(rescaled, plan.trunk_groups),
        "trunk_mul_bits": max(2, _signed_bits(multipliers)),
        "trunk_bias_bits": max(2, _signed_bits(offsets)),
    }


def _signed_bits(values: Iterable[int]) -> int:
    """Bits of two's complement that hold all of `values`."""
    return max((value if value >= 0 else -value - 1).bit_length() for value in values) + 1
