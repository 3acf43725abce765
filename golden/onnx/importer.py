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
from .blocks import RESIZING, repeated
from .constants import PASSING, check_inference, fold, shape_constant
from .declared.check import understood
from .declared.meaning import FLOATS
from .elementwise import negated
from .file.graph import Node
from .file.read import read_graph
from .image import declared_codes
from .joined import ON_ELEMENTS, PER_CHANNEL, applied, concat, together
from .linear import widened
from .moved import moved, with_axes
from .operators import ANSWERS, OPERATORS, Operator, State, answer
from .outputs import results_of
from .parts import parts
from .qlinear import PRODUCTS, qlinear_add, qlinear_concat, qlinear_product_of_joined
from .readers import channel_axis, has_image_quantizer, pads, quantized_image
from .residual import residual_add
from .values.draft import Codes
from .values.element_types import check_image_type, check_range
from .values.file_order import in_file_order
from .values.folded import annotated
from .values.layout import LAYOUT
from .values.quantizers import Constant
from .values.slicing import PARTS
from .values.tensors import (
    Answer,
    Blocks,
    Joined,
    Padded,
    Patches,
    Raw,
    Regrouped,
    Scores,
    Sums,
    Tensor,
    sizes,
)

# What leaves the pixels of Blocks where they are.
_ON_BLOCKS = (*ON_ELEMENTS, *ANSWERS, *LAYOUT, *PASSING, "Shape")


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
        self._state = State(graph=self._graph, batch=self._graph.input_shape[0])
        self._image: Codes | None = None

    def run(self, image_type: str | None = None) -> Import:
        """The Import of the file."""
        graph = self._graph
        self._state.constants = {
            name: annotated(array, graph.types.get(name, "")) for name, array in graph.constants.items()
        }
        declared = image_type or ("" if has_image_quantizer(graph) else graph.input_type)
        if declared:
            after_batch = graph.input_shape[1:]
            channel = channel_axis(graph, graph.input_name, after_batch, self._state.constants)
            codes = declared_codes(declared, after_batch, channel)
            check_image_type(f"input {graph.input_name}: image type {declared}", codes, graph.element_type)
            self._known[graph.input_name] = self._set_image(graph.input_name, codes)
        for node in graph.nodes:
            self._visit(node)
        image = self._image
        results = results_of(graph, self._known if image else {}, self._state.builder)
        assert image is not None, "results depend on an image"
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
            image_zero=image.zero,
            notes=graph.notes,
            results=tuple(result.moved(places) for result in results),
        )
        return Import(network, tensors)

    def _visit(self, node: Node) -> None:
        state, name = self._state, node.outputs[0]
        moving = [name for name in node.inputs if name in self._known]
        first = self._known[moving[0]] if moving else None
        if node.op == "Shape" and isinstance(first, Raw | Scores):
            state.constants[name] = shape_constant(node, (state.batch, *sizes(first)))
        elif not moving:
            state.constants[name] = fold(node, state.constants)
        else:
            if node.op not in _ON_BLOCKS or len(moving) > 1:
                self._store_blocks(node, moving)
                first = self._known[moving[0]]
            if node.op in PARTS and isinstance(first, Padded):
                first = widened(node, first)
            if node.op in PARTS and isinstance(first, Codes | Sums | Joined) and moving == [node.inputs[0]]:
                results: list[Tensor] = [*parts(node, first, state.builder, state.constants)]
            else:
                results = [self._compute(node, moving)]
            if isinstance(results[0], Answer):
                # Both outputs of TopK are the classes.
                results *= len(node.outputs)
            for output, result in zip(node.outputs, results, strict=False):
                if output:
                    self._keep(node, output, result)

    def _keep(self, node: Node, name: str, result: Tensor) -> None:
        """Makes `result` of a node known as the tensor `name`, stored if several nodes read its codes."""
        shared = self._graph.uses.get(name, 0) > 1
        if isinstance(result, Blocks):
            check_range(node, result.inner)
            if shared and (isinstance(result.inner, Codes) or split(result.inner.steps) is not None):
                result = self._state.keep(node, name, result)
        if isinstance(result, Regrouped):
            inner = result.inner
            for part in inner.parts if isinstance(inner, Joined) else (inner,):
                check_range(node, part)
        if isinstance(result, Joined):
            result = Joined(tuple(self._kept(node, name, part, shared) for part in result.parts))
        elif isinstance(result, Codes | Sums):
            result = self._kept(node, name, result, shared)
            if isinstance(result, Codes) and shared:
                self._state.tensors[name] = result
        self._known[name] = result

    def _kept(self, node: Node, name: str, tensor: Codes | Sums, shared: bool) -> Codes | Sums:
        """A tensor that a node made, checked, and stored where it is shared and can be."""
        check_range(node, tensor)
        if shared and isinstance(tensor, Sums) and split(tensor.steps) is not None:
            return self._state.keep(node, name, tensor)
        return tensor

    def _compute(self, node: Node, moving: list[str]) -> Tensor:
        """The tensor that a node makes of those in `moving`, which depend on the image."""
        tensor = self._known[moving[0]]
        if node.op in PASSING:
            check_inference(node, self._state.constants)
            return tensor
        if isinstance(tensor, Answer):
            return self._answer(node, tensor)
        if node.op in LAYOUT and isinstance(tensor, Raw | Scores):
            return moved(node, tensor, self._state)
        if isinstance(tensor, Regrouped):
            return self._of_regrouped(node, tensor, moving)
        if isinstance(tensor, Blocks):
            return self._of_blocks(node, tensor, moving)
        if isinstance(tensor, Padded) and node.op not in ("Conv", "Pad"):
            tensor = widened(node, tensor)
        if node.op in ("Concat", "QLinearConcat"):
            return self._concat(node, moving)
        if isinstance(tensor, Joined):
            return self._of_joined(node, tensor, moving)
        return self._of_one(node, tensor, moving)

    def _of_one(self, node: Node, tensor: Tensor, moving: list[str]) -> Tensor:
        """What a node makes of one tensor."""
        if len(moving) > 1:
            return self._sum(node, moving)
        if isinstance(tensor, Raw):
            return self._quantize_image(node, tensor)
        if isinstance(tensor, Patches) and node.op != "MatMul":
            node.refuse("reads the patches of Im2Col", "a MatMul behind Im2Col")
        return self._operator(node, moving).apply(node, tensor, self._state)

    def _operator(self, node: Node, moving: list[str]) -> Operator:
        """What a node computes of the one tensor in `moving`."""
        if node.op not in OPERATORS:
            node.refuse("reads the image or a feature map", "constants as its inputs")
        operator = OPERATORS[node.op]
        if operator.only_first is not None and node.inputs[0] != moving[0]:
            node.refuse(*operator.only_first)
        return operator

    def _store_blocks(self, node: Node, names: list[str]) -> None:
        """Has the tensors `names` that are Blocks stored for a node that reads their pixels."""
        for name in names:
            tensor = self._known[name]
            if isinstance(tensor, Blocks):
                codes = self._state.keep(node, name, tensor, padded=pads(node))
                self._known[name] = self._state.tensors[name] = codes

    def _of_blocks(self, node: Node, tensor: Blocks, moving: list[str]) -> Tensor:
        """What a node of _ON_BLOCKS makes of Blocks."""
        state = self._state
        if node.op in ANSWERS:
            return answer(node, tensor, state)
        constants = repeated(node, tensor, state.constants, node.op in PER_CHANNEL)
        operator = self._operator(node, moving)
        inner = operator.apply(node, tensor.inner, replace(state, constants=constants, tensors={}))
        assert isinstance(inner, Codes | Sums), "an operator on elements makes a map"
        return replace(tensor, inner=inner)

    def _of_regrouped(self, node: Node, tensor: Regrouped, moving: list[str]) -> Tensor:
        """What a node makes of a map whose axes are none: operators on elements see those that it has."""
        if node.op in ANSWERS:
            return answer(node, tensor, self._state)
        constants = [self._state.constants[name] for name in node.inputs if name in self._state.constants]
        alike = all(constant.array.size == 1 for constant in constants)
        if node.op not in ON_ELEMENTS or len(moving) > 1 or not alike:
            node.refuse(
                f"reads axes {sizes(tensor)} that hold parts of the rows, columns or channels of a map",
                "a Reshape and a Transpose in front that make a map again, or one number for all elements",
            )
        inner = tensor.inner
        made = (
            self._of_joined(node, inner, moving)
            if isinstance(inner, Joined)
            else self._of_one(node, inner, moving)
        )
        assert isinstance(made, Codes | Sums | Joined), "an operator on elements makes maps"
        return Regrouped(made, tensor.axes)

    def _concat(self, node: Node, moving: list[str]) -> Joined:
        fused = node.op == "QLinearConcat"
        if moving != [*(node.inputs[2::3] if fused else node.inputs)]:
            node.refuse("puts a constant and a map together", "maps alone")
        tensors = [self._known[name] for name in moving]
        return qlinear_concat(node, tensors, self._state) if fused else concat(node, tensors)

    def _of_joined(self, node: Node, tensor: Joined, moving: list[str]) -> Tensor:
        """What a node makes of maps side by side."""
        state = self._state
        if len(moving) > 1:
            return self._sum(node, moving)
        if node.op in ANSWERS:
            return answer(node, tensor, state)
        self._operator(node, moving)
        if node.op in RESIZING:
            return self._of_one(node, together(node, tensor, state.builder), moving)

        def apply(own: Node, part: Codes | Sums, constants: dict[str, Constant]) -> Tensor:
            # What is stored is a part of the tensor that the node reads.
            return OPERATORS[own.op].apply(own, part, replace(state, constants=constants, tensors={}))

        if node.op in PRODUCTS:
            return qlinear_product_of_joined(node, tensor, state, apply)
        return applied(node, tensor, state.constants, state.builder, apply)

    def _answer(self, node: Node, tensor: Answer) -> Answer:
        """What a node makes of probabilities or classes."""
        values = tensor.values
        if node.op in LAYOUT:
            if values is None:
                return tensor
            values = with_axes(node, values, self._state.batch, self._state.constants)
            return Answer(tensor.scores, values)
        if node.op == "Cast" and (values is None or node.result in FLOATS):
            return tensor
        if node.op not in ANSWERS:
            node.refuse("follows the scores", "nothing behind Softmax, Sigmoid, ArgMax or TopK")
        return answer(node, tensor, self._state)

    def _sum(self, node: Node, moving: list[str]) -> Codes | Sums:
        """What an operator makes of several tensors that depend on the image: the sum or the difference of
        two."""
        if node.op not in ("Add", "Sub", "QLinearAdd") or len(moving) != 2:
            node.refuse("combines two tensors that depend on the image", "Add or Sub of two feature maps")
        pair = [item for name in moving if isinstance(item := self._known[name], Codes | Sums)]
        if len(pair) < 2:
            node.refuse("adds the image before it is quantized, a padded map or scores", "feature maps")
        if node.op == "QLinearAdd":
            return qlinear_add(node, pair, self._state)
        if node.op == "Sub":
            pair[1] = negated(node, pair[1])
        return residual_add(node, pair, self._state.builder)

    def _quantize_image(self, node: Node, tensor: Raw) -> Raw | Codes:
        found = quantized_image(self._graph, node, tensor, self._state.constants)
        if isinstance(found, Raw):
            return found
        if self._image is not None:
            node.refuse("quantizes the image a second time", "one quantizer on the image")
        return self._set_image(node.outputs[0], found)

    def _set_image(self, name: str, codes: Codes) -> Codes:
        self._image = self._state.tensors[name] = codes
        return codes
