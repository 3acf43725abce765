"""Running a network: integer golden (two implementations) and its float counterpart.

All return the same dict: layer name -> codes after pooling (batch, H, W, C), uint8, or int8 where they are
signed (IntegerLayer.out_signed), uint16 or int16 of more than 8 bits; for a layer that yields only its trunk,
the trunk, int64 (batch, H, W, C); for a layer that gives a result its accumulators sum(v * a), int64
(batch, H, W, C), or (batch, classes) of one pixel. A layer with codes whose trunk is added later has the
trunk (before pooling) too, under its name + ".trunk".
"""

from collections.abc import Mapping, Sequence

import numpy as np

from .. import checks
from ..errors import InputError
from ..lowering.integer_network import IntegerLayer, IntegerNetwork
from ..network.encoding import Encoding
from ..network.parts import Pool
from ..network.quantized_network import check_images
from ..network.results import in_blocks
from . import bitplanes, matmul
from .exact_sums import exact_sums
from .graph import Computed, result_values, run_graph


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
    """Images as they are handed in, as uint8 codes: signed ones are int8, and become two's complement of
    input_bits; those of a network with an image_zero may be integers minus this zero point, int16.

    Others are returned as they are. InputError for values that input_bits cannot hold.
    """
    if not isinstance(images, np.ndarray):
        return images
    own = "int8" if network.input_signed else "uint8"
    if network.image_zero and images.dtype not in (np.uint8, np.int8, np.int16):
        raise InputError(
            f"images has dtype {images.dtype}; accepted: {own}, or int16 for integers minus the zero point "
            f"{network.image_zero}"
        )
    low, high = Encoding.plain(network.input_signed).range(network.input_bits)
    zero = 0
    if network.image_zero and images.dtype == np.int16:
        zero = network.image_zero
    elif not network.input_signed or images.dtype != np.int8:
        return images
    bad = (images < low - zero) | (images > high - zero)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"images has the value {images[index]} at {index}; accepted: {low - zero}..{high - zero}"
        )
    return ((images.astype(np.int64) + zero) & ((1 << network.input_bits) - 1)).astype(np.uint8)


def logits(network: IntegerNetwork, accumulators: np.ndarray) -> np.ndarray:
    """accumulators * scale + bias of the last layer: float64, shaped like them."""
    return _real_values(network.layers[-1], accumulators)


def result_arrays(network: IntegerNetwork, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What leaves the network, by the names of its results: accumulators, int64 (batch, H, W, C), (batch,
    classes) of one pixel, or (batch, N) of a map that a file hands out as a vector.

    values: results of the layers, as of :func:`run_integer`.
    """
    own = {index: values[network.layers[index].name] for index in network.result_layers}
    return {result.name: result.array(own) for result in network.results}


def real_arrays(network: IntegerNetwork, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """:func:`result_arrays` as real values, accumulators * scale + bias: float64."""
    layers = [(index, network.layers[index]) for index in network.result_layers]
    own = {index: _real_values(layer, values[layer.name]) for index, layer in layers}
    return {result.name: result.real_array(own) for result in network.results}


def _real_values(layer: IntegerLayer, accumulators: np.ndarray) -> np.ndarray:
    return accumulators * layer.logit_scale + layer.logit_bias


def _run_layer(
    layer: IntegerLayer, codes: np.ndarray, added: np.ndarray | None, implementation: str
) -> Computed:
    """(codes, trunk) of an IntegerLayer, see run_graph."""
    codes = codes.reshape(-1, *layer.in_shape)
    if implementation == "matmul":
        values = exact_sums(codes, layer.values, **layer.spacing)
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
        trunk = matmul.rescale(values.astype(np.int64, copy=False), layer.rescale)
        if added is not None:
            trunk += added
        values = trunk
    elif layer.thresholds is None:
        return result_values(values.astype(np.int64, copy=False)), None
    if layer.thresholds is None or layer.out_bits is None:
        return None, trunk
    codes = _pooled_codes(values, layer.thresholds, layer.inverted, layer.pool)
    codes = matmul.stored_codes(codes, layer.code_step, layer.code_offset, layer.out_bits)
    return in_blocks(codes, layer.block), trunk


def _pooled_codes(
    values: np.ndarray, thresholds: np.ndarray, inverted: np.ndarray, pool: Pool | None
) -> np.ndarray:
    """Counts of reached thresholds (batch, Ho, Wo, C), pooled, of sums or trunk values before pooling."""
    if pool is None:
        return matmul.apply_thresholds(values, thresholds, inverted)
    if pool.kind == "average":
        values = matmul.sum_pool(values.astype(np.int64, copy=False), pool)
        return matmul.apply_thresholds(values, thresholds, inverted)
    if pool.kind == "max" and not any(pool.padding) and not inverted.any():
        # The largest sum has the largest count, and there are fewer to compare.
        return matmul.apply_thresholds(matmul.max_pool(values, pool), thresholds, inverted)
    codes = matmul.apply_thresholds(values, thresholds, inverted)
    return matmul.max_pool(codes, pool) if pool.kind == "max" else matmul.sum_pool(codes, pool)
