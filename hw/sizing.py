"""An engine sized for a network."""

from __future__ import annotations

from dorefa.golden.affine import affine_form

from . import cycles
from .config import EngineConfig, check_range
from .geometry import LayerGeometry
from .problems import needs, xnor_constants

# Binary operations per image above which the larger array is the default.
_LARGE_NETWORK = 20_000_000
# The configuration's limit.
_LARGEST_QUANT = 64


def fit(network, **overrides) -> EngineConfig:
    """The :class:`EngineConfig` for `network` (integer); every parameter in `overrides` is kept.

    Depths and widths are the least that the network needs. `lanes` x `rows` default to 32 x 16, or
    64 x 32 for networks of more than 20 million binary operations; `encoding` is ``bipolar`` where
    all weights are; `quantizer` is ``thresholds`` up to 4 bits; `quant` is the least power of two with
    which no layer waits for its drain, `fetch_bits` the least that costs at most 1 % of the cycles.
    """
    layers = network.layers
    operations = sum(layer.macs * layer.w_bits * layer.a_bits for layer in layers)
    large = operations > _LARGE_NETWORK
    sizes = {"lanes": 64 if large else 32, "rows": 32 if large else 16, "cols": 1}
    sizes |= {"encoding": _encoding(layers), "port_bytes": 1}
    sizes["out_bits"] = max((layer.out_bits for layer in layers[:-1]), default=1)
    unknown = overrides.keys() - EngineConfig().as_dict().keys()
    # The message about an unknown name is the configuration's.
    EngineConfig().replace(**dict.fromkeys(unknown))
    sizes |= overrides
    for name in ("lanes", "rows", "cols", "port_bytes", "out_bits", "quant", "fetch_bits"):
        if name in sizes:
            check_range(name, sizes[name])
    geometry = {name: sizes[name] for name in ("lanes", "rows", "cols")}
    widest_fetch = sizes.get("fetch_bits", 1 << (sizes["lanes"].bit_length() - 1))
    sizes.setdefault("quant", _least_quant(layers, geometry, min(widest_fetch, _LARGEST_QUANT)))
    sizes.setdefault("fetch_bits", _least_fetch(layers, sizes, sizes["quant"]))
    sizes.setdefault("quantizer", "thresholds" if sizes["out_bits"] <= 4 else "affine")
    sizes.setdefault("a_bits", max(layer.a_bits for layer in layers))
    draft = EngineConfig(**sizes)
    for name, least in needs(network, draft).items():
        sizes.setdefault(name, max(least, 4) if name == "acc_bits" else least)
    if sizes["quantizer"] == "affine":
        for name, bits in _affine_bits(layers, draft).items():
            sizes.setdefault(name, bits)
    return EngineConfig(**sizes)


def _encoding(layers):
    encodings = {layer.encoding for layer in layers}
    if encodings == {"bipolar"}:
        return "bipolar"
    if encodings <= {"unsigned"}:
        return "unsigned"
    return "any" if "bipolar" in encodings else "twos_complement"


def _least_quant(layers, geometry, largest):
    """The least power of two up to `largest` with which no quantized layer waits for its drain."""
    quant = 1
    while quant * 2 <= min(largest, geometry["rows"]):
        loops = [LayerGeometry(layer=layer, quant=quant, fetch_bits=8, **geometry) for layer in layers[:-1]]
        if all(
            loop.cols * ((loop.tiles - 1) * loop.full_groups + loop.last_groups)
            <= loop.tiles * loop.tile_cycles
            for loop in loops
        ):
            break
        quant *= 2
    return quant


def _least_fetch(layers, sizes, quant):
    """The least power of two with which the network takes at most 1 % more cycles than with the
    widest."""
    least = max(8, 1 << (max(quant, sizes["port_bytes"]) - 1).bit_length())
    widest = 1 << (sizes["lanes"].bit_length() - 1)
    array = {name: sizes[name] for name in ("lanes", "rows", "cols", "port_bytes")}

    def total(fetch):
        draft = EngineConfig(**array, quant=quant, fetch_bits=fetch, out_bits=1)
        return sum(layer.cycles for layer in cycles.predict(layers, draft))

    limit = 1.01 * total(max(least, widest))
    fetch = least
    while fetch < widest and total(fetch) > limit:
        fetch *= 2
    return fetch


def _affine_bits(layers, config):
    """Widths of the affine quantizer's parameters."""
    multipliers, offsets, shifts = [1], [1], [1]
    for layer in layers[:-1]:
        form = affine_form(layer, 48)
        constants = xnor_constants(layer, LayerGeometry.of(layer, config))
        for channel in range(len(layer.codes)):
            m, b, f = (int(values[channel]) for values in (form.m, form.b, form.f))
            b += m * int(constants[channel]) if config.xnor else 0
            multipliers.append(m.bit_length())
            offsets.append((b if b >= 0 else -b - 1).bit_length() + 1)
            shifts.append(f.bit_length())
    if config.xnor:
        last = layers[-1]
        offsets.append(int(abs(xnor_constants(last, LayerGeometry.of(last, config))).max()).bit_length() + 1)
    return {"mul_bits": max(multipliers), "bias_bits": max(2, *offsets), "shift_bits": max(shifts)}
