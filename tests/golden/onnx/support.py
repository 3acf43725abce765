"""QONNX graphs for the tests, written with onnx.helper, and the qonnx package's executor as oracle."""

import math
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from dorefa.golden import InputError, run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.values.tensors import feature_order
from dorefa.golden.run.integer import real_arrays

QONNX = "qonnx.custom_op.general"


class Graph:
    """Collects nodes; every method returns the name of the tensor that it makes."""

    def __init__(self, shape):
        self.shape = tuple(shape)
        self.nodes, self.constants = [], []
        # Shapes that the executor does not find itself.
        self.shapes = {}

    def constant(self, array, name=None, dtype=np.float32):
        """A new initializer."""
        name = name or f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def node(self, op, inputs, out, domain="", **attributes):
        """A node named like its first output."""
        outputs = [out] if isinstance(out, str) else list(out)
        self.nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def quant(self, tensor, out, scale, bits, signed=0, narrow=0, zero=0, mode="ROUND", **more):
        """A Quant node."""
        inputs = [tensor, *map(self.constant, (scale, zero, bits))]
        return self.node(
            "Quant", inputs, out, QONNX, signed=signed, narrow=narrow, rounding_mode=mode, **more
        )

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

    def model(self, *outputs, general=1, dtype=TensorProto.FLOAT, opset=13):
        """The ModelProto with the given outputs; general: version of QONNX's operators."""
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "net",
            [value("x", TensorProto.FLOAT, self.shape)],
            [value(output, dtype, None) for output in outputs],
            self.constants,
            value_info=[value(name, TensorProto.FLOAT, size) for name, size in self.shapes.items()],
        )
        opsets = [
            helper.make_opsetid("", opset),
            helper.make_opsetid(QONNX, general),
            helper.make_opsetid("qonnx.custom_op.channels_last", 13),
        ]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def weights_of(rng, *shape):
    """Random float weights."""
    return rng.normal(size=shape).round(4)


def bias_of(rng, count, unit=1 / 64):
    """Random biases, multiples of `unit`."""
    return rng.integers(-64, 65, count) * unit


def convolution(batch, seed, shape=(2, 6, 6), kernel=(6, 2, 3, 3), scale=0.5, bits=3, signed=1):
    """(graph, tensor "act0", generator): a 4-bit image and a convolution with quantized codes."""
    rng = np.random.default_rng(seed)
    graph = Graph((batch, *shape))
    x = graph.quant("x", "image", 1 / 8, 4)
    w = graph.weights(weights_of(rng, *kernel), "w0", 0.25, 3)
    x = graph.quant(graph.node("Conv", [x, w], "conv0"), "act0", scale, bits, signed=signed)
    return graph, x, rng


def head(graph, tensor, rng, features, classes=10, bits=8, scale=1 / 64):
    """Flatten and Gemm to the tensor "scores"."""
    tensor = graph.node("Flatten", [tensor], "flat", axis=1)
    w = graph.weights(weights_of(rng, classes, features), "head_w", scale, bits)
    return graph.node("Gemm", [tensor, w, graph.constant(bias_of(rng, classes))], "scores", transB=1)


def flat(batch=1):
    """(graph, "image"): two bits of four features."""
    graph = Graph((batch, 4))
    return graph, graph.quant("x", "image", 1, 2)


def product(graph, rng, x="image", out="scores"):
    """A MatMul of three bits on `x`, four features."""
    w = graph.weights(rng.integers(-2, 3, (4, 3)), f"{out}_w", 1, 3)
    return graph.node("MatMul", [x, w], out)


def execute(model, image, name="x"):
    """Every tensor of the model for one batch of float images, its input `name`."""
    wrapper = ModelWrapper(model).transform(InferShapes())
    return execute_onnx(wrapper, {name: image}, return_full_exec_context=True)


def in_file_order(tensor, maps):
    """Maps (batch, H, W, C) with the axes that `tensor` (Codes) has in the file, flattened."""
    flat = maps.reshape(len(maps), -1)
    result = np.empty_like(flat)
    result[:, feature_order(tensor)] = flat
    return result


def real_values(tensor, codes):
    """What stored codes (batch, H, W, C) mean, float32 in file order, flattened.

    A code times a float32 scale is exact in float64; the executor rounds it to float32 as here.
    """
    scale, offset = (np.array([float(f) for f in part]) for part in (tensor.scale, tensor.offset))
    maps = codes.reshape(len(codes), *tensor.shape) * scale + offset
    return in_file_order(tensor, maps).astype(np.float32)


def refuse(make, message, tmp_path, rng):
    """The model that make(rng) gives is refused with `message`."""
    path = tmp_path / "net.onnx"
    path.write_bytes(make(rng).SerializeToString())
    assert_refused(path, message)


def check(
    build,
    tmp_path,
    rng,
    count=30,
    output="scores",
    exact=True,
    image_values=None,
    nhwc=False,
    one_by_one=False,
    image_type=None,
):
    """Imports build(1), runs `count` random images through it and through the executor.

    build(batch) gives the ModelProto. Every quantized tensor must be equal, the scores too unless
    not `exact` (then the executor's float32 result is the rounded one). image_values: integers of
    the image, where its quantizer does not give all of its width; nhwc: the file's input is NHWC
    whatever the first convolution reads; one_by_one: for operators that the executor runs for
    single images only. Returns the Import.
    """
    path = tmp_path / "net.onnx"
    onnx.save(build(1), path)
    found = importer.load_import(path, image_type)
    network = found.network
    image = found.tensors[next(n for n, t in found.tensors.items() if t.source < 0)]
    values = rng.choice(image_values or range(image.low, image.high + 1), (count, *network.input_shape))
    images = (values & ((1 << network.input_bits) - 1)).astype(np.uint8)
    results = run_integer(network, images)
    planes = run_integer(network, images[:10], "bitplanes")
    model = build(count)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    dims = (("H",), ("W",), ("C",)) if nhwc else image.dims
    floats = real_values(replace(image, dims=dims), values).reshape(shape)
    if one_by_one:
        runs = [execute(build(1), image[None]) for image in floats]
        context = {name: np.concatenate([run[name] for run in runs]) for name in found.tensors}
        context[output] = np.concatenate([run[output] for run in runs])
    else:
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
        assert np.array_equal(results[name][:10], planes[name]), name
    for name, real in real_arrays(network, results).items():
        # One output may have the classes behind the scores.
        expected = context[name if len(network.results) > 1 else output].reshape(count, -1)
        ours = np.moveaxis(real, -1, 1) if real.ndim == 4 and not nhwc else real
        assert ours.reshape(count, -1).shape == expected.shape
        if exact:
            assert np.array_equal(ours.reshape(count, -1), expected), name
    for layer in network.layers:
        assert math.prod(layer.in_shape) > 0 and layer.acc_min <= 0 <= layer.acc_max
    return found


def assert_refused(path, message):
    """The file is refused in one line that starts with `message`, in little memory, writing nothing."""
    files = sorted(path.parent.iterdir())
    tracemalloc.start()
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: ({message})") as caught:
        importer.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = str(caught.value)
    assert "\n" not in text and "; accepted: " in text
    assert peak < 1 << 26
    assert sorted(path.parent.iterdir()) == files
