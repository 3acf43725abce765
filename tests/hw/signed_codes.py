"""Networks whose codes are two's complement."""

import dataclasses

import numpy as np


def bounds(layer, a_bits, signed):
    """Least and greatest accumulator of a layer that reads codes of these bits."""
    low, high = (-(1 << (a_bits - 1)), (1 << (a_bits - 1)) - 1) if signed else (0, (1 << a_bits) - 1)
    values = layer.values.reshape(len(layer.codes), -1).astype(int)
    positive, negative = np.maximum(values, 0).sum(1), np.minimum(values, 0).sum(1)
    least, greatest = positive * low + negative * high, positive * high + negative * low
    return min(int(least.min()), 0), max(int(greatest.max()), 0)


def make_signed(network, rng):
    """`network` with some code tensors two's complement: full range, or bipolar where one bit is
    quantized; the accumulators' bounds and the thresholds follow."""
    layers = []
    image_signed = bool(rng.integers(2))
    for layer in network.layers:
        first = layer.source < 0
        signed = image_signed if first else layers[layer.source].out_signed
        a_bits = network.input_bits if first else layers[layer.source].out_bits
        least, greatest = bounds(layer, a_bits, signed)
        changes = {"a_signed": signed, "a_bits": a_bits, "acc_min": least, "acc_max": greatest}
        if layer.pool is not None and layer.pool.kind == "average":
            least, greatest = layer.pool.area * least, layer.pool.area * greatest
        changes |= {"value_min": least, "value_max": greatest}
        if layer.thresholds is not None:
            changes["thresholds"] = layer.thresholds.clip(least, greatest + 1)
            if rng.integers(2):
                changes["code_offset"] = -(1 << (layer.code_bits - 1))
                if layer.code_bits == 1:
                    changes |= {"code_step": 2, "code_offset": -1, "out_bits": 2}
        layers.append(dataclasses.replace(layer, **changes))
    return dataclasses.replace(network, layers=tuple(layers), input_signed=image_signed)
