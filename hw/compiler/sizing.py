"""Engines sized for a network, or for none in particular."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.defaults import known_sizes
from ..config.engine import EngineConfig
from ..config.ranges import RANGES, check_range
from ..interface.encodings import engine_encoding
from ..interface.quantizers import quantizer_of
from ..interface.trunk_stores import TRUNK_STORES, trunk_store
from ..interface.weight_sources import weight_source
from .batch import batched
from .geometry import PassGeometry
from .needs import Need, quantized_bits, summed_pixels, xnor_constants
from .plan import Plan, convolutions
from .problems import beyond_range
from .reader_sizing import best_reader, smallest_reader

# Binary operations per image above which the larger array is the default.
LARGE_NETWORK = 20_000_000
# The configuration's limit.
_LARGEST_QUANT = 64
# Reductions that a first layer of 8-bit images has: windows of 7 x 7 pixels of 3 channels.
_IMAGE_INPUTS = 7 * 7 * 3
# Memories, and the parameter by which their words are wider or narrower.
_DEPTHS = {
    "param_depth": "quant",
    "line_depth": "quant",
    "feature_depth": "fetch_bits",
    "image_depth": "fetch_bits",
}
# Cycles that a tile is computed at least, while the one before leaves.
_TILE_CYCLES = 16


def fit(network: IntegerNetwork, **overrides: Any) -> EngineConfig:
    """The :class:`EngineConfig` for `network` (integer); every parameter in `overrides` is kept.

    Depths and widths are the least that the network needs. `lanes` x `rows` default to 32 x 16, or
    64 x 32 for networks of more than 20 million binary operations; `encoding` is ``bipolar`` where
    all weights are; `quantizer` is ``thresholds`` up to 4 bits and where a layer has no affine form;
    `quant` is the least power of two with which no layer waits for its drain; `fetch_bits` and
    `plane_groups` make the smallest window reader that costs at most 1 % of the cycles, or 2 % where no layer
    waits for it. Several columns share reads (`column_reads`) where array and reader then do more per LUT,
    with the reader that does most. Where weights stream in, each half of their memory holds the largest tile;
    where residual trunks stream, their queues are long enough for ports that never wait.
    """
    # The message about an unknown name is the configuration's.
    unknown = overrides.keys() - EngineConfig().as_dict().keys()
    EngineConfig().replace(**dict.fromkeys(unknown))
    batch = overrides.get("batch", 1)
    check_range("batch", batch)
    layers = convolutions(batched(network, batch))
    sizes = _array(layers, {"batch": batch, **overrides})
    sizes.setdefault("quant", _least_quant(network, sizes))
    sizes.setdefault("quantizer", "thresholds" if sizes["out_bits"] <= 4 else "affine")
    sizes.setdefault("a_bits", max(max(layer.a_bits, layer.out_bits or 0) for layer in layers))
    sizes |= best_reader(network, sizes)
    draft = EngineConfig(**(_trunk_draft(layers, sizes) | sizes))
    plan = Plan.of(network, draft, limits=overrides)
    if weight_source(draft).streams and "weight_depth" not in sizes:
        plan = _least_stream(plan)
    for name, need in plan.needs.items():
        if name == "trunk_depth":
            need = need._replace(least=trunk_store(draft).good_depth(need.least))
        _set_size(sizes, name, need)
    try:
        widths = _quantizer_needs(plan)
    except InputError:
        if "quantizer" in overrides:
            raise
        return fit(network, **overrides, quantizer="thresholds")
    for name, need in widths.items():
        _set_size(sizes, name, need)
    return EngineConfig(**sizes)


def general(**overrides: Any) -> EngineConfig:
    """The :class:`EngineConfig` that is small and seldom waits; every parameter in `overrides` is kept, and
    what is not named here is the default.

    `quant` lets a tile leave in 16 cycles; `fetch_bits` and `plane_groups` make the smallest window reader
    that keeps up with layers of two groups of `rows` output channels; `acc_bits` holds the sums of 7 x 7
    windows of images of 3 channels, and of the longest patches of codes of `out_bits`. Memories hold as many
    bits and channels as those of the default, and as many groups of a pixel as of a line.
    """
    default = EngineConfig()
    sizes = known_sizes(overrides)
    sizes = sizes | {"quant": _draining_quant(sizes)} | overrides
    draft = EngineConfig(**(sizes | smallest_reader(sizes, overrides)))
    chosen = {
        name: -(-getattr(default, name) * getattr(default, unit) // getattr(draft, unit))
        for name, unit in _DEPTHS.items()
    }
    chosen |= {"pool_depth": chosen["line_depth"], "acc_bits": _accumulator_bits(draft)}
    return draft.replace(**{name: value for name, value in chosen.items() if name not in overrides})


def _set_size(sizes: dict[str, Any], name: str, need: Need) -> None:
    """Adds the parameter that a network needs to `sizes`, unless it has it. InputError where no engine has
    so much."""
    if name in sizes:
        return
    if problem := beyond_range(name, need):
        raise InputError(problem)
    sizes[name] = max(need.least, RANGES[name][0])


def _array(layers: Sequence[IntegerLayer], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes of the array, and what else is known before its reader is; those in `overrides` kept."""
    operations = sum(layer.macs * layer.w_bits * layer.a_bits for layer in layers)
    large = operations > LARGE_NETWORK * overrides["batch"]
    sizes = {
        "lanes": 64 if large else 32,
        "rows": 32 if large else 16,
        "cols": 1,
        "engines": 1,
        "encoding": engine_encoding(layer.encoding for layer in layers),
        "port_bytes": 1,
        "weights": "onchip",
        "out_bits": max((quantized_bits(layer) for layer in layers), default=1),
        "w_bits": max((layer.w_bits for layer in layers), default=1),
        **overrides,
    }
    for name in ("lanes", "rows", "cols", "engines", "port_bytes", "out_bits", "quant", "fetch_bits"):
        if name in sizes:
            check_range(name, sizes[name])
    return sizes


