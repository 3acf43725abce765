"""Running a network: integer golden (two implementations) and its float counterpart.

All return the same dict: layer name -> codes after pooling, uint8, or int8 where they are signed
(IntegerLayer.out_signed), (batch, H, W, C); for a layer that yields only its trunk, the trunk, int64
(batch, H, W, C); for the last layer its accumulators sum(v * a), int64 (batch, classes). A layer with
codes whose trunk is added later has the trunk (before pooling) too, under its name + ".trunk".
"""

from collections.abc import Sequence

import numpy as np

from .. import checks
from ..errors import InputError
from ..lowering.integer_network import IntegerLayer, IntegerNetwork
from ..network.quantized_network import check_images
from . import bitplanes, matmul
from .graph import Computed, run_graph


def run_integer(
    network: IntegerNetwork,
    images: np.ndarray,
    implementation: str = "matmul",
    outputs: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Results of every layer of an IntegerNetwork.

    images: uint8 (batch, H, W, C) of codes below 2^input_bits, two's complement if the network's
    input_signed; implementation: "matmul" or "bitplanes" (AND and popcount), which agree on
    everything. outputs: names of the results to return, None for all. InputError for images
    or names that do not fit.
    """
    checks.choice(implementation, "implementation", ("matmul", "bitplanes"))
    check_images(network, images)
    layers = network.layers
    if network.input_signed:
        images = matmul.signed_codes(images, network.input_bits)

    def compute(index: int, codes: np.ndarray, added: np.ndarray | None) -> Computed:
        return _run_layer(layers[index], codes, added, implementation)

    return run_graph(images, layers, layers, layers, compute, outputs)


def unsigned_images(network: IntegerNetwork, images: np.ndarray) -> np.ndarray:
    """int8 images of a network with input_signed as uint8 two's complement of input_bits.

    Other images are returned as they are. InputError for values that input_bits cannot hold.
    """
    if not network.input_signed or not isinstance(images, np.ndarray) or images.dtype != np.int8:
        return images
    half = 1 << (network.input_bits - 1)
    bad = (images < -half) | (images >= half)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"images has the value {images[index]} at {index}; accepted: {-half}..{half - 1}")
    return images.view(np.uint8) & np.uint8(2 * half - 1)


def logits(network: IntegerNetwork, accumulators: np.ndarray) -> np.ndarray:
    """accumulators * scale + bias of the last layer: float64 (batch, classes)."""
    last = network.layers[-1]
    return accumulators * last.logit_scale + last.logit_bias


def _run_layer(
    layer: IntegerLayer, codes: np.ndarray, added: np.ndarray | None, implementation: str
) -> Computed:
    """(codes, trunk) of an IntegerLayer, see run_graph."""
    codes = codes.reshape(-1, *layer.in_shape)
    if implementation == "matmul":
        values = matmul.convolve(codes, layer.values, **layer.spacing)
    else:
        values = bitplanes.convolve(
            codes,
            layer.codes,
            a_bits=layer.a_bits,
            w_bits=layer.w_bits,
            encoding=layer.encoding,
            a_signed=layer.a_signed,
            **layer.spacing,
        )
    trunk = None
    if layer.rescale is not None:
        trunk = matmul.rescale(values, layer.rescale)
        if added is not None:
            trunk += added
        values = trunk
    elif layer.thresholds is None:
        return values.reshape(len(codes), -1), None
    if layer.thresholds is None or layer.out_bits is None:
        return None, trunk
    pool = layer.pool
    if pool is not None and pool.kind == "average":
        values = matmul.sum_pool(values, pool)
    codes = matmul.apply_thresholds(values, layer.thresholds, layer.inverted)
    if pool is not None and pool.kind == "max":
        codes = matmul.max_pool(codes, pool)
    elif pool is not None and pool.kind == "average_codes":
        codes = matmul.sum_pool(codes, pool)
    return matmul.stored_codes(codes, layer.code_step, layer.code_offset, layer.out_bits), trunk
