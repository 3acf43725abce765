"""QONNX files: reads integers that compute what a file means, or refuses by node.

Between two quantizers everything is monotone per channel and becomes thresholds of the integer
accumulator, by rational arithmetic on the numbers in the file. The image of an imported network is
the integer of the file's first quantizer (minus its zero point), channels last; whatever stands in
front of that quantizer is left to the caller. Without a quantizer, or on request, the image is the
integer of the input's data type.
"""

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from ..lowering.integer_network import IntegerNetwork
from ..lowering.staircase import split
from .builder import in_file_order
from .constants import PASSING, check_inference, fold, shape_constant
from .declared.check import understood
from .declared.meaning import FLOATS
from .draft import Codes
from .element_types import check_image_type, check_range
from .elementwise import STEPS
from .file.graph import Node
from .file.read import read_graph
from .image import counted_codes, declared_codes, image_codes
from .layout import LAYOUT
from .operators import ANSWERS, OPERATORS, State, answer
from .quantizers import Constant
from .readers import IMAGE_QUANTIZERS, affine_behind, channel_axis, has_image_quantizer
from .residual import residual_add
from .tensors import Answer, Padded, Patches, Raw, Sums, Tensor, move, sizes

_PARTS = Padded | Patches


class Import(NamedTuple):
    """An imported network; tensors: name of a quantized tensor of the file -> its Codes.

    Codes say which layer stores the tensor (-1: the image), its scale and its axes in the file.
    """

    network: IntegerNetwork
    tensors: dict[str, Codes]


def load(path: str | PathLike[str], image_type: str | None = None) -> IntegerNetwork:
    """The IntegerNetwork of the QONNX file at `path`; InputError names the node and the reason.

    image_type: data type of QONNX for the file's input, with a divisor if its values are fractions
    ("UINT8/255"); then the image is this integer, and what the file does to it is computed. None:
    the file says what the image is.
    """
    return load_import(path, image_type).network


def load_import(path: str | PathLike[str], image_type: str | None = None) -> Import:
    """The Import of the QONNX file at `path`, see :func:`load`."""
    try:
        return _Importer(path).run(image_type)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None