def _trunk_draft(layers: Sequence[IntegerLayer], sizes: Mapping[str, Any]) -> dict[str, int]:
    """Parameters that a configuration with streamed trunks must have before the network's needs are known."""
    store = TRUNK_STORES.get(sizes.get("trunks", "onchip"))
    if store is None:
        return {}
    if store.streams and all(layer.add is None for layer in layers):
        raise InputError("trunks is 'stream'; accepted: 'onchip', because the network adds no residual trunk")
    return store.draft()


def _least_stream(plan: Plan) -> Plan:
    """`plan` with the least weight memory whose halves hold one tile of every layer."""
    tiles = [layer.w_bits * PassGeometry.of(layer, plan.config).words for layer in plan.convolutions]
    depth = 2 * max(tiles)
    while True:
        smaller = dataclasses.replace(plan, config=plan.config.replace(weight_depth=depth))
        try:
            smaller.schedule  # noqa: B018 (whether every layer can be cut)
        except InputError:
            # Zero channels of blocks may lengthen a reduction; channel groups may need larger blocks.
            if depth >= 8 * max(tiles):
                raise
            depth += 2 * (1 + depth // 8)
        else:
            return smaller


def _least_quant(network: IntegerNetwork, sizes: Mapping[str, Any]) -> int:
    """The least power of two with which no quantized layer waits for its drain."""
    widest_fetch = sizes.get("fetch_bits", 1 << (sizes["lanes"].bit_length() - 1))
    draft = EngineConfig(
        **{name: sizes[name] for name in ("lanes", "rows", "cols", "engines", "batch", "w_bits", "encoding")},
        quant=1,
        fetch_bits=widest_fetch,
        out_bits=1,
    )
    largest = min(widest_fetch, _LARGEST_QUANT)
    # Groups are merged as if no drain stood against it.
    most = max(1, min(largest // draft.engines, draft.rows))
    widest = max(quant for quant in range(1, most + 1) if draft.rows % quant == 0)
    layers = Plan.of(network, draft.replace(quant=widest), limits=()).convolutions
    quant = 1
    while quant * 2 * draft.engines <= largest and quant * 2 <= draft.rows:
        if draft.rows % (2 * quant) and draft.engines > 1:
            break
        narrow = draft.replace(quant=quant)
        loops = [PassGeometry.of(layer, narrow) for layer in layers[:-1]]
        if all(
            loop.cols * ((loop.tiles - 1) * loop.full_groups + loop.last_groups)
            <= loop.tiles * loop.tile_cycles
            for loop in loops
        ):
            break
        quant *= 2
    return quant


def _quantizer_needs(plan: Plan) -> dict[str, Need]:
    """Widths that the quantizer needs, from what each layer's values lack. InputError where a layer cannot be
    quantized so."""
    result: dict[str, Need] = {}
    for index, layer in enumerate(plan.network.layers):
        constants = np.zeros(len(layer.codes), np.int64)
        if layer.rescale is None:
            geometry = plan.schedule.of_layer(index)[0].geometry
            constants = xnor_constants(layer, geometry, plan.config) * summed_pixels(layer)
        for name, least in quantizer_of(plan.config).widths(layer, constants).items():
            if name not in result or least > result[name].least:
                result[name] = Need(least, layer.name)
    return result


def _draining_quant(sizes: Mapping[str, Any]) -> int:
    """The power of two with which a tile leaves in time; engines have the same channels in common."""
    rows, quant = sizes["rows"], 1
    # What the engines write together is fetched at once, which is a power of two.
    widest_fetch = 1 << (sizes["lanes"].bit_length() - 1)
    most = min(rows, _LARGEST_QUANT, widest_fetch // sizes["engines"], rows * sizes["cols"] // _TILE_CYCLES)
    while 2 * quant <= most and (sizes["engines"] == 1 or rows % (2 * quant) == 0):
        quant *= 2
    return quant


def _accumulator_bits(config: EngineConfig) -> int:
    """Bits of the longest sums; whole patch words are counted."""
    words = -(-_IMAGE_INPUTS // config.lanes)
    most = max(
        words * ((1 << config.a_bits) - 1),
        config.patch_depth * ((1 << config.out_bits) - 1),
    )
    return (config.lanes * most * ((1 << config.w_bits) - 1)).bit_length() + 1
