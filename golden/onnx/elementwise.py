"""Operators that act on every element alone: steps of a chain."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..lowering.staircase import apply, are_affine
from ..lowering.steps import Affine, Clamp, Leaky, Step
from ..network.parts import BatchNorm
from .declared.meaning import INTEGERS
from .file.graph import Node
from .values.draft import Codes
from .values.element_types import cast, unbounded
from .values.integer_quant import dequantize_linear
from .values.quantizers import QUANTIZERS, Constant, parameter, scalar, single
from .values.rounding import multi_threshold, quant, requant_shift, rounded, trunc
from .values.tensors import Sums, per_channel
from .values.unit_layers import identity

ARITHMETIC = ("Mul", "Div", "Add", "Sub")
_MAX_STEPS, _MAX_DIGITS = 64, 4096
Constants = dict[str, Constant]


def elementwise(node: Node, tensor: Codes | Sums, constants: Constants) -> Codes | Sums:
    """`tensor` after an operator of STEPS whose other inputs are constants."""
    return extended(node, tensor, STEPS[node.op](node, tensor, constants))


def negated(node: Node, tensor: Codes | Sums) -> Codes | Sums:
    """`tensor` times -1."""
    return extended(node, tensor, _neg(node, tensor, {}))


def extended(node: Node, tensor: Codes | Sums, steps: tuple[Step, ...]) -> Codes | Sums:
    """`tensor` behind more steps; stored again where they are more than scale and offset of its codes."""
    if not steps:
        return tensor
    if isinstance(tensor, Codes):
        if are_affine(steps):
            (step,) = steps
            affine = tensor.affine.then(step)
            _check_size(node, (affine,))
            return replace(tensor, scale=affine.slope, offset=affine.offset)
        if _keeps(tensor, steps):
            return tensor
        tensor = identity(node.name, tensor, node.position)
    tensor = tensor.extended(*steps)
    _check_size(node, tensor.steps)
    return tensor


def _check_size(node: Node, chain: Sequence[Step]) -> None:
    """Bounds the work that a file can ask for: exact numbers grow with every product."""
    if len(chain) > _MAX_STEPS:
        node.refuse(
            f"is one of more than {_MAX_STEPS} operators in a row without weights", f"at most {_MAX_STEPS}"
        )
    if isinstance(chain[-1], Affine):
        bits = max(number.denominator.bit_length() for number in chain[-1].slope)
        if bits > _MAX_DIGITS:
            node.refuse(f"its exact factor has {bits} binary digits", f"at most {_MAX_DIGITS}")


def _keeps(codes: Codes, steps: Sequence[Step]) -> bool:
    """Whether the steps leave every value of the codes as it is."""
    for channel, (scale, offset) in enumerate(zip(codes.scale, codes.offset, strict=True)):
        for value in range(codes.low, codes.high + 1):
            real = scale * value + offset
            if apply(steps, channel, real) != real:
                return False
    return True


def _ones_and_zeros(tensor: Codes | Sums) -> tuple[list[Fraction], list[Fraction]]:
    channels = tensor.shape[2]
    return [Fraction(1)] * channels, [Fraction(0)] * channels


def _operand(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[int, list[Fraction]]:
    """(place, values per channel) of the constant that an operator of ARITHMETIC has on either side."""
    place = 1 if node.inputs[1] in constants else 0
    array = parameter(node, constants, place, "operand")
    return place, per_channel(node, tensor, array, "the constant")


def _mul(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    _, zeros = _ones_and_zeros(tensor)
    return (Affine(_operand(node, tensor, constants)[1], zeros),)


def _div(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    place, values = _operand(node, tensor, constants)
    if place == 0:
        node.refuse("divides by the activation, which is not linear", "division by a constant")
    if not all(values):
        node.refuse("divides by 0", "divisors that are not 0")
    quotient = Affine([1 / value for value in values], _ones_and_zeros(tensor)[1])
    # Integers are divided towards zero.
    return (quotient, unbounded(node, tensor, "DOWN", quotient)) if node.result in INTEGERS else (quotient,)


def _add(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    ones, _ = _ones_and_zeros(tensor)
    return (Affine(ones, _operand(node, tensor, constants)[1]),)


def _sub(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    place, values = _operand(node, tensor, constants)
    ones, _ = _ones_and_zeros(tensor)
    if place == 1:
        return (Affine(ones, [-value for value in values]),)
    return (Affine([-one for one in ones], values),)


def _neg(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    ones, zeros = _ones_and_zeros(tensor)
    return (Affine([-one for one in ones], zeros),)


def _relu(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    return (Clamp(Fraction(0), None),)


def _clip(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    low, high = (
        scalar(node, constants, place, "bound", finite=False)
        if node.has(place)
        else node.attributes.get(name)
        for place, name in enumerate(("min", "max"), 1)
    )
    if low != low or high != high:
        node.refuse(f"clips to {low}..{high}", "numbers")
    if low is not None and high is not None and low > high:
        node.refuse(f"clips to {low:g}..{high:g}", "a minimum below the maximum")
    return (Clamp(_finite(low), _finite(high)),)


def _finite(bound: float | None) -> Fraction | None:
    """The bound of a Clamp; infinity is none."""
    return None if bound is None or np.isinf(bound) else Fraction(bound)


def _leaky_relu(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    return _leaky(node, [Fraction(node.number("alpha"))] * tensor.shape[2])


def _prelu(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    return _leaky(node, per_channel(node, tensor, parameter(node, constants, 1, "slope"), "slope"))


def _leaky(node: Node, alpha: list[Fraction]) -> tuple[Step, ...]:
    if min(alpha) <= 0:
        node.refuse(f"its slope {float(min(alpha)):g} is not monotone", "slopes above 0")
    return (Leaky(alpha),)


def _batch_norm(node: Node, tensor: Codes | Sums, constants: Constants) -> tuple[Step, ...]:
    """BatchNormalization; the square root is the one operation that is rounded, to float64."""
    names = ("gamma", "beta", "mean", "var")
    arrays = [
        single(node, parameter(node, constants, place, name), name).ravel()
        for place, name in enumerate(names, 1)
    ]
    channels = tensor.shape[2]
    channel_first = "channels_last" not in node.domain
    dim = tensor.dims[0 if channel_first else -1]
    if dim not in (("C",), ()) or any(len(array) != channels for array in arrays):
        node.refuse(
            f"parameters of {', '.join(str(len(a)) for a in arrays)} elements for {channels} channels",
            "one element per channel",
        )
    epsilon = node.number("epsilon")
    total = arrays[3].astype(np.float64) + epsilon
    if not (total > 0).all():
        node.refuse(f"var + epsilon is {total.min():g}", "more than 0")
    norm = BatchNorm(**dict(zip(names, arrays, strict=True)), eps=epsilon)
    slope, offset = [], []
    for gamma, beta, mean, sigma in zip(
        norm.gamma.tolist(),
        norm.beta.tolist(),
        norm.mean.tolist(),
        norm.sigma.tolist(),
        strict=True,
    ):
        slope.append(Fraction(gamma) / Fraction(sigma))
        offset.append(Fraction(beta) - slope[-1] * Fraction(mean))
    return (Affine(slope, offset),)


# Operator -> its steps.
STEPS: dict[str, Callable[[Node, Codes | Sums, Constants], tuple[Step, ...]]] = {
    "Mul": _mul,
    "Div": _div,
    "Add": _add,
    "Sub": _sub,
    "Neg": _neg,
    "BatchNormalization": _batch_norm,
    "Relu": _relu,
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "Floor": rounded,
    "Ceil": rounded,
    "Round": rounded,
    "Cast": cast,
    "Trunc": trunc,
    "MultiThreshold": multi_threshold,
    **dict.fromkeys(QUANTIZERS, quant),
    "DequantizeLinear": dequantize_linear,
    "RequantShift": requant_shift,
}
