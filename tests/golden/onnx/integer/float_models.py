"""Float networks with random weights, as users quantize them with ONNX Runtime's static quantization."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

SHAPE = (3, 8, 8)


class FloatGraph:
    """Nodes of a float network on the input "x"; methods return the tensor that they make."""

    def __init__(self, rng, shape=SHAPE):
        self.rng, self.shape = rng, shape
        self._nodes, self._constants = [], []

    def constant(self, array):
        """A new initializer, float32."""
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def integers(self, values):
        """A new initializer of integers: bounds, axes."""
        name = f"integers{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, np.int64), name))
        return name

    def node(self, op, inputs, **attributes):
        """A node named by its operator and number."""
        out = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [out], name=f"{op}{len(self._nodes)}", **attributes))
        return out

    def conv(self, x, inner, outer, kernel=3, pad=1, stride=1, group=1, bias=True):
        """A convolution."""
        spread = 1 / np.sqrt(inner // group * kernel * kernel)
        w = self.constant(self.rng.normal(0, spread, (outer, inner // group, kernel, kernel)))
        inputs = [x, w, self.constant(self.rng.normal(0, 0.3, outer))][: 3 if bias else 2]
        sizes = {"kernel_shape": [kernel] * 2, "pads": [pad] * 4, "strides": [stride] * 2}
        return self.node("Conv", inputs, group=group, **sizes)

    def resize(self, x, factor):
        """Every pixel several times, as PyTorch writes it."""
        scales = self.constant([1, 1, factor, factor])
        ways = {"coordinate_transformation_mode": "asymmetric", "mode": "nearest", "nearest_mode": "floor"}
        return self.node("Resize", [x, "", scales], **ways)

    def by_axes(self, x, split, order, after):
        """Reshape, Transpose and Reshape, as PyTorch writes channel shuffles and PixelShuffle."""
        x = self.node("Reshape", [x, self.integers([1, *split])])
        x = self.node("Transpose", [x], perm=[0, *order])
        return self.node("Reshape", [x, self.integers([1, *after])])

    def relu6(self, x):
        """A Clip to 0..6."""
        return self.node("Clip", [x, self.constant(0), self.constant(6)])

    def classes(self, x, features, op="Gemm"):
        """A global average and a fully connected layer."""
        x = self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        w = self.constant(self.rng.normal(0, 0.3, (features, 5)))
        if op == "MatMul":
            return self.node("MatMul", [x, w])
        return self.node("Gemm", [x, w, self.constant(self.rng.normal(0, 0.3, 5))])

    def model(self, *outputs):
        """The ModelProto."""
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "net",
            [value("x", onnx.TensorProto.FLOAT, (1, *self.shape))],
            [value(name, onnx.TensorProto.FLOAT, None) for name in outputs],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model)


def plain(graph):
    """Convolutions and a pool."""
    x = graph.node("Relu", [graph.conv("x", 3, 8)])
    x = graph.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    return [graph.classes(graph.node("Relu", [graph.conv(x, 8, 16)]), 16)]


def residual(graph):
    """Two blocks, one of which has a stride and a convolution beside it."""
    first = graph.node("Relu", [graph.conv("x", 3, 8)])
    x = graph.node("Relu", [graph.conv(first, 8, 8)])
    x = graph.node("Relu", [graph.node("Add", [graph.conv(x, 8, 8), first])])
    beside = graph.conv(x, 8, 8, kernel=1, pad=0, stride=2)
    x = graph.node("Add", [graph.conv(x, 8, 8, stride=2), beside])
    return [graph.classes(graph.node("Relu", [x]), 8, op="MatMul")]


def mobile(graph):
    """An inverted bottleneck: pointwise, depthwise, pointwise without activation."""
    x = graph.relu6(graph.conv("x", 3, 8))
    x = graph.relu6(graph.conv(x, 8, 16, kernel=1, pad=0))
    x = graph.relu6(graph.conv(x, 16, 16, group=16))
    x = graph.conv(x, 16, 8, kernel=1, pad=0)
    return [graph.classes(graph.relu6(graph.conv(x, 8, 16, kernel=1, pad=0)), 16, op="MatMul")]


def heads(graph):
    """A trunk that a map and a vector leave; the head's convolutions read two maps side by side."""
    x = graph.node("Relu", [graph.conv("x", 3, 8)])
    y = graph.node("Relu", [graph.conv(x, 8, 6)])
    both = graph.node("Concat", [x, y], axis=1)
    return [graph.conv(both, 14, 4), graph.classes(both, 14)]


