"""Everything that keeps a network from running on an engine, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from ..config.ranges import RANGES
from ..interface.encodings import accepted_encodings
from ..interface.quantizers import quantizer_of
from ..interface.trunk_stores import trunk_store
from .needs import Need
from .passes import finds_its_trunk, pixel_channels
from .schedule import Schedule

_MEMORY_UNITS = {
    "weight_depth": ("weight memory", "words per row"),
    "feature_depth": ("feature memory", "words per plane"),
    "image_depth": ("image planes of the feature memory", "words per plane"),
    "patch_depth": ("patch buffer", "words per patch"),
    "image_patch_depth": ("image planes of the patch buffer", "words per patch"),
    "param_depth": ("quantizer parameter memory", "channel groups"),
    "pool_depth": ("pooling memory", "channel groups per pixel"),
    "line_depth": ("line memory of pooling", "channel groups per row of pooled pixels"),
    "layer_depth": ("program memory", "passes"),
}
# Memories that an engine has only where images are wider than other codes.
_IMAGE_ONLY = ("image_depth", "image_patch_depth")


def schedule_problems(
    network: IntegerNetwork, config: EngineConfig, schedule: Schedule, needs: Mapping[str, Need]
) -> list[str]:
    """What keeps a network that has a schedule from an engine of `config`; `needs`: least sizes."""
    return [
        *_size_problems(config, needs),
        *_trunk_problems(network, schedule, config),
        *quantizer_of(config).problems(network.layers, config),
    ]


def _size_problems(config: EngineConfig, needs: Mapping[str, Need]) -> Iterator[str]:
    """Depths and widths that the network needs and the engine does not have."""
    store = trunk_store(config)
    memory_units = _MEMORY_UNITS | {"trunk_depth": (store.memory, store.unit)}
    for name, need in needs.items():
        value = getattr(config, name)
        if value >= need.least or (name in _IMAGE_ONLY and not config.image_planes):
            continue
        if beyond := beyond_range(name, need):
            yield beyond
        elif name not in memory_units:
            yield f"layer {need.layer}: {name} is {value}; accepted: at least {need.least}, which it needs"
        else:
            memory, unit = memory_units[name]
            needed = f"layer {need.layer}: {memory}: it needs {need.least} {unit}"
            if need.share is not None:
                needed = (
                    f"{memory}: the network needs {need.least} {unit}, {need.share} for layer {need.layer}"
                )
            yield (
                f"{needed}, the engine has {name} = {value}, {need.least - value} too few; accepted: {name} "
                f"of at least {need.least}"
            )


def beyond_range(name: str, need: Need) -> str | None:
    """The problem where no engine has as much of parameter `name` as a network needs, else None."""
    _, greatest, unit = RANGES[name]
    if need.least <= greatest:
        return None
    needed, share = f"layer {need.layer}: it needs", ""
    if need.share is not None:
        needed, share = "the network needs", f", {need.share} for layer {need.layer}"
    return f"{needed} {name} of {need.least} ({unit}){share}; accepted: at most {greatest}"


def _trunk_problems(network: IntegerNetwork, plan: Schedule, config: EngineConfig) -> Iterator[str]:
    """A trunk and what is added to it must leave the array in the same groups of channels; where trunks
    stream, in the same passes."""
    for index, layer in enumerate(network.layers):
        if layer.add is None:
            continue
        passes, others = plan.of_layer(index), plan.of_layer(layer.add)
        own, other = pixel_channels(passes), pixel_channels(others)
        added = network.layers[layer.add].name
        if not finds_its_trunk(own, other):
            yield (
                f"layer {layer.name}: its channels leave in other groups than those of {added}, which it "
                f"adds ({len(own)} and {len(other)} groups a pixel); accepted: rows and channels per group "
                "that are multiples of quant"
            )
            continue
        if trunk_store(config).streams:
            pixels, stored = (plan.of_layer(number)[0].geometry.pixels for number in (index, layer.add))
            if pixels != stored:
                yield (
                    f"layer {layer.name}: it adds a trunk that streams in, but pooling leaves out "
                    f"{stored - pixels} of {stored} pixels; accepted: pooling windows that cover the map, "
                    "or trunks onchip"
                )
            numbers = plan.numbers_of_layer(index)
            if len(passes) != len(others) or any(plan.trunk_sources[number] is None for number in numbers):
                yield (
                    f"layer {layer.name}: its {len(passes)} passes leave other channels than the "
                    f"{len(others)} of {added}, whose trunk streams in pass by pass; accepted: trunks "
                    f"onchip, or a weight_depth, now {config.weight_depth}, that cuts both alike"
                )


def layer_problems(layer: IntegerLayer, config: EngineConfig) -> Iterator[str]:
    """What keeps one convolution from an engine of `config`."""
    accepted = accepted_encodings(config)
    if layer.encoding not in accepted:
        yield (
            f"layer {layer.name}: weights are {layer.encoding}; an engine of encoding "
            f"{config.encoding} accepts {', '.join(accepted)}; encoding any accepts all"
        )
    yield from _pool_problems(layer, config)
    if layer.code_step not in (1, 2):
        yield f"layer {layer.name}: codes are {layer.code_step} apart; accepted: 1 or 2"


def _pool_problems(layer: IntegerLayer, config: EngineConfig) -> Iterator[str]:
    """Every window of an axis must end at a pixel of its own, the next one of its slot must not be too far,
    and where the trunk is kept all pixels must belong to a window."""
    pool = layer.pool
    if pool is None:
        return
    for axis, what in enumerate(("rows", "columns")):
        size, windows = layer.conv_shape[axis], layer.pooled_shape[axis]
        kernel, stride, before = pool.kernel[axis], pool.stride[axis], pool.padding[axis]
        last_end = (windows - 1) * stride - before + kernel - 1
        if windows > 1 and last_end - stride >= size - 1:
            yield (
                f"layer {layer.name}: pooling padding {pool.padding[axis + 2]} behind the {what} with "
                f"stride {stride} ends two windows at the last of {size} {what}; accepted: padding of "
                "less than the stride there"
            )
        widest = ((1 << (config.phase_bits - 1)) - 1) // config.pool_slots
        if windows > 1 and stride > widest:
            yield (
                f"layer {layer.name}: pooling windows are {stride} {what} apart; accepted: at most {widest} "
                f"with pool_slots {config.pool_slots}"
            )
        # A trunk is added pixel by pixel, in the order in which all of its pixels were stored.
        added = layer.add is not None and axis == 1
        if (layer.trunk or added) and last_end < size - 1:
            yield (
                f"layer {layer.name}: {'its trunk is kept' if layer.trunk else 'it adds a trunk'}, but "
                f"pooling leaves out {size - 1 - last_end} of {size} {what}; accepted: pooling "
                "windows that cover the map"
            )
