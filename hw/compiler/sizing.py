"""An engine sized for a network."""

from __future__ import annotations

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.affine_form import affine_form

from ..config.engine import EngineConfig
from ..config.ranges import check_range
from .batch import batched
from .geometry import PassGeometry, as_convolution
from .merged_groups import merged
from .needs import needs, quantized_bits, summed_pixels, xnor_constants
from .reader_sizing import best_reader
from .schedule import schedule

# Binary operations per image above which the larger array is the default.
_LARGE_NETWORK = 20_000_000
# The configuration's limit.
_LARGEST_QUANT = 64
# Groups of streamed trunks on their way through the pipeline, at most.
_TRUNK_GROUPS_ON_THEIR_WAY = 32


def fit(network, **overrides) -> EngineConfig:
    """The :class:`EngineConfig` for `network` (integer); every parameter in `overrides` is kept.

    Depths and widths are the least that the network needs. `lanes` x `rows` default to 32 x 16, or
    64 x 32 for networks of more than 20 million binary operations; `encoding` is ``bipolar`` where
    all weights are; `quantizer` is ``thresholds`` up to 4 bits and where a layer has no affine form;
    `quant` is the least power of two with which no layer waits for its drain; `fetch_bits` and
    `plane_groups` make the smallest window reader that costs at most 1 % of the cycles. Several columns
    share reads (`column_reads`) where array and reader then do more per LUT, with the reader that does most.
    Where weights stream in, each half of their memory holds the largest tile; where residual trunks stream,
    their queues are long enough for ports that never wait.
    """
    given = network
    if "batch" in overrides:
        check_range("batch", overrides["batch"])
        network = batched(network, overrides["batch"])
    layers = _convolutions(network)
    operations = sum(layer.macs * layer.w_bits * layer.a_bits for layer in layers)
    large = operations > _LARGE_NETWORK * overrides.get("batch", 1)
    sizes = {"lanes": 64 if large else 32, "rows": 32 if large else 16, "cols": 1, "engines": 1}
    sizes |= {"encoding": _encoding(layers), "port_bytes": 1, "weights": "onchip"}
    sizes["out_bits"] = max((quantized_bits(layer) for layer in layers), default=1)
    sizes["w_bits"] = max((layer.w_bits for layer in layers), default=1)
    unknown = overrides.keys() - EngineConfig().as_dict().keys()
    # The message about an unknown name is the configuration's.
    EngineConfig().replace(**dict.fromkeys(unknown))
    sizes |= overrides
    for name in ("lanes", "rows", "cols", "engines", "port_bytes", "out_bits", "quant", "fetch_bits"):
        if name in sizes:
            check_range(name, sizes[name])
    widest_fetch = sizes.get("fetch_bits", 1 << (sizes["lanes"].bit_length() - 1))
    draft = EngineConfig(
        **{name: sizes[name] for name in ("lanes", "rows", "cols", "engines", "w_bits", "encoding")},
        quant=1,
        fetch_bits=widest_fetch,
        out_bits=1,
    )
    sizes.setdefault("quant", _least_quant(network, draft, min(widest_fetch, _LARGEST_QUANT)))
    sizes.setdefault("quantizer", "thresholds" if sizes["out_bits"] <= 4 else "affine")
    sizes.setdefault("a_bits", max(max(layer.a_bits, layer.out_bits or 0) for layer in layers))
    sizes |= best_reader(network, sizes)
    draft = EngineConfig(**(_trunk_draft(layers, sizes) | sizes))
    network = merged(network, draft, overrides)
    layers = _convolutions(network)
    if draft.weights == "stream" and "weight_depth" not in sizes:
        draft = _least_stream(network, layers, draft)
    plan = schedule(network, draft)
    for name, least in needs(network, draft, plan).items():
        if name == "trunk_depth" and draft.trunks == "stream":
            least = 2 * least + _TRUNK_GROUPS_ON_THEIR_WAY
        sizes.setdefault(name, max(least, 4) if name == "acc_bits" else least)
    if sizes["quantizer"] == "affine":
        try:
            widths = _affine_bits(network, plan, draft)
        except InputError:
            if "quantizer" in overrides:
                raise
            return fit(given, **overrides, quantizer="thresholds")
        for name, bits in widths.items():
            sizes.setdefault(name, bits)
    return EngineConfig(**sizes)


def _trunk_draft(layers, sizes):
    """Parameters without which no configuration has streamed trunks, until the network's needs are known."""
    if sizes.get("trunks") != "stream":
        return {}
    if all(layer.add is None for layer in layers):
        raise InputError("trunks is 'stream'; accepted: 'onchip', because the network adds no residual trunk")
    return {"trunk_bits": 16, "trunk_depth": 4}


def _least_stream(network, layers, draft):
    """`draft` with the least weight memory whose halves hold one tile of every layer."""
    tiles = [layer.w_bits * PassGeometry.of(layer, draft).words for layer in layers]
    depth = 2 * max(tiles)
    while True:
        draft = draft.replace(weight_depth=depth)
        try:
            schedule(network, draft)
            return draft
        except InputError:
            # Zero channels of blocks may lengthen a reduction; channel groups may need larger blocks.
            if depth >= 8 * max(tiles):
                raise
            depth += 2 * (1 + depth // 8)


def _encoding(layers):
    encodings = {layer.encoding for layer in layers}
    if encodings == {"bipolar"}:
        return "bipolar"
    if encodings <= {"unsigned"}:
        return "unsigned"
    return "any" if "bipolar" in encodings else "twos_complement"


def _convolutions(network):
    shapes = [layer.out_shape for layer in network.layers]
    return [
        as_convolution(layer, network.input_shape if layer.source < 0 else shapes[layer.source])
        for layer in network.layers
    ]


def _least_quant(network, draft, largest):
    """The least power of two up to `largest` with which no quantized layer waits for its drain."""
    # Groups are merged as they would be if no drain kept them from it.
    most = max(1, min(largest // draft.engines, draft.rows))
    widest = max(quant for quant in range(1, most + 1) if draft.rows % quant == 0)
    layers = _convolutions(merged(network, draft.replace(quant=widest), ()))
    quant = 1
    while quant * 2 * draft.engines <= largest and quant * 2 <= draft.rows:
        if draft.rows % (2 * quant) and draft.engines > 1:
            break
        loops = [PassGeometry.of(layer, draft.replace(quant=quant)) for layer in layers[:-1]]
        if all(
            loop.cols * ((loop.tiles - 1) * loop.full_groups + loop.last_groups)
            <= loop.tiles * loop.tile_cycles
            for loop in loops
        ):
            break
        quant *= 2
    return quant


def _affine_bits(network, plan, config):
    """Widths of the affine quantizer's parameters."""
    multipliers, offsets, shifts = [1], [1], [1]
    for index, layer in enumerate(network.layers):
        constants = np.zeros(len(layer.codes), np.int64)
        if layer.rescale is None:
            geometry = plan.of_layer(index)[0].geometry
            constants = xnor_constants(layer, geometry, config) * summed_pixels(layer)
        if layer.thresholds is None:
            offsets.append(int(abs(constants).max()).bit_length() + 1)
            continue
        form = affine_form(layer, 48)
        for channel in range(len(layer.codes)):
            m, b, f = (int(values[channel]) for values in (form.m, form.b, form.f))
            b += m * int(constants[channel])
            multipliers.append(m.bit_length())
            offsets.append((b if b >= 0 else -b - 1).bit_length() + 1)
            shifts.append(f.bit_length())
    return {"mul_bits": max(multipliers), "bias_bits": max(2, *offsets), "shift_bits": max(shifts)}