class _Importer:
    """Walks the nodes once; `_known` holds the tensors that depend on the image."""

    def __init__(self, path: str | PathLike[str]):
        self._name = Path(path).stem
        self._graph = understood(read_graph(path))
        self._known: dict[str, Tensor] = {self._graph.input_name: Raw(self._graph.input_shape[1:])}
        self._state = State(batch=self._graph.input_shape[0])
        self._image: Codes | None = None

    def run(self, image_type: str | None = None) -> Import:
        """The Import of the file."""
        graph = self._graph
        self._state.constants = {name: Constant(array) for name, array in graph.constants.items()}
        declared = image_type or ("" if has_image_quantizer(graph) else graph.input_type)
        if declared:
            after_batch = graph.input_shape[1:]
            channel = channel_axis(graph, graph.input_name, after_batch, self._state.constants)
            codes = declared_codes(declared, after_batch, channel)
            check_image_type(f"input {graph.input_name}: image type {declared}", codes, graph.element_type)
            self._known[graph.input_name] = self._set_image(graph.input_name, codes)
        node = None
        for node in graph.nodes:
            self._visit(node)
        if node is None:
            raise InputError("graph: has no nodes; accepted: a network")
        scores, image = self._scores()
        self._state.builder.scores(node, scores)
        layers, places = in_file_order(self._state.builder.layers, self._state.builder.positions)
        tensors = {
            name: replace(codes, source=places[codes.source]) for name, codes in self._state.tensors.items()
        }
        network = IntegerNetwork(
            name=self._name,
            input_shape=image.shape,
            input_bits=image.bits,
            layers=layers,
            input_signed=image.signed,
        )
        return Import(network, tensors)

    def _scores(self) -> tuple[Codes | Sums, Codes]:
        """The tensor of the scores, which must be the one output but for what follows them, and the image."""
        graph = self._graph
        result = self._known.get(graph.outputs[0])
        if isinstance(result, Answer):
            result = result.scores
        if self._image is None or not isinstance(result, Codes | Sums):
            raise InputError(
                f"graph: output {graph.outputs[0]} does not depend on a quantized image; "
                "accepted: a network with Quant nodes"
            )
        for other in graph.outputs[1:]:
            tensor = self._known.get(other)
            if isinstance(tensor, Answer):
                tensor = tensor.scores
            if not _are_same(tensor, result):
                raise InputError(
                    f"graph: has the outputs {', '.join(graph.outputs)}; "
                    "accepted: one, the scores of the classes"
                )
        return result, self._image

    def _visit(self, node: Node) -> None:
        state, name = self._state, node.outputs[0]
        moving = [name for name in node.inputs if name in self._known]
        first = self._known[moving[0]] if moving else None
        if node.op == "Shape" and isinstance(first, Raw | Codes | Sums):
            state.constants[name] = shape_constant(node, (state.batch, *sizes(first)))
        elif not moving:
            state.constants[name] = fold(node, state.constants)
        else:
            result = self._compute(node, moving)
            if isinstance(result, Codes | Sums):
                check_range(node, result)
            shared = self._graph.uses.get(name, 0) > 1
            if shared and isinstance(result, Sums) and split(result.steps) is not None:
                result = state.tensors[name] = state.builder.codes(node, result)
            # Of several outputs only those of TopK are read; both are the classes.
            for output in filter(None, node.outputs if isinstance(result, Answer) else node.outputs[:1]):
                self._known[output] = result

    def _compute(self, node: Node, moving: list[str]) -> Tensor:
        """The tensor that a node makes of those in `moving`, which depend on the image."""
        tensor = self._known[moving[0]]
        if node.op in PASSING:
            check_inference(node, self._state.constants)
            return tensor
        if isinstance(tensor, Answer):
            return self._answer(node, tensor)
        if node.op in LAYOUT and not isinstance(tensor, _PARTS):
            return move(node, tensor, self._state.batch, self._state.constants)
        if len(moving) > 1:
            return self._sum(node, moving)
        if isinstance(tensor, Raw):
            return self._quantize_image(node, tensor)
        _check_parts(node, tensor)
        if node.op not in OPERATORS:
            node.refuse("reads the image or a feature map", "constants as its inputs")
        operator = OPERATORS[node.op]
        if operator.only_first is not None and node.inputs[0] != moving[0]:
            node.refuse(*operator.only_first)
        return operator.apply(node, tensor, self._state)

    def _answer(self, node: Node, tensor: Answer) -> Answer:
        """What a node makes of probabilities or classes."""
        values = tensor.values
        if node.op in LAYOUT:
            if values is None:
                return tensor
            return Answer(tensor.scores, move(node, values, self._state.batch, self._state.constants))
        if node.op == "Cast" and (values is None or node.result in FLOATS):
            return tensor
        if node.op not in ANSWERS:
            node.refuse("follows the scores", "nothing behind Softmax, Sigmoid, ArgMax or TopK")
        return answer(node, tensor, self._state)

    def _sum(self, node: Node, moving: list[str]) -> Sums:
        """What an operator makes of several tensors that depend on the image: the sum of two."""
        if node.op != "Add" or len(moving) != 2:
            node.refuse("combines two tensors that depend on the image", "Add of two feature maps")
        pair = [item for name in moving if isinstance(item := self._known[name], Codes | Sums)]
        if len(pair) < 2:
            node.refuse("adds the image before it is quantized, a padded map or scores", "feature maps")
        return residual_add(node, pair, self._state.builder)

    def _quantize_image(self, node: Node, tensor: Raw) -> Raw | Codes:
        if node.op not in IMAGE_QUANTIZERS:
            if node.op in STEPS:
                return tensor
            node.refuse(
                "reads the image, which is not quantized",
                "a Quant node on the image (Brevitas: QuantIdentity in front), "
                "or --image-type for images of integers",
            )
        name, constants = node.outputs[0], self._state.constants
        channel = channel_axis(self._graph, name, tensor.sizes, constants)
        if node.op == "MultiThreshold":
            behind = affine_behind(self._graph, name, constants)
            codes = counted_codes(node, behind, tensor.sizes, channel, constants)
        else:
            codes = image_codes(node, tensor.sizes, channel, constants)
        if self._image is not None:
            node.refuse("quantizes the image a second time", "one quantizer on the image")
        return self._set_image(name, codes)

    def _set_image(self, name: str, codes: Codes) -> Codes:
        self._image = self._state.tensors[name] = codes
        return codes


def _are_same(tensor: Tensor | None, scores: Codes | Sums) -> bool:
    """Whether a tensor holds the scores, maybe with other axes."""
    if isinstance(tensor, Codes) and isinstance(scores, Codes):
        return (tensor.source, tensor.scale, tensor.offset) == (scores.source, scores.scale, scores.offset)
    if isinstance(tensor, Sums) and isinstance(scores, Sums):
        return tensor.draft is scores.draft and tensor.steps == scores.steps and tensor.pool is scores.pool
    return False


def _check_parts(node: Node, tensor: Tensor) -> None:
    """Refuses halves of a convolution in front of anything but the other half."""
    if isinstance(tensor, Padded) and node.op != "Conv":
        node.refuse("reads a padded map", "a convolution behind Pad")
    if isinstance(tensor, Patches) and node.op != "MatMul":
        node.refuse("reads the patches of Im2Col", "a MatMul behind Im2Col")
