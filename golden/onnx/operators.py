"""What the import makes of each operator: one table from its name to a function."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .builder import Builder
from .constants import CONSTANT, PASSING
from .draft import Codes
from .elementwise import ARITHMETIC, STEPS, elementwise
from .file.graph import Node
from .layout import LAYOUT
from .linear import convolution, padded, product
from .pool import pool
from .quantizers import QUANTIZERS, Constant, scalar
from .residual import is_wide, trunk
from .streamlined import patch_product, patches, xnor_product
from .tensors import Answer, Padded, Patches, Sums, Tensor, sizes


@dataclass(kw_only=True, eq=False)
class State:
    """What the import has found so far.

    batch: images in the file's input; constants: tensors that the file alone gives; builder: the layers;
    tensors: name -> Codes of the quantized tensors.
    """

    batch: int
    constants: dict[str, Constant] = field(default_factory=dict)
    builder: Builder = field(default_factory=Builder)
    tensors: dict[str, Codes] = field(default_factory=dict)

    def stored(self, node: Node, tensor: Codes | Sums) -> Codes:
        """The first input of a node as codes that a layer stores."""
        codes = self.tensors[node.inputs[0]] = self.builder.codes(node, tensor)
        return codes


class Operator(NamedTuple):
    """An operator on one tensor that depends on the image, behind its quantizer.

    apply(node, tensor, state): the tensor it makes. only_first: None, or why another input than the first
    must not depend on the image, and what is accepted.
    """

    apply: Callable[..., Tensor]
    only_first: tuple[str, str] | None = None


def _elementwise(node: Node, tensor: Codes | Sums, state: State) -> Codes | Sums:
    return elementwise(node, tensor, state.constants)


def _quantize(node: Node, tensor: Codes | Sums, state: State) -> Codes | Sums:
    if isinstance(tensor, Sums) and is_wide(node, state.constants):
        return trunk(node, tensor, state.builder, state.constants)
    return elementwise(node, tensor, state.constants)


def _convolve(node: Node, tensor: Codes | Sums | Padded, state: State) -> Sums:
    codes = tensor if isinstance(tensor, Padded) else state.stored(node, tensor)
    return convolution(node, codes, state.constants)


def _gemm(node: Node, tensor: Codes | Sums, state: State) -> Sums:
    return product(node, state.stored(node, tensor), state.constants, state.batch)


def _matmul(node: Node, tensor: Codes | Sums | Patches, state: State) -> Sums:
    if isinstance(tensor, Patches):
        return patch_product(node, tensor, state.constants)
    return product(node, state.stored(node, tensor), state.constants, state.batch)


def _xnor(node: Node, tensor: Codes | Sums, state: State) -> Sums:
    return xnor_product(node, state.stored(node, tensor), state.constants, state.batch)


def _im2col(node: Node, tensor: Codes | Sums, state: State) -> Patches:
    return patches(node, state.stored(node, tensor))


def _pad(node: Node, tensor: Codes | Sums, state: State) -> Padded:
    return padded(node, state.builder.codes(node, tensor), state.constants)


def _pool(node: Node, tensor: Codes | Sums, state: State) -> Codes | Sums:
    return pool(node, tensor, state.builder, state.constants)


def answer(node: Node, tensor: Codes | Sums | Answer, state: State) -> Answer:
    """Probabilities and classes: whatever keeps the order of the scores, along the axis of the classes."""
    scores, values = (tensor.scores, tensor.values) if isinstance(tensor, Answer) else (tensor, tensor)
    if values is None:
        node.refuse("follows the classes", "nothing behind ArgMax or TopK")
    if node.op != "Sigmoid":
        _check_axis(node, (state.batch, *sizes(values)))
    if node.op == "TopK":
        count = scalar(node, state.constants, 1, "K") if node.has(1) else node.integer("k")
        if not 1 <= count <= math.prod(values.shape):
            node.refuse(f"K is {count}", f"1..{math.prod(values.shape)} classes")
    return Answer(scores, None if node.op in ("ArgMax", "TopK") else values)


def _check_axis(node: Node, shape: tuple[int, ...]) -> None:
    """Refuses an axis that does not hold all classes of each image."""
    axis = node.integer("axis")
    inside = -len(shape) <= axis < len(shape)
    axis %= len(shape)
    # Before version 13 Softmax joined all axes from this one on.
    joined = node.op in ("Softmax", "LogSoftmax") and node.since < 13
    along = math.prod(shape[axis:]) if joined else shape[axis]
    if not inside or axis == 0 or along != math.prod(shape[1:]):
        node.refuse(
            f"axis is {node.integer('axis')} of {shape}", "the axis of the classes, one score per class"
        )


_ACTIVATIONS_FIRST = ("its first input is a constant", "the activations first")
_CONSTANT_PARAMETERS = ("a parameter of it depends on the image", "parameters as constants")
OPERATORS: dict[str, Operator] = {
    **dict.fromkeys(QUANTIZERS, Operator(_quantize, _CONSTANT_PARAMETERS)),
    "Conv": Operator(_convolve, _ACTIVATIONS_FIRST),
    "Gemm": Operator(_gemm, _ACTIVATIONS_FIRST),
    "MatMul": Operator(_matmul, _ACTIVATIONS_FIRST),
    "XnorPopcountMatMul": Operator(_xnor, _ACTIVATIONS_FIRST),
    "Im2Col": Operator(_im2col, _ACTIVATIONS_FIRST),
    "Pad": Operator(_pad, _ACTIVATIONS_FIRST),
    **{
        op: Operator(_elementwise, None if op in ARITHMETIC else _CONSTANT_PARAMETERS)
        for op in STEPS
        if op not in QUANTIZERS
    },
    "MaxPool": Operator(_pool),
    "MaxPoolNHWC": Operator(_pool),
    "AveragePool": Operator(_pool),
    "GlobalAveragePool": Operator(_pool),
    "GlobalMaxPool": Operator(_pool),
    "ReduceMean": Operator(_pool),
    "Softmax": Operator(answer),
    "LogSoftmax": Operator(answer),
    "Sigmoid": Operator(answer),
    "ArgMax": Operator(answer),
    "TopK": Operator(answer),
}
# Operators that may follow the scores.
ANSWERS = tuple(op for op, operator in OPERATORS.items() if operator.apply is answer)
# All operators that a file may have, in the order of the guide.
SUPPORTED = (
    *(op for op in OPERATORS if op not in ANSWERS),
    *LAYOUT,
    *PASSING,
    *CONSTANT,
    *ANSWERS,
)
