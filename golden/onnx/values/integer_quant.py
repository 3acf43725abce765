"""QuantizeLinear and DequantizeLinear: between real values and the integers of a type, with a zero point."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ...lowering.steps import Affine, Round, Step
from ..declared.meaning import INTEGERS
from ..file.graph import Node
from .draft import Codes
from .quantizers import Constant, Grid, bits_of, parameter, scale_of, type_range
from .tensors import Sums, per_channel, sizes
from .unit_layers import identity

Constants = dict[str, Constant]


@dataclass(frozen=True, eq=False)
class LinearQuantizer:
    """q = clamp(round_half_even(x / scale) + zero) of an integer type, real value scale * (q - zero).

    scale: float32, zero: integers, each one number or one along an axis of the tensor, which is spread out;
    type: NumPy's name of the integer type.
    """

    scale: np.ndarray
    zero: np.ndarray
    type: str

    @property
    def ends(self) -> tuple[int, int]:
        """Least and greatest integer of the type."""
        return type_range(self.type)

    def one_zero(self, node: Node) -> int:
        """The zero point, where there is one only."""
        if (self.zero != self.zero.flat[0]).any():
            node.refuse("zero points differ between channels", "one zero point per tensor")
        return int(self.zero.flat[0])


def read_linear(
    node: Node, constants: Constants, scale_place: int, zero_place: int, rank: int, axis: int, type_: str
) -> LinearQuantizer:
    """The LinearQuantizer that a node has at two of its inputs, for a tensor of `rank` axes.

    axis: that scales of one axis lie along; type_: of the integers, where there is no zero point.
    """
    scale = scale_of(node, constants, scale_place)
    zero = np.zeros((), type_)
    if node.has(zero_place):
        zero = parameter(node, constants, zero_place, "zero point")
    if zero.dtype.name not in INTEGERS:
        node.refuse(f"zero point is of the type {zero.dtype.name}", "an integer type")
    along = [_along(node, array, rank, axis) for array in (scale, zero)]
    return LinearQuantizer(along[0], along[1], zero.dtype.name)


def _along(node: Node, array: np.ndarray, rank: int, axis: int) -> np.ndarray:
    """A scale or zero point that broadcasts to a tensor of `rank` axes."""
    if array.size == 1:
        return array.reshape(())
    if array.ndim != 1:
        node.refuse(f"scales and zero points have shape {array.shape}", "one number, or one per channel")
    if not -rank <= axis < rank:
        node.refuse(f"axis is {axis} of {rank} axes", f"{-rank}..{rank - 1}")
    return array.reshape([-1 if place == axis % rank else 1 for place in range(rank)])


def own_quantizer(node: Node, constants: Constants, rank: int) -> LinearQuantizer:
    """That of a QuantizeLinear or DequantizeLinear node, for a tensor of `rank` axes."""
    if node.attributes.get("block_size"):
        node.refuse(f"block_size is {node.integer('block_size')}", "0: one scale per tensor or channel")
    type_ = node.result if node.op == "QuantizeLinear" else "uint8"
    return read_linear(node, constants, 1, 2, rank, node.attributes.get("axis", 1), type_)


def quantized(
    node: Node, tensor: Codes | Sums, quantizer: LinearQuantizer, moved_first: bool = False
) -> Codes | Sums:
    """The integers of a type that stand for the real values of `tensor`; where a layer stores them, the zero
    point has the code 0. moved_first: whether the zero point is added before rounding (to even), not
    behind."""
    zero = quantizer.one_zero(node)
    early = zero if moved_first else 0
    scale = per_channel(node, tensor, quantizer.scale, "the scale")
    before = Affine([1 / s for s in scale], [Fraction(early)] * len(scale))
    least, greatest = (end - zero + early for end in quantizer.ends)
    middle = Round("ROUND", least, greatest)
    after = Affine([Fraction(1)] * len(scale), [Fraction(zero - early)] * len(scale))
    if isinstance(tensor, Sums):
        return replace(tensor.extended(before, middle, after), zero=zero)
    grid = tensor.affine.then(before)
    if _stay(tensor, grid, least, greatest):
        grid = grid.then(after)
        return replace(tensor, scale=grid.slope, offset=grid.offset)
    return replace(identity(node.name, tensor, node.position).extended(before, middle, after), zero=zero)


def _stay(codes: Codes, grid: Affine, least: int, greatest: int) -> bool:
    """Whether `grid` makes of all codes integers of least..greatest, which rounding leaves as they are."""
    for slope, offset in zip(grid.slope, grid.offset, strict=True):
        ends = (slope * codes.low + offset, slope * codes.high + offset)
        if slope.denominator > 1 or offset.denominator > 1 or min(ends) < least or max(ends) > greatest:
            return False
    return True


def dequantized_steps(node: Node, tensor: Codes | Sums, quantizer: LinearQuantizer) -> tuple[Step, ...]:
    """The step from integers to their real values."""
    scale = per_channel(node, tensor, quantizer.scale, "the scale")
    zero = per_channel(node, tensor, quantizer.zero, "the zero point")
    return (Affine(scale, [-s * z for s, z in zip(scale, zero, strict=True)]),)


def quantize_linear(node: Node, tensor: Codes | Sums, constants: Constants) -> Codes | Sums:
    """What a QuantizeLinear node makes of a tensor."""
    return quantized(node, tensor, own_quantizer(node, constants, 1 + len(sizes(tensor))))


def dequantize_linear(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    """Steps of DequantizeLinear."""
    return dequantized_steps(node, tensor, own_quantizer(node, constants, 1 + len(sizes(tensor))))


def quantize_constant_linear(node: Node, array: np.ndarray, constants: Constants) -> Constant:
    """What QuantizeLinear makes of a constant, in float32 as every executor does it."""
    quantizer = own_quantizer(node, constants, array.ndim)
    with np.errstate(all="ignore"):
        steps = np.rint(np.asarray(array, np.float32) / quantizer.scale)
    if steps.shape != array.shape or not np.isfinite(steps).all():
        node.refuse("a number over its scale is not finite, or scales do not fit it", "finite numbers")
    low, high = quantizer.ends
    return Constant(np.clip(steps + quantizer.zero.astype(np.float64), low, high).astype(quantizer.type))


def dequantize_constant_linear(node: Node, array: np.ndarray, constants: Constants) -> Constant:
    """What DequantizeLinear makes of a constant: weights on their grid, biases."""
    return grid_constant(array, own_quantizer(node, constants, array.ndim))


def grid_constant(array: np.ndarray, quantizer: LinearQuantizer) -> Constant:
    """The Constant whose integers are `array` minus the zero point, on the grid of the scale."""
    values = array.astype(np.int64) - quantizer.zero
    scale = np.broadcast_to(quantizer.scale.astype(np.float64), array.shape)
    real = (values.astype(np.float32) * quantizer.scale).astype(np.float32)
    declared = bits_of(*type_range(array.dtype.name))
    if array.size and declared <= 8:
        declared = max(declared, bits_of(int(values.min()), int(values.max())))
    return Constant(real, Grid(values, scale, declared))