def leaky(graph):
    """Activations of both signs that a convolution pads, and a result that is a map."""
    x = graph.node("LeakyRelu", [graph.conv("x", 3, 8)], alpha=0.25)
    return [graph.conv(graph.node("LeakyRelu", [graph.conv(x, 8, 8)], alpha=0.25), 8, 4)]


def unet(graph):
    """Half of the pixels twice and back, by a Resize and by a transposed convolution, each beside the map of
    before."""
    wide = graph.node("Relu", [graph.conv("x", 3, 6)])
    x = graph.node("MaxPool", [wide], kernel_shape=[2, 2], strides=[2, 2])
    half = graph.node("Relu", [graph.conv(x, 6, 8)])
    x = graph.node("Relu", [graph.conv(half, 8, 10, stride=2)])
    x = graph.resize(x, 2)
    x = graph.node("Relu", [graph.conv(graph.node("Concat", [x, half], axis=1), 18, 8)])
    w = graph.constant(graph.rng.normal(0, 0.3, (8, 6, 2, 2)))
    x = graph.node("ConvTranspose", [x, w, graph.constant(graph.rng.normal(0, 0.3, 6))], strides=[2, 2])
    x = graph.node("Relu", [x])
    return [graph.conv(graph.node("Concat", [wide, x], axis=1), 12, 2, kernel=1, pad=0)]


def subpixel(graph):
    """Twice the pixels out of four times the channels, and a convolution of them."""
    x = graph.node("Relu", [graph.conv("x", 3, 16)])
    x = graph.node("DepthToSpace", [graph.conv(x, 16, 12)], blocksize=2, mode="CRD")
    return [graph.conv(graph.node("Relu", [x]), 3, 3)]


def yolo(graph):
    """The trunk of a small detector: leaky convolutions and pools, the last one of stride 1 with its padding
    behind, and a map of boxes."""
    x, inner = "x", 3
    for number, outer in enumerate([8, 16, 16]):
        # Of few ties between two equal scales: the runtime rounds them as float32 has them.
        x = graph.node("LeakyRelu", [graph.conv(x, inner, outer, bias=False)], alpha=15 / 128)
        sizes = {"kernel_shape": [2, 2], "strides": [2, 2]} if number == 0 else {"kernel_shape": [2, 2]}
        if number == 1:
            sizes["pads"] = [0, 0, 1, 1]
        if number < 2:
            x = graph.node("MaxPool", [x], **sizes)
        inner = outer
    return [graph.conv(x, 16, 25, kernel=1, pad=0)]


def conv1d(graph, x, inner, outer, kernel=3, dilation=1, pads=(1, 1)):
    """A convolution of signals."""
    w = graph.constant(graph.rng.normal(0, 1 / np.sqrt(inner * kernel), (outer, inner, kernel)))
    inputs = [x, w, graph.constant(graph.rng.normal(0, 0.3, outer))]
    return graph.node("Conv", inputs, kernel_shape=[kernel], dilations=[dilation], pads=[*pads])


def tcn(graph):
    """Causal convolutions of growing dilation: padded on both sides, what is too late cut off; residual."""
    x, inner = "x", 3
    starts, axes = graph.integers([0]), graph.integers([2])
    for dilation, outer in ((1, 8), (2, 8), (4, 8)):
        y = conv1d(graph, x, inner, outer, dilation=dilation, pads=(2 * dilation, 2 * dilation))
        ends = graph.integers([-2 * dilation])
        y = graph.node("Slice", [graph.node("Relu", [y]), starts, ends, axes])
        x = graph.node("Relu", [graph.node("Add", [x, y])]) if inner == outer else y
        inner = outer
    return [conv1d(graph, x, 8, 5, kernel=1, pads=(0, 0))]


def radio(graph):
    """A signal of 1,024 samples: convolutions and pools, then classes."""
    x, inner = "x", 2
    for outer in (8, 8, 16, 16):
        x = graph.node("Relu", [conv1d(graph, x, inner, outer)])
        x = graph.node("MaxPool", [x], kernel_shape=[4], strides=[4])
        inner = outer
    flat = graph.node("Flatten", [x])
    w = graph.constant(graph.rng.normal(0, 0.1, (16 * 4, 6)))
    return [graph.node("Gemm", [flat, w, graph.constant(graph.rng.normal(0, 0.3, 6))])]


