"""QONNX graphs for the tests, written with onnx.helper, and the qonnx package's executor as oracle."""

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from dorefa.golden import logits, qonnx, run_integer
from dorefa.golden.onnx_tensors import feature_order

QONNX = "qonnx.custom_op.general"


class Graph:
    """Collects nodes; every method returns the name of the tensor that it makes."""

    def __init__(self, shape):
        self.shape = tuple(shape)
        self.nodes, self.constants = [], []

    def constant(self, array, name=None, dtype=np.float32):
        """A new initializer."""
        name = name or f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def node(self, op, inputs, out, domain="", **attributes):
        """A node named like its first output."""
        outputs = [out] if isinstance(out, str) else list(out)
        self.nodes.append(
            helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        )
        return outputs[0]

    def quant(self, tensor, out, scale, bits, signed=0, narrow=0, zero=0, mode="ROUND", **more):
        """A Quant node."""
        inputs = [tensor, *map(self.constant, (scale, zero, bits))]
        return self.node("Quant", inputs, out, QONNX, signed=signed, narrow=narrow,
                         rounding_mode=mode, **more)  # fmt: skip

    def bipolar(self, tensor, out, scale=1):
        """A BipolarQuant node."""
        return self.node("BipolarQuant", [tensor, self.constant(scale)], out, QONNX)

    def weights(self, values, out, scale, bits, signed=1, narrow=1, **more):
        """A constant with a Quant node, or a BipolarQuant node for bits 0."""
        name = self.constant(values)
        if not bits:
            return self.bipolar(name, out, scale)
        return self.quant(name, out, scale, bits, signed, narrow, **more)

    def norm(self, tensor, out, rng, channels, domain=""):
        """BatchNormalization whose numbers are short binary fractions, some gains negative."""
        gamma = rng.choice([-2, -1, -0.5, 0.25, 0.5, 1], channels)
        beta, mean = rng.integers(-16, 17, (2, channels)) / 8
        inputs = [tensor, *map(self.constant, (gamma, beta, mean, np.ones(channels)))]
        return self.node("BatchNormalization", inputs, out, domain, epsilon=0.0)

    def model(self, output, shape=None):
        """The ModelProto with the given output."""
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, "net", [value("x", TensorProto.FLOAT, self.shape)],
            [value(output, TensorProto.FLOAT, shape)], self.constants,
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1),
                  helper.make_opsetid("qonnx.custom_op.channels_last", 1)]  # fmt: skip
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def execute(model, image):
    """Every tensor of the model for one batch of float images."""
    wrapper = ModelWrapper(model).transform(InferShapes())
    return execute_onnx(wrapper, {"x": image}, return_full_exec_context=True)


def in_file_order(tensor, maps):
    """Maps (batch, H, W, C) with the axes that `tensor` (Codes) has in the file, flattened."""
    flat = maps.reshape(len(maps), -1)
    result = np.empty_like(flat)
    result[:, feature_order(tensor)] = flat
    return result


def real_values(tensor, codes):
    """What stored codes (batch, H, W, C) mean, float64 in file order, flattened."""
    scale, offset = (np.array([float(f) for f in part]) for part in (tensor.scale, tensor.offset))
    maps = codes.reshape(len(codes), *tensor.shape) * scale + offset
    return in_file_order(tensor, maps)


def check(build, tmp_path, rng, count=30, output="scores", exact=True):
    """Imports build(1), runs `count` random images through it and through the executor.

    build(batch) gives the ModelProto. Every quantized tensor must be equal, the scores too unless
    not `exact` (then the executor's float32 result is the rounded one). Returns the Import.
    """
    path = tmp_path / "net.onnx"
    onnx.save(build(1), path)
    found = qonnx.load_import(path)
    network = found.network
    image = found.tensors[next(n for n, t in found.tensors.items() if t.source < 0)]
    low, high = (image.low, image.high) if image.low >= 0 else (image.low, image.high)
    values = rng.integers(low, high + 1, (count, *network.input_shape))
    if network.input_signed and network.input_bits == 2 and image.low == -2:
        values = 2 * (values >= 0) - 1
    images = (values & ((1 << network.input_bits) - 1)).astype(np.uint8)
    results = run_integer(network, images)
    planes = run_integer(network, images, "bitplanes")
    model = build(count)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    floats = real_values(image, values).reshape(shape).astype(np.float32)
    context = execute(model, floats)
    for name, tensor in found.tensors.items():
        expected = context[name].reshape(count, -1)
        if tensor.source < 0:
            assert np.array_equal(real_values(tensor, values), expected), name
            continue
        layer = network.layers[tensor.source]
        assert np.array_equal(real_values(tensor, results[layer.name]), expected), name
        assert results[layer.name].min() >= tensor.low and results[layer.name].max() <= tensor.high
    for name in results:
        assert np.array_equal(results[name], planes[name]), name
    scores = logits(network, results[network.layers[-1].name])
    expected = context[output].reshape(count, -1)
    assert scores.shape == expected.shape
    if exact:
        assert np.array_equal(scores, expected)
    for layer in network.layers:
        assert math.prod(layer.in_shape) > 0 and layer.acc_min <= 0 <= layer.acc_max
    return found
