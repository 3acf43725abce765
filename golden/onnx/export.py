"""Writes a network description as QONNX, so that the file means exactly what the network means.

Every tensor of codes has the scale 1, and what the scales would be stands in Mul and Div nodes whose
constants are float32 numbers of the network or small integers: a scale of 1 / 3 has no exact float32.
"""

from collections.abc import Sequence
from os import PathLike
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_file
from ..network.layer import Layer
from ..network.network import Links, Network
from ..network.parts import Pool, Rescale
from .file.read import MAX_BYTES, import_onnx

_QONNX = "qonnx.custom_op.general"
_NOTE = (
    "Input: the {bits}-bit codes of the images as floating-point integers, channels first. "
    "Output: the scores of the classes."
)


def save(network: Network, path: str | PathLike[str]) -> None:
    """Writes the Network to the QONNX file `path`: complete or not at all, the same bytes every time.

    The input is float32 (1, C, H, W), the image's codes; the output float32 (1, classes). InputError
    where the file cannot be written or would be larger than the import reads.
    """
    onnx = import_onnx(path, "writing")
    weights = sum(4 * layer.codes.size for layer in network.layers)
    if weights > MAX_BYTES * 0.99:
        raise InputError(
            f"{path}: the weights of {network.name} as float32 have {weights} bytes; "
            f"accepted: less than {MAX_BYTES}"
        )
    content = _Export(onnx, network).model().SerializeToString()
    write_file(path, content)


