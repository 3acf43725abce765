"""What the import makes of each operator: one table from its name to a function."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .blocks import depth_to_space, resize, space_to_depth
from .builder import Builder, CodeZero
from .constants import CONSTANT, PASSING
from .elementwise import ARITHMETIC, STEPS, elementwise
from .file.graph import Graph, Node
from .linear import convolution, padded, product
from .parts import shortened
from .pool import pool
from .qlinear import QLINEAR
from .readers import is_padded, pads
from .residual import is_trunk, trunk, with_weights
from .streamlined import patch_product, patches, xnor_product
from .transposed import transposed
from .values.draft import Codes
from .values.file_axes import file_dims
from .values.integer_quant import quantize_linear
from .values.layout import LAYOUT
from .values.quantizers import QUANTIZERS, Constant, scalar
from .values.slicing import PARTS
from .values.tensors import Answer, Blocks, Padded, Patches, Scores, Sums, Tensor, sizes


@dataclass(kw_only=True, eq=False)
class State:
    """What the import has found so far.

    graph: of the file; batch: images in its input; constants: tensors that the file alone gives; builder:
    the layers; tensors: name -> Codes of the quantized tensors.
    """

    graph: Graph
    batch: int
    constants: dict[str, Constant] = field(default_factory=dict)
    builder: Builder = field(default_factory=Builder)
    tensors: dict[str, Codes] = field(default_factory=dict)

    def stored(self, node: Node, tensor: Codes | Sums, padded: bool = False) -> Codes:
        """The first input of a node, which is `padded`, as codes that a layer stores; others that read it may
        pad it too."""
        name = node.inputs[0]
        codes = self.keep(node, name, tensor, padded)
        # The image stays what the caller has to give, whatever a layer makes of it.
        if isinstance(tensor, Sums) or tensor.source >= 0 or codes is tensor:
            self.tensors[name] = codes
        return codes

    def keep(self, node: Node, name: str, tensor: Codes | Sums | Blocks, padded: bool = False) -> Codes:
        """The tensor `name` of the file as codes that a layer stores."""
        whole = tensor.inner if isinstance(tensor, Blocks) else tensor
        block = tensor.block if isinstance(tensor, Blocks) else (1, 1)
        new = isinstance(whole, Sums) or block != (1, 1)
        zero = CodeZero.REAL if padded or new and is_padded(self.graph, name) else CodeZero.IN_WIDTH
        codes = self.builder.codes(node, whole, zero, block)
        if codes.shape != tensor.shape:
            return self.builder.codes(node, shortened(node, codes, tensor.shape, self.builder), zero)
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
    if isinstance(tensor, Sums) and is_trunk(node, state.graph, state.constants):
        made = trunk(node, tensor, state.builder, state.constants)
        if made is not None:
            return made
    return elementwise(node, tensor, state.constants)


def _quantize_linear(node: Node, tensor: Codes | Sums, state: State) -> Codes | Sums:
    return quantize_linear(node, tensor, state.constants)


def _qlinear(node: Node, tensor: Codes | Sums, state: State) -> Codes | Sums:
    return QLINEAR[node.op](node, tensor, state)


def _convolve(node: Node, tensor: Codes | Sums | Padded, state: State) -> Sums:
    if isinstance(tensor, Padded):
        codes: Codes | Padded = tensor
    else:
        codes = state.stored(node, tensor, pads(node))
    return with_weights(
        node, state.constants, state.builder, lambda own, constants: convolution(own, codes, constants)
    )


def _gemm(node: Node, tensor: Codes | Sums, state: State) -> Sums:
    codes, batch = state.stored(node, tensor), state.batch
    return with_weights(
        node, state.constants, state.builder, lambda own, constants: product(own, codes, constants, batch)
    )


def _matmul(node: Node, tensor: Codes | Sums | Patches, state: State) -> Sums:
    if isinstance(tensor, Patches):
        return patch_product(node, tensor, state.constants)
    return _gemm(node, tensor, state)


def _xnor(node: Node, tensor: Codes | Sums, state: State) -> Sums:
    return xnor_product(node, state.stored(node, tensor), state.constants, state.batch)


def _im2col(node: Node, tensor: Codes | Sums, state: State) -> Patches:
    return patches(node, state.stored(node, tensor))


def _pad(node: Node, tensor: Codes | Sums | Padded, state: State) -> Padded:
    if isinstance(tensor, Padded):
        more = padded(node, tensor.codes, state.constants).padding
        top, left, bottom, right = (a + b for a, b in zip(tensor.padding, more, strict=True))
        return Padded(tensor.codes, (top, left, bottom, right))
    return padded(node, state.builder.codes(node, tensor, CodeZero.REAL), state.constants)


def _pool(node: Node, tensor: Codes | Sums, state: State) -> Codes | Sums:
    return pool(node, tensor, state.builder, state.constants)


def answer(node: Node, tensor: Scores | Answer, state: State) -> Answer:
    """Probabilities and classes: whatever keeps the order of the scores, along the axis of the classes."""
    scores, values = (tensor.scores, tensor.values) if isinstance(tensor, Answer) else (tensor, tensor)
    if values is None:
        node.refuse("follows the classes", "nothing behind ArgMax or TopK")
    if node.op != "Sigmoid":
        classes = _classes(node, values, (state.batch, *sizes(values)))
        if node.op == "TopK":
            count = scalar(node, state.constants, 1, "K") if node.has(1) else node.integer("k")
            if not 1 <= count <= classes:
                node.refuse(f"K is {count}", f"1..{classes} classes")
    return Answer(scores, None if node.op in ("ArgMax", "TopK") else values)


def _classes(node: Node, values: Scores, shape: tuple[int, ...]) -> int:
    """Classes along the node's axis of `values`, whose axes have the sizes `shape`; refuses one that holds
    neither all numbers of each image nor all channels of each pixel."""
    axis = node.integer("axis")
    inside = -len(shape) <= axis < len(shape)
    axis %= len(shape)
    # Before version 13 Softmax joined all axes from this one on.
    joined = node.op in ("Softmax", "LogSoftmax") and node.since < 13
    along = math.prod(shape[axis:]) if joined else shape[axis]
    dims = file_dims(values)
    channels = inside and axis > 0 and dims[axis - 1] == ("C",)
    if not inside or axis == 0 or (along != math.prod(shape[1:]) and not (channels and along == shape[axis])):
        node.refuse(
            f"axis is {node.integer('axis')} of {shape}",
            "the axis of the classes: of one score per class, or of the channels of a map",
        )
    return along


_ACTIVATIONS_FIRST = ("its first input is a constant", "the activations first")
_CONSTANT_PARAMETERS = ("a parameter of it depends on the image", "parameters as constants")
OPERATORS: dict[str, Operator] = {
    **dict.fromkeys(QUANTIZERS, Operator(_quantize, _CONSTANT_PARAMETERS)),
    "Conv": Operator(_convolve, _ACTIVATIONS_FIRST),
    "ConvTranspose": Operator(transposed, _ACTIVATIONS_FIRST),
    "Gemm": Operator(_gemm, _ACTIVATIONS_FIRST),
    "MatMul": Operator(_matmul, _ACTIVATIONS_FIRST),
    "XnorPopcountMatMul": Operator(_xnor, _ACTIVATIONS_FIRST),
    "Im2Col": Operator(_im2col, _ACTIVATIONS_FIRST),
    "Pad": Operator(_pad, _ACTIVATIONS_FIRST),
    "DepthToSpace": Operator(depth_to_space),
    "SpaceToDepth": Operator(space_to_depth),
    "Resize": Operator(resize, _CONSTANT_PARAMETERS),
    "Upsample": Operator(resize, _CONSTANT_PARAMETERS),
    **{
        op: Operator(_elementwise, None if op in ARITHMETIC else _CONSTANT_PARAMETERS)
        for op in STEPS
        if op not in QUANTIZERS
    },
    "QuantizeLinear": Operator(_quantize_linear, _CONSTANT_PARAMETERS),
    **dict.fromkeys(QLINEAR, Operator(_qlinear, _CONSTANT_PARAMETERS)),
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
    "QLinearAdd",
    "QLinearConcat",
    "Concat",
    *PARTS,
    *LAYOUT,
    *PASSING,
    *CONSTANT,
    *ANSWERS,
)
