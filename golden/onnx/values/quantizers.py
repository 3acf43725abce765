"""What the quantizers of QONNX mean: their parameters, and weights on their grid."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...lowering.steps import ROUNDING
from ...network.encoding import Encoding
from ...network.layer import MAX_BITS
from ..file.graph import Node

QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant")


@dataclass(frozen=True, eq=False)
class Grid:
    """A quantized constant: its real value is scale * values.

    values: int16, or int64 where they need it; scale: float64, same shape; bits: of the codes with
    their sign.
    """

    values: np.ndarray
    scale: np.ndarray
    bits: int


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor known from the file; grid: its integers, where a quantizer made it."""

    array: np.ndarray
    grid: Grid | None = None


@dataclass(frozen=True, eq=False)
class Quantizer:
    """q = round(clamp(x / scale + zero, low, high)), real value scale * (q - zero).

    mode: a key of ROUNDING, or "BIPOLAR": q = 1 for x / scale + zero >= 0, else -1. scale and zero:
    float32 arrays. bits: the declared width.
    """

    mode: str
    low: int
    high: int
    scale: np.ndarray
    zero: np.ndarray
    bits: int


def parameter(
    node: Node, constants: dict[str, Constant], position: int, what: str, finite: bool = True
) -> np.ndarray:
    """The constant input at `position`, which the node has; finite unless not `finite`."""
    name = node.inputs[position]
    if name not in constants:
        node.refuse(f"{what} {name} is computed from the image", f"{what} as a constant")
    array = constants[name].array
    if not array.size:
        node.refuse(f"{what} {name} is empty", "at least one number")
    if np.isnan(array).any() or finite and not np.isfinite(array).all():
        node.refuse(f"{what} {name} is not finite", "finite numbers")
    return array


def scalar(
    node: Node, constants: dict[str, Constant], position: int, what: str, finite: bool = True
) -> float | int:
    """The constant input at `position` as a number."""
    array = parameter(node, constants, position, what, finite)
    if array.size != 1:
        node.refuse(f"{what} has shape {array.shape}", "one number")
    return array.item()


def width(node: Node, value: float, most: int) -> int:
    """A width as an int in 1..most."""
    if value != int(value) or not 1 <= value <= most:
        node.refuse(f"bit width is {value:g}", f"an integer in 1..{most}")
    return int(value)


def rounding_mode(node: Node) -> str:
    """The node's rounding mode, a key of ROUNDING."""
    mode = node.text("rounding_mode")
    if mode.upper() not in ROUNDING:
        node.refuse(f"rounding_mode is {mode!r}", ", ".join(ROUNDING))
    return mode.upper()


def scale_of(node: Node, constants: dict[str, Constant], position: int = 1) -> np.ndarray:
    """The quantizer's scale, float32, positive."""
    scale = single(node, parameter(node, constants, position, "scale"), "scale")
    if not (scale > 0).all():
        node.refuse(f"scale is {scale.min():g}", "more than 0")
    return scale


def single(node: Node, array: np.ndarray, what: str) -> np.ndarray:
    """`array` as float32, refused unless that holds its numbers."""
    narrow = array.astype(np.float32)
    if (narrow != array).any():
        node.refuse(f"{what} {array[narrow != array].flat[0]!r} is no float32", "numbers that float32 holds")
    return narrow


def integer_range(bits: int, signed: bool | int, narrow: bool | int) -> tuple[int, int]:
    """Least and greatest integer of a width."""
    low, high = Encoding.plain(bool(signed)).range(bits)
    return (low + bool(narrow), high) if signed else (low, high - bool(narrow))


def type_range(name: str) -> tuple[int, int]:
    """Least and greatest integer of an element type, as "uint4"."""
    signed = not name.startswith("u")
    return integer_range(int(name.removeprefix("u").removeprefix("int")), signed, False)


