"""What follows a tensor in the file: how the image is quantized, and which of its axes holds the channels."""

from collections.abc import Iterator, Sequence

from .constants import PASSING
from .elementwise import ARITHMETIC, STEPS
from .file.graph import Graph, Node
from .image import counted_codes, image_codes, linear_codes, reshaped_axes
from .linear import channels_last
from .values.draft import Codes
from .values.layout import LAYOUT, target_shape
from .values.quantizers import QUANTIZERS, Constant
from .values.tensors import Raw

# Operators that quantize the image, if they are the first to compute with it.
_CONVOLUTIONS = ("Conv", "QLinearConv", "ConvInteger")
_PADDED = ("Pad", "ConvTranspose")
_PRODUCTS = ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "QGemm", "Im2Col", "XnorPopcountMatMul")
_LAYERS = (*_CONVOLUTIONS, "ConvTranspose", *_PRODUCTS)
# Operators that leave values as they are.
_MOVED = (*PASSING, *LAYOUT, "DequantizeLinear")
IMAGE_QUANTIZERS = (*QUANTIZERS, "MultiThreshold", "QuantizeLinear")


def readers(graph: Graph, name: str) -> list[tuple[Node, int]]:
    """Pairs of a node that reads `name` and the place where it does."""
    return graph.readers.get(name, [])


def has_image_quantizer(graph: Graph) -> bool:
    """Whether the file quantizes its input before it computes with it."""
    name = graph.input_name
    while found := readers(graph, name):
        node, _ = found[0]
        if node.op in IMAGE_QUANTIZERS:
            return True
        if node.op not in (*PASSING, *LAYOUT, *STEPS) or not node.outputs:
            return False
        name = node.outputs[0]
    return False


def pads(node: Node) -> bool:
    """Whether a convolution pads its map, whatever its kernel."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    return mode.startswith("SAME") or any(node.integers("pads") or ())


def is_padded(graph: Graph, name: str) -> bool:
    """Whether a layer that reads the tensor `name`, maybe in another form, pads it."""
    return any(
        node.op in _PADDED or node.op in _CONVOLUTIONS and pads(node)
        for node in _reached(graph, name, _MOVED)
    )


def is_read_by_layer(graph: Graph, name: str) -> bool:
    """Whether a layer with weights reads the tensor `name`, maybe in another form or maxima of it."""
    return any(node.op in _LAYERS for node in _reached(graph, name, (*_MOVED, "MaxPool", "Pad")))


def _reached(graph: Graph, name: str, through: Sequence[str]) -> Iterator[Node]:
    """Nodes whose first input is `name`, or what operators of `through` make of it."""
    waiting, seen = [name], {name}
    while waiting:
        for node, place in readers(graph, waiting.pop()):
            if place == 0:
                yield node
            if place == 0 and node.op in through:
                waiting += {*filter(None, node.outputs)} - seen
                seen.update(node.outputs)


def affine_behind(graph: Graph, name: str, constants: dict[str, Constant]) -> list[Node]:
    """The nodes with a constant number that scale and shift `name`, one behind the other."""
    chain = []
    while graph.uses.get(name) == 1 and (found := readers(graph, name)):
        node, place = found[0]
        other = node.inputs[1 - place] if len(node.inputs) == 2 else ""
        if (
            node.op not in ARITHMETIC
            or other not in constants
            or constants[other].array.size != 1
            or (node.op in ("Div", "Sub") and place == 1)
        ):
            break
        chain.append(node)
        name = node.outputs[0]
    return chain


def channel_axis(graph: Graph, name: str, sizes: Sequence[int], constants: dict[str, Constant]) -> int | None:
    """Which axis after the batch of the tensor `name` holds the channels, told by the first operator that
    knows; None if one of size 1 is added for them. sizes: of its axes after the batch."""
    axes: list[int | None] = list(range(len(sizes)))
    while found := readers(graph, name):
        node, place = found[0]
        perm = node.integers("perm") or () if node.op == "Transpose" else ()
        if len(perm) == len(axes) + 1:
            axes = [axes[axis - 1] for axis in perm[1:]]
        elif node.op == "Reshape" and node.inputs[-1] in constants:
            given = [1 if axis is None else sizes[axis] for axis in axes]
            after = target_shape(node, (graph.input_shape[0], *given), constants)[1:]
            moved = reshaped_axes(axes, given, after)
            if moved is None:
                return 0
            axes = moved
        elif node.op == "MatMul" and place == 0 or channels_last(node):
            return axes[-1]
        elif node.op not in (*PASSING, *STEPS) or node.op == "BatchNormalization":
            break
        name = node.outputs[0]
    return axes[0]


def quantized_image(graph: Graph, node: Node, image: Raw, constants: dict[str, Constant]) -> Raw | Codes:
    """What a node makes of the image in front of its quantizer: the image's Codes if it is that."""
    if node.op not in IMAGE_QUANTIZERS:
        if node.op in STEPS:
            return image
        node.refuse(
            "reads the image, which is not quantized",
            "a Quant node on the image (Brevitas: QuantIdentity in front), "
            "or --image-type for images of integers",
        )
    name = node.outputs[0]
    channel = channel_axis(graph, name, image.sizes, constants)
    if node.op == "MultiThreshold":
        behind = affine_behind(graph, name, constants)
        return counted_codes(node, behind, image.sizes, channel, constants)
    quantize = linear_codes if node.op == "QuantizeLinear" else image_codes
    return quantize(node, image.sizes, channel, constants)
