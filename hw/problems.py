"""Everything that keeps a network from running on an engine, found before anything runs."""

from __future__ import annotations

import math

import numpy as np

from dorefa.golden.affine import affine_form
from dorefa.golden.errors import InputError

from . import program
from .geometry import LayerGeometry

# Layer encodings that an engine of each encoding runs.
ACCEPTED_ENCODINGS = {
    "bipolar": ("bipolar",),
    "unsigned": ("unsigned",),
    "twos_complement": ("twos_complement", "unsigned"),
    "any": ("bipolar", "twos_complement", "unsigned"),
}


def xnor_constants(layer, geometry):
    """Per output channel, ``n_a sum_i 2^i (popcount(w_i) - N)``, N the lanes of all its words:
    what ``sum_ij 2^(i+j) popcount(w_i XNOR a_j)`` lacks of ``sum v a``. Shape (Cout,), int64."""
    codes = layer.codes.reshape(len(layer.codes), -1).astype(np.int64)
    lanes = geometry.words * geometry.lanes
    weight_top, activation_top = (1 << layer.w_bits) - 1, (1 << layer.a_bits) - 1
    return activation_top * (codes.sum(axis=1) - lanes * weight_top)


def raw_range(layer, geometry, config) -> tuple[int, int]:
    """Least and greatest accumulator as it reaches the quantizer."""
    if not config.xnor:
        return layer.acc_min, layer.acc_max
    lanes = geometry.words * geometry.lanes
    return 0, lanes * ((1 << layer.w_bits) - 1) * ((1 << layer.a_bits) - 1)


def accumulator_bits(layer, geometry, config) -> int:
    """Bits of a signed accumulator that holds every sum, every threshold and every result."""
    least, greatest = raw_range(layer, geometry, config)
    least = min(least, layer.acc_min, -greatest if config.xnor else 0)
    return max((-least - 1).bit_length() if least < 0 else 0, (greatest + 1).bit_length()) + 1


def _padded_row_bits(layer):
    return (layer.padding[1] + layer.in_shape[1] + layer.padding[3]) * layer.in_shape[2]


def needs(network, config) -> dict[str, int]:
    """Least value of each depth and width that `network` needs of an engine of `config`'s lanes,
    rows, cols, quant, fetch_bits and encoding."""
    geometries = [LayerGeometry.of(layer, config) for layer in network.layers]
    layers = network.layers
    maps = [-(-math.prod(layer.in_shape) // config.fetch_bits) for layer in layers]
    pairs = [used + made for used, made in zip(maps, [*maps[1:], 0], strict=True)]
    # Windows lie up to the padding's width outside of the map's row: twice the address space holds
    # their offsets and the runs' lengths.
    reaches = [-(-(_padded_row_bits(layer) + 1) // (2 * config.fetch_bits)) for layer in layers]
    body_words = [g.words for g in geometries if g.layer.a_bits <= config.out_bits]
    image_words = [g.words for g in geometries if g.layer.a_bits > config.out_bits]
    return {
        "w_bits": max(layer.w_bits for layer in layers),
        "a_bits": max(layer.a_bits for layer in layers),
        "out_bits": max((layer.out_bits for layer in layers[:-1]), default=1),
        "acc_bits": max(accumulator_bits(g.layer, g, config) for g in geometries),
        "weight_depth": sum(g.weight_words for g in geometries),
        "feature_depth": max(2, *pairs, *reaches),
        "image_depth": max(2, maps[0]),
        "patch_depth": max(body_words + image_words),
        "image_patch_depth": max(image_words, default=1),
        "param_depth": sum(g.pixel_groups for g in geometries),
        "pool_depth": max(g.pixel_groups for g in geometries),
        "layer_depth": len(layers),
    }


_MEMORY_UNITS = {
    "weight_depth": ("weight memory", "words per row"),
    "feature_depth": ("feature memory", "words per plane"),
    "image_depth": ("image planes of the feature memory", "words per plane"),
    "patch_depth": ("patch buffer", "words per patch"),
    "image_patch_depth": ("image planes of the patch buffer", "words per patch"),
    "param_depth": ("quantizer parameter memory", "channel groups"),
    "pool_depth": ("pooling memory", "channel groups per pixel"),
    "layer_depth": ("program memory", "layers"),
}


def find_problems(network, config) -> list[str]:
    """One line per reason why `network` (integer) cannot run on `config`; empty when it can."""
    problems = []
    image_only = ("image_depth", "image_patch_depth")
    for name, least in needs(network, config).items():
        value = getattr(config, name)
        if value >= least or (name in image_only and not config.image_planes):
            continue
        if name in _MEMORY_UNITS:
            memory, unit = _MEMORY_UNITS[name]
            problems.append(
                f"{memory}: the network needs {least} {unit}, the engine has {name} = {value}, "
                f"{least - value} too few; accepted: {name} of at least {least}"
            )
        else:
            problems.append(
                f"{name} is {value}; accepted: at least {least}, which the network needs"
            )
    for index, layer in enumerate(network.layers):
        problems += _layer_problems(layer, config, index == len(network.layers) - 1)
    if config.quantizer == "affine":
        for layer in network.layers[:-1]:
            try:
                affine_form(layer, config.mul_bits)
            except InputError as error:
                problems.append(str(error))
    return problems


def _layer_problems(layer, config, last):
    accepted = ACCEPTED_ENCODINGS[config.encoding]
    if layer.encoding not in accepted:
        yield (
            f"layer {layer.name}: weights are {layer.encoding}; an engine of encoding "
            f"{config.encoding} accepts {', '.join(accepted)}; encoding any accepts all"
        )
    if layer.pool is not None and layer.pool.kind != "max":
        yield (
            f"layer {layer.name}: {layer.pool.kind} pooling; accepted: max pooling, or none"
        )
    if layer.pool is not None and any(layer.pool.padding):
        yield (
            f"layer {layer.name}: pooling padding {layer.pool.padding}; accepted: (0, 0, 0, 0)"
        )
    if last and layer.out_shape[:2] != (1, 1):
        yield (
            f"layer {layer.name}: the last layer's map is {layer.out_shape[0]}x{layer.out_shape[1]}; "
            "accepted: 1x1, one score per class"
        )
    largest = (1 << program.SIZE_BITS) - 1
    for what, size in (("input", layer.in_shape[:2]), ("output", layer.out_shape[:2])):
        if max(size) > largest:
            yield (
                f"layer {layer.name}: {what} map of {size[0]}x{size[1]} pixels; "
                f"accepted: at most {largest} rows and columns"
            )
    kernel_rows, runs_per_row, _ = LayerGeometry.of(layer, config).runs
    pool = layer.pool.kernel if layer.pool else (1, 1)
    most = (1 << program.KERNEL_BITS) - 1
    for what, size in (("kernel", (kernel_rows, runs_per_row)), ("pooling window", pool)):
        if max(size) > most:
            yield (
                f"layer {layer.name}: {what} of {size[0]} rows and {size[1]} runs per row; "
                f"accepted: at most {most} of each"
            )
    padded_rows = layer.padding[0] + layer.in_shape[0] + layer.padding[2]
    if padded_rows > 2 * largest + 1:
        yield (
            f"layer {layer.name}: input map of {padded_rows} rows with padding; "
            f"accepted: at most {2 * largest + 1}"
        )