def read_quantizer(node: Node, constants: dict[str, Constant]) -> Quantizer:
    """The Quantizer of a Quant, IntQuant or BipolarQuant node; any width up to 32 bits."""
    scale = scale_of(node, constants)
    if node.op == "BipolarQuant":
        return Quantizer("BIPOLAR", -1, 1, scale, np.zeros((), np.float32), 1)
    zero = single(node, parameter(node, constants, 2, "zero point"), "zero point")
    bits = width(node, scalar(node, constants, 3, "bit width"), 32)
    signed, narrow = node.integer("signed"), node.integer("narrow")
    if bits == 1 and signed:
        return Quantizer("BIPOLAR", -1, 1, scale, zero, 1)
    low, high = integer_range(bits, signed, narrow)
    return Quantizer(rounding_mode(node), low, high, scale, zero, bits)


def step_of_zero(node: Node, zero: np.ndarray) -> tuple[int, int]:
    """(d, z): the integers d * (q - zero) = d * q - z with the least d, one zero for all."""
    if zero.size and (zero != zero.flat[0]).any():
        node.refuse("zero points differ between channels", "one zero point per tensor")
    exact = Fraction(float(zero.flat[0]))
    if exact.denominator > 1 << MAX_BITS or abs(exact) > 1 << 31:
        node.refuse(f"zero point is {float(exact):g}", "an integer or a half")
    return exact.denominator, exact.numerator


def quantize_constant(node: Node, constant: Constant, quantizer: Quantizer) -> Constant:
    """The Constant that a Quantizer makes of a Constant.

    In float32, operation by operation as every executor does it: weights were trained like that.
    """
    array = np.asarray(constant.array, np.float32)
    with np.errstate(all="ignore"):
        try:
            y = array / quantizer.scale + quantizer.zero
        except ValueError:
            node.refuse(
                f"scale of shape {quantizer.scale.shape} does not fit {array.shape}", "shapes that broadcast"
            )
    if y.shape != array.shape:
        node.refuse(
            f"scale of shape {quantizer.scale.shape} enlarges {array.shape}", "a scale that broadcasts to it"
        )
    if not np.isfinite(y).all():
        node.refuse("a weight over its scale is not finite", "finite weights")
    q = _round(y, quantizer)
    step, zero = step_of_zero(node, quantizer.zero)
    low, high = step * quantizer.low - zero, step * quantizer.high - zero
    # Weights may be many: the narrow type where it holds every step of the way.
    narrow = max(abs(low), abs(high), abs(zero), quantizer.high) < 1 << 14
    values = step * q.astype(np.int16 if narrow else np.int64) - zero
    real = ((q.astype(np.float32) - quantizer.zero) * quantizer.scale).astype(np.float32)
    scale = np.broadcast_to(quantizer.scale.astype(np.float64) / step, array.shape)
    return Constant(real, Grid(values, scale, declared_bits(quantizer, low, high)))


def declared_bits(quantizer: Quantizer, low: int, high: int) -> int:
    """Width of integers low..high, at least what the quantizer declares."""
    if quantizer.mode == "BIPOLAR":
        return 1
    return max(quantizer.bits, bits_of(low, high))


def bits_of(low: int, high: int) -> int:
    """Least width that holds low..high, two's complement if low is negative."""
    if low < 0:
        return max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0) + 1
    return max(high.bit_length(), 1)


# Mode -> the rounding of a float32 array, as executors do it.
_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda y: np.sign(y) * np.ceil(np.abs(y)),
    "DOWN": np.fix,
    "HALF_UP": lambda y: np.sign(y) * np.floor(np.abs(y) + np.float32(0.5)),
    "HALF_DOWN": lambda y: np.sign(y) * np.ceil(np.abs(y) - np.float32(0.5)),
}


def _round(y: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    if quantizer.mode == "BIPOLAR":
        return np.where(y >= 0, np.float32(1), np.float32(-1))
    return _ROUNDINGS[quantizer.mode](np.clip(y, np.float32(quantizer.low), np.float32(quantizer.high)))