def shuffle(graph):
    """Half of the channels through a block and half beside it, then all of them in turn (ShuffleNet v2)."""
    x = graph.node("Relu", [graph.conv("x", 3, 16)])
    starts, middle, ends, axes = (graph.integers([number]) for number in (0, 8, 16, 1))
    for _ in range(2):
        beside = graph.node("Slice", [x, starts, middle, axes])
        y = graph.node("Slice", [x, middle, ends, axes])
        y = graph.node("Relu", [graph.conv(y, 8, 8, kernel=1, pad=0)])
        y = graph.conv(y, 8, 8, group=8)
        y = graph.node("Relu", [graph.conv(y, 8, 8, kernel=1, pad=0)])
        x = graph.node("Concat", [beside, y], axis=1)
        x = graph.by_axes(x, [2, 8, 8, 8], [2, 1, 3, 4], [16, 8, 8])
    return [graph.classes(x, 16)]


def groups(graph):
    """Convolutions of channel groups, and shuffles between them (ShuffleNet v1)."""
    x = graph.node("Relu", [graph.conv("x", 3, 12)])
    x = graph.node("Relu", [graph.conv(x, 12, 12, kernel=1, pad=0, group=3)])
    x = graph.by_axes(x, [3, 4, 8, 8], [2, 1, 3, 4], [12, 8, 8])
    x = graph.conv(x, 12, 12, group=12)
    x = graph.conv(x, 12, 12, kernel=1, pad=0, group=3)
    return [graph.classes(graph.node("Relu", [x]), 12)]


def anchors(graph):
    """A detector whose boxes have axes of their own, on a map and on one of twice the pixels."""
    x = graph.node("Relu", [graph.conv("x", 3, 16)])
    half = graph.node("Relu", [graph.conv(x, 16, 16, stride=2)])
    grown = graph.by_axes(half, [4, 2, 2, 4, 4], [1, 4, 2, 5, 3], [4, 8, 8])
    both = graph.node("Concat", [x, grown], axis=1)
    found = []
    for y, inner, size in ((half, 16, 4), (both, 20, 8)):
        y = graph.node(
            "Reshape", [graph.conv(y, inner, 18, kernel=1, pad=0), graph.integers([1, 3, 6, size, size])]
        )
        found.append(graph.node("Transpose", [y], perm=[0, 1, 3, 4, 2]))
    return found


def decoder(graph):
    """Half of the pixels and back, by transposed convolutions that make an odd number of them."""
    x = graph.node("Relu", [graph.conv("x", 3, 8, stride=2)])
    w = graph.constant(graph.rng.normal(0, 0.2, (8, 6, 3, 3)))
    x = graph.node("ConvTranspose", [x, w], strides=[2, 2], pads=[1] * 4)
    w = graph.constant(graph.rng.normal(0, 0.2, (6, 3, 2, 2)))
    return [
        graph.node("ConvTranspose", [graph.node("Relu", [x]), w, graph.constant(graph.rng.normal(0, 0.3, 3))])
    ]


# The runtime has no fused ConvTranspose, and leaves its weights as they are.
NOT_FUSED = ("unet", "decoder")
SHAPES = {"yolo": (3, 26, 26), "tcn": (3, 24), "radio": (2, 1024)}
NETWORKS = {
    "leaky": leaky,
    "plain": plain,
    "residual": residual,
    "mobile": mobile,
    "heads": heads,
    "unet": unet,
    "subpixel": subpixel,
    "yolo": yolo,
    "tcn": tcn,
    "radio": radio,
    "shuffle": shuffle,
    "groups": groups,
    "anchors": anchors,
    "decoder": decoder,
}


def shape_of(name):
    """Of an image for a network of NETWORKS, channels first."""
    return SHAPES.get(name, SHAPE)


class _Images(CalibrationDataReader):
    def __init__(self, images):
        self._images = iter([{"x": image[None]} for image in images])

    def get_next(self):
        """See CalibrationDataReader."""
        return next(self._images, None)


def round_scales(path):
    """Makes all scales of a quantized file powers of two: then float32 rounds nothing."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and "scale" in tensor.name:
            scale = numpy_helper.to_array(tensor)
            rounded = np.exp2(np.rint(np.log2(scale))).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    onnx.save(model, path)


def quantized(folder, name, seed, *, form, activations, per_channel, symmetric=False):
    """Path of a network of NETWORKS with random weights, quantized in this form ("QDQ", "QOperator")."""
    onnxruntime.set_default_logger_severity(3)
    graph = FloatGraph(np.random.default_rng(seed), shape_of(name))
    given, path = folder / "float.onnx", folder / f"{name}.onnx"
    onnx.save(graph.model(*NETWORKS[name](graph)), given)
    quantize_static(
        given,
        path,
        _Images(graph.rng.random((8, *graph.shape)).astype(np.float32)),
        quant_format=getattr(QuantFormat, form),
        per_channel=per_channel,
        activation_type=getattr(QuantType, activations),
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric},
    )
    return path
