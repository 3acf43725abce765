"""QONNX files: reads integers that compute what a file means, or refuses by node; writes networks.

Between two quantizers everything is monotone per channel and becomes thresholds of the integer
accumulator, by rational arithmetic on the numbers in the file. The image of an imported network is
the integer of the file's first quantizer (minus its zero point), channels last; whatever stands in
front of that quantizer is left to the caller. Without a quantizer, or on request, the image is the
integer of the input's data type.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..lowering.integer_network import IntegerNetwork
from ..lowering.staircase import is_integer_step
from .builder import Builder, in_file_order
from .constants import fold, target_shape
from .elementwise import ARITHMETIC, OPERATORS, elementwise
from .export import save
from .file import read_graph
from .image import counted_codes, declared_codes, image_codes, reshaped_axes
from .linear import channels_last, convolution, padded, product
from .pool import pool
from .quantizers import QUANTIZERS, Constant
from .residual import is_wide, residual_add, trunk
from .streamlined import patch_product, patches, xnor_product
from .tensors import Answer, Codes, Padded, Patches, Raw, Sums, move, sizes

__all__ = ["Import", "SUPPORTED", "load", "load_import", "save"]

_PASSING = ("Identity", "Dropout", "Cast", "DebugMarker")
_LAYOUT = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze")
_PRODUCTS = ("Conv", "Gemm", "MatMul", "XnorPopcountMatMul")
_POOLS = ("MaxPool", "MaxPoolNHWC", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean")
_ANSWERS = ("Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK")
_IMAGE_QUANTIZERS = (*QUANTIZERS, "MultiThreshold")
_CONSTANT = ("Constant", "Shape", "Concat", "Gather")
_PARTS = Padded | Patches
# Operators that are not monotone, said so instead of "not supported".
_BENT = ("Abs", "Sin", "Cos", "Mish", "Swish", "Gelu", "HardSwish")
SUPPORTED = tuple(
    dict.fromkeys(
        (
            *QUANTIZERS,
            *_PRODUCTS,
            "Im2Col",
            "Pad",
            *OPERATORS,
            *_POOLS,
            *_LAYOUT,
            *_PASSING,
            *_CONSTANT,
            *_ANSWERS,
        )
    )
)


class Import(NamedTuple):
    """An imported network; tensors: name of a quantized tensor of the file -> its Codes.

    Codes say which layer stores the tensor (-1: the image), its scale and its axes in the file.
    """

    network: IntegerNetwork
    tensors: dict


def load(path, image_type=None):
    """The IntegerNetwork of the QONNX file at `path`; InputError names the node and the reason.

    image_type: data type of QONNX for the file's input, with a divisor if its values are fractions
    ("UINT8/255"); then the image is this integer, and what the file does to it is computed. None:
    the file says what the image is.
    """
    return load_import(path, image_type).network


def load_import(path, image_type=None):
    """The Import of the QONNX file at `path`, see :func:`load`."""
    try:
        return _Importer(path).run(image_type)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None


def _check_operators(graph):
    """Refuses an operator on what depends on the image that no import knows, before any work."""
    moving = {graph.input_name}
    for node in graph.nodes:
        if moving.isdisjoint(node.inputs) or node.op == "Shape":
            continue
        if "fpgadataflow" in node.domain:
            node.refuse("is a layer of generated hardware", "the file before its layers became hardware")
        if node.op in _BENT:
            node.refuse("is not monotone", "monotone operators between two quantizers")
        if node.op not in SUPPORTED:
            node.refuse("is not supported", ", ".join(SUPPORTED))
        moving.update(node.outputs)


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

    def run(self, image_type=None):
        graph = self.graph
        _check_operators(graph)
        self.constants = {name: Constant(array) for name, array in graph.constants.items()}
        declared = image_type or ("" if self._first_quantizer() else graph.input_type)
        if declared:
            sizes = graph.input_shape[1:]
            channel = self._channel_axis(graph.input_name, sizes)
            self._set_image(graph.input_name, declared_codes(declared, sizes, channel))
            self.known[graph.input_name] = self.image
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
                raise InputError(
                    f"graph: has the outputs {', '.join(graph.outputs)}; "
                    "accepted: one, the scores of the classes"
                )
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
        if node.op == "Shape" and moving and not isinstance(self.known[moving[0]], _PARTS | Answer):
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
        if op in _LAYOUT and not isinstance(tensor, _PARTS):
            return move(node, tensor, self.batch, self.constants)
        if len(moving) > 1:
            if op != "Add" or len(moving) != 2:
                node.refuse("combines two tensors that depend on the image", "Add of two feature maps")
            pair = [self.known[name] for name in moving]
            if not all(isinstance(item, Codes | Sums) for item in pair):
                node.refuse("adds the image before it is quantized, a padded map or scores", "feature maps")
            return residual_add(node, pair, self.builder)
        if isinstance(tensor, Raw):
            return self._quantize_image(node, tensor)
        if isinstance(tensor, Padded) and op != "Conv":
            node.refuse("reads a padded map", "a convolution behind Pad")
        if isinstance(tensor, Patches) and op != "MatMul":
            node.refuse("reads the patches of Im2Col", "a MatMul behind Im2Col")
        if op in (*_PRODUCTS, "Im2Col", "Pad"):
            if node.inputs[0] != moving[0]:
                node.refuse("its first input is a constant", "the activations first")
            return self._multiply(node, tensor)
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
        node.refuse("reads the image or a feature map", "constants as its inputs")

    def _multiply(self, node, tensor):
        """What a product makes of its activations, or Pad or Im2Col in front of one."""
        if isinstance(tensor, Patches):
            return patch_product(node, tensor, self.constants)
        codes = tensor if isinstance(tensor, Padded) else self.builder.codes(node, tensor)
        if node.op == "Pad":
            return padded(node, codes, self.constants)
        if not isinstance(codes, Padded):
            self.tensors[node.inputs[0]] = codes
        if node.op == "Im2Col":
            return patches(node, codes)
        multiply = {"Conv": convolution, "XnorPopcountMatMul": xnor_product}.get(node.op, product)
        return multiply(node, codes, self.constants)

    def _quantize_image(self, node, tensor):
        if node.op not in _IMAGE_QUANTIZERS:
            if node.op in OPERATORS:
                return tensor
            node.refuse(
                "reads the image, which is not quantized",
                "a Quant node on the image (Brevitas: QuantIdentity in front), "
                "or --image-type for images of integers",
            )
        channel = self._channel_axis(node.outputs[0], tensor.sizes)
        if node.op == "MultiThreshold":
            behind = self._affine_behind(node.outputs[0])
            codes = counted_codes(node, behind, tensor.sizes, channel, self.constants)
        else:
            codes = image_codes(node, tensor.sizes, channel, self.constants)
        if self.image is not None:
            node.refuse("quantizes the image a second time", "one quantizer on the image")
        return self._set_image(node.outputs[0], codes)

    def _set_image(self, name, codes):
        self.image = self.tensors[name] = codes
        return codes

    def _readers(self, name):
        """Pairs of a node that reads `name` and the place where it does."""
        return [
            (node, place)
            for node in self.graph.nodes
            for place, read in enumerate(node.inputs)
            if read == name
        ]

    def _first_quantizer(self):
        """Whether the file quantizes its input before it computes with it."""
        name = self.graph.input_name
        while readers := self._readers(name):
            node, _ = readers[0]
            if node.op in _IMAGE_QUANTIZERS:
                return True
            if node.op not in (*_PASSING, *_LAYOUT, *OPERATORS) or not node.outputs:
                return False
            name = node.outputs[0]
        return False

    def _affine_behind(self, name):
        """The nodes with a constant number that scale and shift `name`, one behind the other."""
        chain = []
        while self.graph.uses.get(name) == 1:
            readers = self._readers(name)
            if not readers:
                break
            node, place = readers[0]
            other = node.inputs[1 - place] if len(node.inputs) == 2 else ""
            if (
                node.op not in ARITHMETIC
                or other not in self.constants
                or self.constants[other].array.size != 1
                or (node.op in ("Div", "Sub") and place == 1)
            ):
                break
            chain.append(node)
            name = node.outputs[0]
        return chain

    def _channel_axis(self, name, sizes):
        """Which axis after the batch holds the channels, told by the first operator that knows."""
        axes = list(range(len(sizes)))
        while True:
            readers = self._readers(name)
            if not readers:
                return axes[0]
            node, place = readers[0]
            if node.op == "Transpose" and len(node.integers("perm") or ()) == len(axes) + 1:
                axes = [axes[axis - 1] for axis in node.integers("perm")[1:]]
            elif node.op == "Reshape" and node.inputs[-1] in self.constants:
                given = [1 if axis is None else sizes[axis] for axis in axes]
                after = target_shape(node, (self.batch, *given), self.constants)[1:]
                axes = reshaped_axes(axes, given, after)
                if axes is None:
                    return 0
            elif node.op == "MatMul" and place == 0 or channels_last(node):
                return axes[-1]
            elif node.op not in (*_PASSING, *OPERATORS) or node.op == "BatchNormalization":
                return axes[0]
            name = node.outputs[0]
