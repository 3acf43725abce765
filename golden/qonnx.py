"""QONNX files: reads integers that compute what a file means, or refuses by node; writes networks.

Between two quantizers everything is monotone per channel and becomes thresholds of the integer
accumulator, by rational arithmetic on the numbers in the file. The image of an imported network is
the integer of the file's first quantizer (minus its zero point), channels last; whatever stands in
front of that quantizer is left to the caller.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import InputError
from .integer_layer import IntegerNetwork
from .onnx_constants import fold
from .onnx_elementwise import ARITHMETIC, OPERATORS, elementwise, image_codes
from .onnx_export import save
from .onnx_file import read_graph
from .onnx_layers import Builder, in_file_order
from .onnx_linear import channels_last, convolution, padded, product
from .onnx_pool import pool
from .onnx_quant import QUANTIZERS, Constant
from .onnx_residual import is_wide, residual_add, trunk
from .onnx_tensors import Answer, Codes, Padded, Raw, Sums, move, sizes
from .staircase import is_integer_step

__all__ = ["Import", "SUPPORTED", "load", "load_import", "save"]

_PASSING = ("Identity", "Dropout", "Cast")
_LAYOUT = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze")
_PRODUCTS = ("Conv", "Gemm", "MatMul")
_POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean")
_ANSWERS = ("Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK")
_CONSTANT = ("Constant", "Shape", "Concat", "Gather")
# Operators that are not monotone, said so instead of "not supported".
_BENT = ("Abs", "Sin", "Cos", "Mish", "Swish", "Gelu", "HardSwish")
SUPPORTED = tuple(dict.fromkeys(
    (*QUANTIZERS, *_PRODUCTS, "Pad", *OPERATORS, *_POOLS, *_LAYOUT, *_PASSING, *_CONSTANT, *_ANSWERS)
))  # fmt: skip


class Import(NamedTuple):
    """An imported network; tensors: name of a quantized tensor of the file -> its Codes.

    Codes say which layer stores the tensor (-1: the image), its scale and its axes in the file.
    """

    network: IntegerNetwork
    tensors: dict


def load(path):
    """The IntegerNetwork of the QONNX file at `path`; InputError names the node and the reason."""
    return load_import(path).network


def load_import(path):
    """The Import of the QONNX file at `path`; InputError names the node and the reason."""
    try:
        return _Importer(path).run()
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None


class _Importer:
    """Walks the nodes once; `known` holds the tensors that depend on the image."""

    def __init__(self, path):
        self.name = Path(path).stem
        self.graph = read_graph(path)
        self.batch = self.graph.input_shape[0]
        self.constants = {}
        self.known = {self.graph.input_name: Raw(self.graph.input_shape[1:])}
        self.builder = Builder()
        self.image = None
        self.tensors = {}

    def run(self):
        graph = self.graph
        self.constants = {name: Constant(array) for name, array in graph.constants.items()}
        node = None
        for node in graph.nodes:
            self._visit(node)
        if node is None:
            raise InputError("graph: has no nodes; accepted: a network")
        result = self.known.get(graph.outputs[0])
        if isinstance(result, Answer):
            result = result.scores
        if not isinstance(result, Codes | Sums):
            raise InputError(
                f"graph: output {graph.outputs[0]} does not depend on a quantized image; "
                "accepted: a network with Quant nodes"
            )
        for other in graph.outputs[1:]:
            if not isinstance(self.known.get(other), Answer):
                raise InputError(f"graph: has the outputs {', '.join(graph.outputs)}; "
                                 "accepted: one, the scores of the classes")  # fmt: skip
        self.builder.scores(node, result)
        layers, places = in_file_order(self.builder.layers, self.builder.positions)
        tensors = {
            name: replace(codes, source=codes.source if codes.source < 0 else places[codes.source])
            for name, codes in self.tensors.items()
        }
        network = IntegerNetwork(
            name=self.name,
            input_shape=self.image.shape,
            input_bits=self.image.bits,
            layers=layers,
            input_signed=self.image.signed,
        )
        return Import(network, tensors)

    def _visit(self, node):
        if not node.outputs:
            node.refuse("has no output", "an operator with an output")
        moving = [name for name in node.inputs if name in self.known]
        if node.op == "Shape" and moving and not isinstance(self.known[moving[0]], Padded | Answer):
            shape = (self.batch, *sizes(self.known[moving[0]]))
            self.constants[node.outputs[0]] = Constant(np.array(shape))
        elif not moving:
            self.constants[node.outputs[0]] = fold(node, self.constants)
        else:
            result = self._compute(node, moving)
            name = node.outputs[0]
            shared = self.graph.uses.get(name, 0) > 1
            if shared and isinstance(result, Sums) and any(map(is_integer_step, result.steps)):
                result = self.tensors[name] = self.builder.codes(node, result)
            for output in filter(None, node.outputs):
                self.known[output] = result

    def _compute(self, node, moving):
        op = node.op
        tensor = self.known[moving[0]]
        if isinstance(tensor, Answer):
            if op in (*_ANSWERS, *_PASSING, *_LAYOUT):
                return tensor
            node.refuse("follows the scores", "nothing behind Softmax, Sigmoid, ArgMax or TopK")
        if op in _PASSING:
            return tensor
        if op in _LAYOUT and not isinstance(tensor, Padded):
            return move(node, tensor, self.batch, self.constants)
        if len(moving) > 1:
            if op != "Add" or len(moving) != 2:
                node.refuse("combines two tensors that depend on the image",
                            "Add of two feature maps")  # fmt: skip
            pair = [self.known[name] for name in moving]
            if not all(isinstance(item, Codes | Sums) for item in pair):
                node.refuse("adds the image before it is quantized, a padded map or scores",
                            "feature maps")  # fmt: skip
            return residual_add(node, pair, self.builder)
        if isinstance(tensor, Raw):
            return self._quantize_image(node, tensor)
        if isinstance(tensor, Padded) and op != "Conv":
            node.refuse("reads a padded map", "a convolution behind Pad")
        if op in (*_PRODUCTS, "Pad"):
            if node.inputs[0] != moving[0]:
                node.refuse("its first input is a constant", "the activations first")
            codes = tensor if isinstance(tensor, Padded) else self.builder.codes(node, tensor)
            if op == "Pad":
                return padded(node, codes, self.constants)
            if not isinstance(codes, Padded):
                self.tensors[moving[0]] = codes
            if op == "Conv":
                return convolution(node, codes, self.constants)
            return product(node, codes, self.constants)
        if op in _POOLS:
            return pool(node, tensor, self.builder, self.constants)
        if op in _ANSWERS:
            return Answer(tensor)
        if op in OPERATORS:
            if op not in ARITHMETIC and node.inputs[0] != moving[0]:
                node.refuse("a parameter of it depends on the image", "parameters as constants")
            if op in QUANTIZERS and isinstance(tensor, Sums) and is_wide(node, self.constants):
                return trunk(node, tensor, self.builder, self.constants)
            return elementwise(node, tensor, self.constants)
        if op in _BENT:
            node.refuse("is not monotone", "monotone operators between two quantizers")
        node.refuse("is not supported", ", ".join(SUPPORTED))

    def _quantize_image(self, node, tensor):
        if node.op not in QUANTIZERS:
            if node.op in OPERATORS:
                return tensor
            node.refuse("reads the image, which is not quantized",
                        "a Quant node on the image (Brevitas: QuantIdentity in front)")  # fmt: skip
        channel = self._channel_axis(node.outputs[0], len(tensor.sizes))
        codes = image_codes(node, tensor.sizes, channel, self.constants)
        if self.image is not None:
            node.refuse("quantizes the image a second time", "one quantizer on the image")
        self.image = self.tensors[node.outputs[0]] = codes
        return codes

    def _channel_axis(self, name, rank):
        """Which axis after the batch holds the channels, told by the first operator that knows."""
        readers = {}
        for node in self.graph.nodes:
            for place, read in enumerate(node.inputs):
                readers.setdefault(read, []).append((node, place))
        axes = list(range(rank))
        while True:
            if name not in readers:
                return axes[0]
            node, place = readers[name][0]
            if node.op == "Transpose" and len(node.integers("perm") or ()) == rank + 1:
                axes = [axes[axis - 1] for axis in node.integers("perm")[1:]]
            elif node.op == "MatMul" and place == 0 or channels_last(node):
                return axes[-1]
            elif node.op not in (*_PASSING, *OPERATORS) or node.op == "BatchNormalization":
                return axes[0]
            name = node.outputs[0]
