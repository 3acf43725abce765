"""Running a network: integer golden (two implementations) and its float counterpart.

All return the same dict: layer name -> codes after pooling, uint8 (batch, H, W, C); for the last
layer its accumulators sum(v * a), int64 (batch, classes).
"""

import numpy as np

from . import bitplanes, checks, integer
from .checks import check_images
from .float_inference import run_float

__all__ = ["check_images", "logits", "run_float", "run_integer"]

# Images per pass through the network: bounds memory, and large enough for fast matrix products.
_BATCH = 64


def run_integer(network, images, implementation="matmul"):
    """Codes of every layer of an IntegerNetwork.

    images: uint8 (batch, H, W, C) of codes below 2^input_bits; implementation: "matmul" or
    "bitplanes" (AND and popcount), which agree on everything.
    """
    checks.choice(implementation, "implementation", ("matmul", "bitplanes"))
    check_images(network, images)
    parts = []
    for start in range(0, len(images), _BATCH):
        codes = images[start : start + _BATCH]
        results = {}
        for layer in network.layers:
            codes = _run_layer(layer, codes, implementation)
            results[layer.name] = codes
        parts.append(results)
    return _joined(parts)


def logits(network, accumulators):
    """accumulators * scale + bias of the last layer: float64 (batch, classes)."""
    last = network.layers[-1]
    return accumulators * last.logit_scale + last.logit_bias


def _run_layer(layer, codes, implementation):
    geometry = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    codes = codes.reshape(-1, *layer.in_shape)
    if implementation == "matmul":
        accumulators = integer.convolve(codes, layer.values, **geometry)
    else:
        accumulators = bitplanes.convolve(
            codes,
            layer.codes,
            a_bits=layer.a_bits,
            w_bits=layer.w_bits,
            encoding=layer.encoding,
            **geometry,
        )
    if layer.thresholds is None:
        return accumulators.reshape(len(codes), -1)
    if layer.pool is not None and layer.pool.kind == "average":
        accumulators = integer.sum_pool(accumulators, layer.pool)
    codes = integer.apply_thresholds(accumulators, layer.thresholds, layer.inverted)
    if layer.pool is not None and layer.pool.kind == "max":
        codes = integer.max_pool(codes, layer.pool)
    return codes


def _joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
