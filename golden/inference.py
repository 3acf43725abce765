"""Running a network: integer golden (two implementations) and its float counterpart.

All return the same dict: layer name -> codes after pooling, uint8, or int8 where they are signed
(IntegerLayer.out_signed), (batch, H, W, C); for a layer
that yields only its trunk, the trunk, int64 (batch, H, W, C); for the last layer its accumulators
sum(v * a), int64 (batch, classes). A layer with codes whose trunk is added later has the trunk
(before pooling) too, under its name + ".trunk".
"""

from . import bitplanes, checks, integer
from .checks import check_images
from .float_inference import run_float
from .graph_run import run_graph

__all__ = ["check_images", "logits", "run_float", "run_integer"]


def run_integer(network, images, implementation="matmul", outputs=None):
    """Results of every layer of an IntegerNetwork.

    images: uint8 (batch, H, W, C) of codes below 2^input_bits, two's complement if the network's
    input_signed; implementation: "matmul" or
    "bitplanes" (AND and popcount), which agree on everything. outputs: names of the results to
    return, None for all. InputError for images or names that do not fit.
    """
    checks.choice(implementation, "implementation", ("matmul", "bitplanes"))
    check_images(network, images)
    layers = network.layers
    if network.input_signed:
        images = integer.signed_codes(images, network.input_bits)

    def compute(index, codes, added):
        return _run_layer(layers[index], codes, added, implementation)

    return run_graph(images, layers, layers, layers, compute, outputs)


def logits(network, accumulators):
    """accumulators * scale + bias of the last layer: float64 (batch, classes)."""
    last = network.layers[-1]
    return accumulators * last.logit_scale + last.logit_bias


def _run_layer(layer, codes, added, implementation):
    """(codes, trunk) of an IntegerLayer, see run_graph."""
    geometry = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    codes = codes.reshape(-1, *layer.in_shape)
    if implementation == "matmul":
        values = integer.convolve(codes, layer.values, **geometry)
    else:
        values = bitplanes.convolve(
            codes,
            layer.codes,
            a_bits=layer.a_bits,
            w_bits=layer.w_bits,
            encoding=layer.encoding,
            a_signed=layer.a_signed,
            **geometry,
        )
    trunk = None
    if layer.rescale is not None:
        trunk = integer.rescale(values, layer.rescale)
        if added is not None:
            trunk += added
        values = trunk
    elif layer.thresholds is None:
        return values.reshape(len(codes), -1), None
    if layer.thresholds is None:
        return None, trunk
    kind = layer.pool and layer.pool.kind
    if kind == "average":
        values = integer.sum_pool(values, layer.pool)
    codes = integer.apply_thresholds(values, layer.thresholds, layer.inverted)
    if kind == "max":
        codes = integer.max_pool(codes, layer.pool)
    elif kind == "average_codes":
        codes = integer.sum_pool(codes, layer.pool)
    return integer.stored_codes(codes, layer), trunk
