"""Channel groups merged into larger ones: block-diagonal weights fill lanes and rows that would idle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from ..interface.encodings import accepted_encodings
from ..interface.result_ports import result_port
from ..interface.weight_sources import weight_source
from .cycles import steady
from .geometry import PassGeometry
from .schedule import patch_needs, schedule

_DEEPEST = 1 << 20  # words of the weight memory that a configuration may ask for
_DEPTHS = ("weight_depth", "patch_depth", "image_patch_depth")


def merged(
    network: IntegerNetwork, config: EngineConfig, limits: Collection[str] | None = None
) -> IntegerNetwork:
    """`network` (:func:`dorefa.hw.compiler.batch.batched`) with the channel groups of every layer merged so
    that it takes the fewest cycles on an engine of `config`; the codes of all layers stay the same.

    m neighbors of G groups become one (m divides G): K is m times as long, and a group has m times as
    many output channels, whose weights for the channels of its neighbors are 0. Bipolar weights have
    no 0; where the engine takes two's complement they become that, 1 bit wider. Layers with a trunk keep
    their groups, in which others are added. `limits`: names of those depths of `config` that must
    suffice, all by default; where merging everywhere needs more, layers are merged one by one while it
    does not.
    """
    limits = _DEPTHS if limits is None else [name for name in _DEPTHS if name in limits]
    choices = {}
    for index, layer in enumerate(network.layers):
        counts = _by_cycles(layer, config)
        if len(counts) > 1:
            choices[index] = counts
    if not choices:
        return network
    allowed = _needs(network, config, limits)
    allowed = {name: max(getattr(config, name), allowed.get(name, 0)) for name in limits}

    def suits(chosen: Mapping[int, int]) -> bool:
        needed = _needs(_merged(network, chosen, _outline), config, limits)
        return needed.keys() >= allowed.keys() and all(needed[name] <= allowed[name] for name in allowed)

    chosen = {index: counts[0] for index, counts in choices.items()}
    if not suits(chosen):
        chosen = {}
        for index, counts in choices.items():
            count = next((count for count in counts if suits(chosen | {index: count})), 1)
            chosen[index] = count
    return _merged(network, chosen, merge)


def merge(layer: IntegerLayer, count: int) -> IntegerLayer:
    """`layer` (IntegerLayer) with each `count` neighboring channel groups as one, itself for 1."""
    if count == 1:
        return layer
    outlined = _outline(layer, count)
    codes = layer.codes
    if not layer.encoding.has_zero:
        codes = outlined.encoding.codes(layer.values, outlined.w_bits)
    _, height, width, inner = codes.shape
    blocks = codes.reshape(outlined.groups, count, -1, height, width, inner)
    result = np.zeros((*blocks.shape[:-1], count, inner), np.uint8)
    for place in range(count):
        result[:, place, ..., place, :] = blocks[:, place]
    return dataclasses.replace(outlined, codes=result.reshape(outlined.codes.shape))


def _merged(
    network: IntegerNetwork, chosen: Mapping[int, int], make: Callable[[IntegerLayer, int], IntegerLayer]
) -> IntegerNetwork:
    layers = [make(layer, chosen.get(index, 1)) for index, layer in enumerate(network.layers)]
    return dataclasses.replace(network, layers=tuple(layers))


def _outline(layer: IntegerLayer, count: int) -> IntegerLayer:
    """What :func:`merge` makes, but at once: its codes have the shape and no contents."""
    if count == 1:
        return layer
    channels, height, width, inner = layer.codes.shape
    encoding, w_bits = layer.encoding.with_zero(layer.w_bits)
    return dataclasses.replace(
        layer,
        codes=np.broadcast_to(np.uint8(0), (channels, height, width, count * inner)),
        groups=layer.groups // count,
        encoding=encoding,
        w_bits=w_bits,
    )


def _by_cycles(layer: IntegerLayer, config: EngineConfig) -> list[int]:
    """Numbers of groups to merge that take fewer cycles than merging none, the fastest first, then 1."""
    if layer.groups == 1 or layer.rescale is not None:
        return [1]
    encoding, w_bits = layer.encoding.with_zero(layer.w_bits)
    if encoding not in accepted_encodings(config) or w_bits > config.w_bits:
        return [1]
    counts = [count for count in range(1, layer.groups + 1) if layer.groups % count == 0]
    cycles = {count: _cycles(_outline(layer, count), config) for count in counts}
    faster = [count for count in counts if cycles[count] < cycles[1]]
    return [*sorted(faster, key=cycles.__getitem__), 1]


def _cycles(layer: IntegerLayer, config: EngineConfig) -> int:
    """Cycles of a layer in its steady state; filling and emptying the pipeline is the same for all."""
    geometry = PassGeometry.of(layer, config)
    _, cycles = steady(geometry, layer.code_bits is None, result_port(config))
    return max(cycles, weight_source(config).transfer(geometry.weight_words, config))


def _needs(network: IntegerNetwork, config: EngineConfig, limits: Collection[str]) -> dict[str, int]:
    """Depths that `network` needs of the memories whose words merged groups make more or longer; none
    where it cannot be scheduled."""
    if "weight_depth" not in limits:
        config = config.replace(weight_depth=_DEEPEST)
    try:
        passes = schedule(network, config).passes
    except InputError:
        return {}
    words = [part.geometry.weight_words for part in passes]
    needed = {"weight_depth": weight_source(config).least_depth(words)}
    needed |= patch_needs(passes, config)
    return {name: needed[name] for name in limits}
