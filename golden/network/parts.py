"""The parts of a layer: pooling, batch normalization, the rounding into a residual trunk."""

from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..errors import InputError
from ..reading import shown
from .geometry import SIDES, Geometry

POOL_KINDS = ("max", "average", "average_codes")
# Limits of a Rescale: bits of |m|, of b with its sign, of the shift, of a trunk value with its sign.
M_BITS, B_BITS, MAX_SHIFT, MAX_TRUNK_BITS = 20, 48, 31, 32


@dataclass(frozen=True, kw_only=True)
class Pool(Geometry):
    """Pooling of every channel alone, windows without dilation; padding for max only: a padded place never
    wins.

    kind: "max"; "average", the mean in front of clip and quantizer; "average_codes", the mean of
    the quantized activations, kept exactly as the integer sum of their codes.
    """

    kind: str
    stride: tuple[int, int] = field()
    dilation: tuple[int, int] = field(init=False, repr=False, default=(1, 1))
    groups: int = field(init=False, repr=False, default=1)

    def __post_init__(self) -> None:
        checks.choice(self.kind, "pool: kind", POOL_KINDS)
        self._normalize("pool:")
        if self.kind != "max" and any(self.padding):
            raise InputError(
                f"pool: padding is {self.padding}; accepted for {self.kind} pooling: (0, 0, 0, 0)"
            )
        for side, pad in enumerate(self.padding):
            if pad >= self.kernel[side % 2]:
                raise InputError(
                    f"pool: padding {SIDES[side]} is {pad}; "
                    f"accepted: less than the kernel {self.kernel[side % 2]}"
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchNorm:
    """y = gamma * (x - mean) / sigma + beta, all float32 (Cout,); eps is rounded to float32.

    sigma is the correctly rounded float64 square root of float64(var) + float64(eps); the rest is
    exact arithmetic.
    """

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    eps: float

    def __post_init__(self) -> None:
        for name in ("gamma", "beta", "mean", "var"):
            _set(self, name, checks.array(getattr(self, name), f"norm: {name}", "float32"))
            if getattr(self, name).shape != self.gamma.shape or self.gamma.ndim != 1:
                raise InputError(
                    f"norm: {name} has shape {getattr(self, name).shape}; accepted: one axis, "
                    f"as long as gamma {self.gamma.shape}"
                )
        if not isinstance(self.eps, float | int | np.floating) or isinstance(self.eps, bool):
            raise InputError(f"norm: eps is {shown(self.eps)}; accepted: a finite number")
        with np.errstate(over="ignore"):
            _set(self, "eps", float(np.float32(self.eps)))
        checks.finite(np.asarray(self.eps), "norm: eps")
        total = self.var.astype(np.float64) + self.eps
        if not (total > 0).all():
            channel = int(np.argmin(total > 0))
            raise InputError(
                f"norm: var + eps is {total[channel]:g} (= {self.var[channel]:g} + {self.eps:g}) "
                f"in channel {channel}; accepted: more than 0"
            )

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviation, float64 (Cout,)."""
        return np.sqrt(self.var.astype(np.float64) + self.eps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rescale:
    """From the accumulator to a residual trunk: t = round_half_even((m * acc + b) / 2^f).

    m, b: int64 (Cout,), |m| < 2^20, b in 48 signed bits; f: 0..31, one for all channels. scale:
    float32 (), more than 0: the real value of t is scale * t. bits: signed bits, 2..32, that every
    trunk value must fit, also after an addition.
    """

    m: np.ndarray
    b: np.ndarray
    f: int
    scale: np.ndarray | np.float32
    bits: int = 16

    def __post_init__(self) -> None:
        _set(self, "m", checks.array(self.m, "rescale: m", "int64"))
        if self.m.ndim != 1:
            raise InputError(f"rescale: m has shape {self.m.shape}; accepted: (Cout,)")
        _set(self, "b", checks.array(self.b, "rescale: b", "int64", self.m.shape))
        _within(self.m, "rescale: m", 1 - (1 << M_BITS), (1 << M_BITS) - 1)
        _within(self.b, "rescale: b", -(1 << (B_BITS - 1)), (1 << (B_BITS - 1)) - 1)
        _set(self, "f", checks.integer(self.f, "rescale: f", 0, MAX_SHIFT))
        _set(self, "scale", checks.array(self.scale, "rescale: scale", "float32", ()))
        if not self.scale > 0:
            raise InputError(f"rescale: scale is {self.scale}; accepted: more than 0")
        _set(self, "bits", checks.integer(self.bits, "rescale: bits", 2, MAX_TRUNK_BITS))

    @property
    def trunk_range(self) -> tuple[int, int]:
        """Least and greatest trunk value."""
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1


def _within(values: np.ndarray, where: str, low: int, high: int) -> None:
    """Refuses an array with a value outside of low..high and says where the first one is."""
    bad = (values < low) | (values > high)
    if bad.any():
        channel = int(np.argmax(bad))
        raise InputError(f"{where} is {values[channel]} in channel {channel}; accepted: {low}..{high}")


# The way to normalize a field of a frozen dataclass on creation.
_set = object.__setattr__