class _Export:
    """The nodes of a network. `codes` and `trunks`: layer name -> tensor, "" the image's."""

    def __init__(self, onnx: ModuleType, network: Network):
        self._onnx, self._network = onnx, network
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names = {layer.name for layer in network.layers}
        self._flat: set[str] = set()
        self.codes: dict[str, str] = {}
        self.trunks: dict[str, str] = {}

    def model(self) -> Any:
        """The ModelProto."""
        network, helper = self._network, self._onnx.helper
        height, width, channels = network.input_shape
        image, scores = self._free("image"), self._free("scores")
        self.codes[""] = self._quant("image_codes", image, network.input_bits)
        for layer, links in zip(network.layers, network.links, strict=True):
            result = self._layer(layer, links)
        if result not in self._flat:
            self._flattened(f"{layer.name}/scores", result)
        self._nodes[-1].output[0] = scores
        value, kind = helper.make_tensor_value_info, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            network.name,
            [value(image, kind, (1, channels, height, width))],
            [value(scores, kind, (1, network.classes))],
            self._constants,
            doc_string=_NOTE.format(bits=network.input_bits),
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(_QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="dorefa")

    def _layer(self, layer: Layer, links: Links) -> str:
        """Writes one layer; returns the tensor of its real values in front of clip and quantizer."""
        name = layer.name
        source = "" if links.source < 0 else self._network.layers[links.source].name
        x = self._sums(layer, source)
        if layer.rescale is None:
            x = self._scaled(layer, links, x)
        else:
            x = self._trunk(layer, layer.rescale, x)
            if layer.a_bits is None:
                return x
            x = self._per_channel("Mul", f"{name}/Mul", x, layer.rescale.scale)
        if layer.norm is not None:
            parts = [
                self._constant(f"{name}/{part}", getattr(layer.norm, part))
                for part in ("gamma", "beta", "mean", "var")
            ]
            x = self._node(
                "BatchNormalization", f"{name}/BatchNormalization", [x, *parts], epsilon=layer.norm.eps
            )
        if layer.a_bits is None or layer.out_bits is None:
            return x
        pool = layer.pool
        if pool is not None and pool.kind != "average_codes":
            x = self._pool(name, x, pool)
        x = self._per_channel("Mul", f"{name}/levels", x, (1 << layer.a_bits) - 1)
        x = self._quant(f"{name}/codes", x, layer.a_bits)
        if pool is not None and pool.kind == "average_codes":
            # The executor's mean is rounded: the quantizer makes the integer sum of it again.
            x = self._pool(name, x, pool)
            x = self._per_channel("Mul", f"{name}/area", x, pool.area)
            x = self._quant(f"{name}/sums", x, layer.out_bits)
        self.codes[name] = x
        return x

    def _sums(self, layer: Layer, source: str) -> str:
        """Conv or Gemm: the integer accumulators."""
        name, x = layer.name, self.codes[source]
        if layer.kind == "conv":
            if x in self._flat:
                shape = self._constant(f"{name}/shape", np.array([0, -1, 1, 1], np.int64))
                x = self._node("Reshape", f"{name}/Reshape", [x, shape])
            weights = self._weights(layer, layer.values.transpose(0, 3, 1, 2))
            return self._node(
                "Conv",
                name,
                [x, weights],
                kernel_shape=layer.kernel,
                strides=layer.stride,
                pads=layer.padding,
                dilations=layer.dilation,
                group=layer.groups,
            )
        values = layer.values.reshape(layer.out_channels, -1)
        if x not in self._flat:
            x = self._flattened(f"{name}/Flatten", x)
            # Weights are in the order rows, columns, channels; the file's map has channels first.
            height, width, channels = self._shape(source)
            maps = values.reshape(-1, height * width, channels).transpose(0, 2, 1)
            values = maps.reshape(layer.out_channels, -1)
        weights = self._weights(layer, values)
        return self._node("Gemm", name, [x, weights], transB=1)

    def _shape(self, source: str) -> tuple[int, int, int]:
        """(H, W, C) of the codes of the layer called `source`, "" the image."""
        if not source:
            return self._network.input_shape
        names = [layer.name for layer in self._network.layers]
        return self._network.shapes[names.index(source)].out_shape

    def _weights(self, layer: Layer, values: np.ndarray) -> str:
        """Integer weights through the quantizer of their encoding, scale 1."""
        name, bits = f"{layer.name}/weights", layer.w_bits
        x = self._constant(f"{layer.name}/weight", values.astype(np.float32))
        low, high = layer.encoding.range(bits)
        if (low, high) == (-1, 1):
            one = self._constant(f"{name}/scale", np.float32(1))
            return self._node("BipolarQuant", name, [x, one], domain=_QONNX)
        if low == -high:
            # The odd integers -n..n.
            return self._quant(name, x, bits + 1, signed=1, narrow=1)
        if (low, high) == (-1, 0):
            # A signed quantizer of one bit would be bipolar: this one gives 0 - 1 and 1 - 1.
            return self._quant(name, x, 1, zero=1)
        return self._quant(name, x, bits, signed=int(low < 0))

    def _scaled(self, layer: Layer, links: Links, x: str) -> str:
        """Real values of accumulators, the bias added."""
        divisor = links.levels * layer.encoding.divisor(layer.w_bits)
        x = self._per_channel("Mul", f"{layer.name}/scale", x, layer.scale)
        x = self._per_channel("Div", f"{layer.name}/divisor", x, divisor)
        if layer.bias is not None:
            x = self._per_channel("Add", f"{layer.name}/bias", x, layer.bias)
        return x

    def _trunk(self, layer: Layer, rescale: Rescale, x: str) -> str:
        """Integers of the trunk: rounded in float64, where m * acc + b is exact, and added."""
        name, kinds = layer.name, self._onnx.TensorProto
        x = self._node("Cast", f"{name}/Cast", [x], to=kinds.DOUBLE)
        for op, part, array in (
            ("Mul", "m", rescale.m),
            ("Add", "b", rescale.b),
            ("Mul", "f", 0.5**rescale.f),
        ):
            x = self._per_channel(op, f"{name}/{part}", x, np.asarray(array, np.float64))
        x = self._quant(f"{name}/own", x, rescale.bits, signed=1)
        if layer.add is not None:
            other = self.trunks[layer.add]
            x = self._node("Add", f"{name}/Add", self._same_rank(name, other, x))
        self.trunks[name] = x
        return x

    def _same_rank(self, name: str, *tensors: str) -> Sequence[str]:
        """The tensors, flattened maps of 1x1 pixels where another one is flat."""
        if not any(tensor in self._flat for tensor in tensors):
            return tensors
        return [
            tensor if tensor in self._flat else self._flattened(f"{name}/Flatten", tensor)
            for tensor in tensors
        ]

    def _flattened(self, name: str, x: str) -> str:
        x = self._node("Flatten", name, [x], axis=1)
        self._flat.add(x)
        return x

    def _pool(self, name: str, x: str, pool: Pool) -> str:
        if pool.kind == "max":
            return self._node(
                "MaxPool",
                f"{name}/MaxPool",
                [x],
                kernel_shape=pool.kernel,
                strides=pool.stride,
                pads=pool.padding,
            )
        return self._node(
            "AveragePool", f"{name}/AveragePool", [x], kernel_shape=pool.kernel, strides=pool.stride
        )

    def _per_channel(self, op: str, name: str, x: str, number: float | np.ndarray | np.generic) -> str:
        """Mul, Div or Add with one number or one per channel; nothing where it changes nothing."""
        array = np.asarray(number)
        if (array == (0 if op == "Add" else 1)).all():
            return x
        dtype = np.float64 if array.dtype == np.float64 else np.float32
        if array.ndim and x not in self._flat:
            array = array.reshape(-1, 1, 1)
        return self._node(op, name, [x, self._constant(f"{name}/constant", array.astype(dtype))])

    def _quant(self, name: str, x: str, bits: int, signed: int = 0, narrow: int = 0, zero: int = 0) -> str:
        """A Quant node of scale 1."""
        inputs = [
            self._constant(f"{name}/{what}", np.float32(number))
            for what, number in (("scale", 1), ("zero", zero), ("bits", bits))
        ]
        return self._node(
            "Quant", name, [x, *inputs], domain=_QONNX, signed=signed, narrow=narrow, rounding_mode="ROUND"
        )

    def _node(self, op: str, name: str, inputs: Sequence[str], domain: str = "", **attributes: object) -> str:
        """Adds a node; returns its output, flat where its first input is."""
        name = name if name in self._names and op in ("Conv", "Gemm") else self._free(name)
        output = f"{name}:0"
        self._nodes.append(
            self._onnx.helper.make_node(op, inputs, [output], name=name, domain=domain, **attributes)
        )
        if inputs[0] in self._flat and op != "Reshape":
            self._flat.add(output)
        return output

    def _constant(self, name: str, array: np.ndarray | np.generic) -> str:
        name = self._free(name)
        self._constants.append(self._onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def _free(self, name: str) -> str:
        """`name`, longer where it is taken."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name
