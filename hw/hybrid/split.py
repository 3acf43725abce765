"""A network as its first layer, whose codes are an image of the rest."""

from __future__ import annotations

from dataclasses import replace

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

_ENGINE = "the engine (--architecture engine) runs it"
# Bits of a code of the engine's image port.
_PORT_BITS = 8


def split(network: IntegerNetwork) -> tuple[IntegerNetwork, IntegerNetwork]:
    """(the first layer as a network that leaves its codes, the others as one whose images these are).

    Of every image, the second gives on the codes of the first, as :func:`.unsigned_images` makes them, what
    the whole network gives. Raises :class:`InputError` for what cannot be cut so, with the layer.
    """
    first, *others = network.layers
    bits = _code_bits(first, network)
    for layer in others:
        if layer.source < 0:
            raise InputError(f"layer {layer.name}: reads the image, as {first.name} does; {_ENGINE}")
    places = {index: index - 1 for index in range(1, len(network.layers))}
    rest = replace(
        network,
        input_shape=first.out_shape,
        input_bits=bits,
        input_signed=first.out_signed,
        image_zero=0,
        layers=tuple(
            replace(layer, source=layer.source - 1, add=None if layer.add is None else layer.add - 1)
            for layer in others
        ),
        results=tuple(result.moved(places) for result in network.results),
    )
    if not rest.score_count or len(rest.result_layers) > 1:
        shapes = " and ".join("x".join(map(str, rest.layers[at].out_shape)) for at in rest.result_layers)
        raise InputError(
            f"{network.name} gives results of {shapes}; accepted in a hybrid: one score per class; {_ENGINE}"
        )
    return replace(network, layers=(first,), results=()), rest


def _code_bits(layer: IntegerLayer, network: IntegerNetwork) -> int:
    """Bits of the codes of a first layer. Raises :class:`InputError` where they are no image."""
    where = f"layer {layer.name}:"
    if len(network.layers) == 1:
        raise InputError(f"{where} is the only one; accepted in a hybrid: at least two layers; {_ENGINE}")
    if layer.is_result:
        raise InputError(f"{where} is a result before the last layer; {_ENGINE}")
    if layer.rescale is not None or layer.out_bits is None:
        raise InputError(f"{where} has a residual trunk; {_ENGINE}")
    if layer.block != (1, 1):
        raise InputError(f"{where} makes blocks of pixels of its channels; {_ENGINE}")
    if layer.out_bits > _PORT_BITS:
        raise InputError(
            f"{where} has codes of {layer.out_bits} bits; accepted in a hybrid: at most {_PORT_BITS}; "
            f"{_ENGINE}"
        )
    return layer.out_bits
