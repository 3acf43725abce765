"""Several images in one packet: fully connected layers as 1x1 convolutions over a row of images."""

from __future__ import annotations

import dataclasses
import math

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork


def batched(network: IntegerNetwork, batch: int) -> IntegerNetwork:
    """`network` (IntegerNetwork) for packets of `batch` images; itself for a batch of 1.

    Every layer becomes a 1x1 convolution on a map (1, batch, K), so that its weights are read once a
    packet. Raises :class:`InputError` that names a layer that is neither fully connected nor a
    convolution that covers its map.
    """
    if batch == 1:
        return network
    return dataclasses.replace(
        network,
        input_shape=(1, batch, math.prod(network.input_shape)),
        layers=tuple(_batched_layer(layer, batch) for layer in network.layers),
    )


def _batched_layer(layer: IntegerLayer, batch: int) -> IntegerLayer:
    channels, *kernel, _ = layer.codes.shape
    single = layer.in_shape[:2] == (1, 1)
    covers = layer.kind == "fc" or (
        tuple(kernel) == layer.in_shape[:2]
        and layer.conv_shape[:2] == (1, 1)
        and not any(layer.padding)
        and (layer.groups == 1 or single)
    )
    if not covers or layer.pool is not None:
        height, width, _ = layer.conv_shape
        raise InputError(
            f"layer {layer.name}: batch is {batch}, but the layer is a convolution to {height}x{width} "
            "pixels" + (" with pooling" if layer.pool is not None else "") + "; accepted: batch 1, or a "
            "network of fully connected layers and convolutions whose kernel is the map"
        )
    return dataclasses.replace(
        layer,
        kind="conv",
        codes=layer.codes.reshape(channels, 1, 1, -1),
        stride=(1, 1),
        dilation=(1, 1),
        in_shape=(1, batch, math.prod(layer.in_shape)),
        conv_shape=(1, batch, channels),
        out_shape=(1, batch, channels),
    )
