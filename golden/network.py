"""The float description of a network: what it means is exact arithmetic on these numbers.

A layer computes, in this order: convolution (or fully connected), + bias, batch normalization,
pooling, clip to [0, 1], quantize to `a_bits`. The real value of an input code is
code / (2^input_bits - 1), of an activation code / (2^a_bits - 1). Images are NHWC.
"""

from dataclasses import dataclass

import numpy as np

from . import checks
from .errors import InputError
from .shapes import layer_shapes

ENCODINGS = ("bipolar", "twos_complement", "unsigned")
MAX_BITS = 8


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Pooling: `kind` "max" or "average"; kernel and stride (h, w); padding top, left, bottom,
    right (max only; a padded place never wins). Output sizes round down."""

    kind: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self):
        checks.choice(self.kind, "pool: kind", ("max", "average"))
        _set(self, "kernel", checks.integers(self.kernel, "pool: kernel", "hw", 1))
        _set(self, "stride", checks.integers(self.stride, "pool: stride", "hw", 1))
        _set(self, "padding", checks.integers(self.padding, "pool: padding", _SIDES, 0))
        if self.kind == "average" and any(self.padding):
            raise InputError(
                f"pool: padding is {self.padding}; accepted for average pooling: (0, 0, 0, 0)"
            )
        for side, pad in enumerate(self.padding):
            if pad >= self.kernel[side % 2]:
                raise InputError(
                    f"pool: padding {_SIDES[side]} is {pad}; "
                    f"accepted: less than the kernel {self.kernel[side % 2]}"
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchNorm:
    """y = gamma * (x - mean) / sigma + beta, all float32 (Cout,).

    sigma is the correctly rounded float64 square root of float64(var) + float64(eps); the rest is
    exact arithmetic.
    """

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    eps: float

    def __post_init__(self):
        for name in ("gamma", "beta", "mean", "var"):
            _set(self, name, checks.array(getattr(self, name), f"norm: {name}", "float32"))
            if getattr(self, name).shape != self.gamma.shape or self.gamma.ndim != 1:
                raise InputError(
                    f"norm: {name} has shape {getattr(self, name).shape}; accepted: one axis, "
                    f"as long as gamma {self.gamma.shape}"
                )
        if not isinstance(self.eps, float | int | np.floating) or isinstance(self.eps, bool):
            raise InputError(f"norm: eps is {self.eps!r}; accepted: a finite number")
        _set(self, "eps", float(self.eps))
        checks.finite(np.asarray(self.eps), "norm: eps")
        total = self.var.astype(np.float64) + self.eps
        if not (total > 0).all():
            channel = int(np.argmin(total > 0))
            raise InputError(
                f"norm: var + eps is {total[channel]:g} (= {self.var[channel]:g} + {self.eps:g}) "
                f"in channel {channel}; accepted: more than 0"
            )

    @property
    def sigma(self):
        """Standard deviation, float64 (Cout,)."""
        return np.sqrt(self.var.astype(np.float64) + self.eps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One convolution or fully connected layer with what follows it.

    codes: uint8 (Cout, Kh, Kw, Cin / groups); fc: (Cout, 1, 1, H * W * C), input flattened NHWC.
    encoding: integer weight v of a code q of W bits: "bipolar" v = 2q - (2^W - 1);
        "twos_complement" the signed value of q; "unsigned" v = q.
    scale: float32 () or (Cout,); real weight = scale * v / (2^W - 1) for bipolar (Eq. 7 to 10:
        E for W = 1, else 1), scale * v for the others.
    weight: float32 master weights shaped like codes, or None. Inference never uses them.
    bias: float32 (Cout,) or None. padding: top, left, bottom, right, with value 0.
    a_bits: bits of the output activation codes; None for the last layer (no clip, no quantizer).
    """

    name: str
    kind: str
    codes: np.ndarray
    w_bits: int
    scale: np.ndarray
    encoding: str = "bipolar"
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)
    norm: BatchNorm | None = None
    pool: Pool | None = None
    a_bits: int | None = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name or not self.name.isprintable():
            raise InputError(f"layer name is {self.name!r}; accepted: printable text, not empty")
        where = f"layer {self.name}:"
        checks.choice(self.kind, f"{where} kind", ("conv", "fc"))
        checks.choice(self.encoding, f"{where} encoding", ENCODINGS)
        _set(self, "w_bits", checks.integer(self.w_bits, f"{where} w_bits", 1, MAX_BITS))
        if self.a_bits is not None:
            _set(self, "a_bits", checks.integer(self.a_bits, f"{where} a_bits", 1, MAX_BITS))
        _set(self, "stride", checks.integers(self.stride, f"{where} stride", "hw", 1))
        _set(self, "dilation", checks.integers(self.dilation, f"{where} dilation", "hw", 1))
        _set(self, "padding", checks.integers(self.padding, f"{where} padding", _SIDES, 0))
        _set(self, "groups", checks.integer(self.groups, f"{where} groups", 1))
        self._check_arrays(where)
        self._check_combination(where)

    def _check_arrays(self, where):
        codes = checks.array(self.codes, f"{where} codes", "uint8")
        if codes.ndim != 4 or 0 in codes.shape:
            raise InputError(
                f"{where} codes has shape {codes.shape}; "
                "accepted: (Cout, Kh, Kw, Cin / groups), none of them 0"
            )
        checks.codes(codes, f"{where} codes", self.w_bits)
        _set(self, "codes", codes)
        channels = codes.shape[0]
        scale = checks.array(self.scale, f"{where} scale", "float32")
        if scale.shape not in ((), (channels,)):
            raise InputError(
                f"{where} scale has shape {scale.shape}; accepted: () or ({channels},)"
            )
        _set(self, "scale", scale)
        if self.weight is not None:
            weight = checks.array(self.weight, f"{where} weight", "float32", codes.shape)
            _set(self, "weight", weight)
        if self.bias is not None:
            _set(self, "bias", checks.array(self.bias, f"{where} bias", "float32", (channels,)))
        if self.norm is not None and not isinstance(self.norm, BatchNorm):
            raise InputError(f"{where} norm is {self.norm!r}; accepted: a BatchNorm or None")
        if self.norm is not None and self.norm.gamma.shape != (channels,):
            raise InputError(
                f"{where} norm has shape {self.norm.gamma.shape}; accepted: ({channels},)"
            )

    def _check_combination(self, where):
        if self.out_channels % self.groups:
            raise InputError(
                f"{where} groups is {self.groups}; accepted: a divisor of the {self.out_channels} "
                f"output channels ({self.out_channels} = {self.out_channels // self.groups} x "
                f"{self.groups} + {self.out_channels % self.groups})"
            )
        if self.pool is not None and not isinstance(self.pool, Pool):
            raise InputError(f"{where} pool is {self.pool!r}; accepted: a Pool or None")
        if self.pool is not None and self.a_bits is None:
            raise InputError(f"{where} pool is {self.pool.kind} with a_bits None; accepted: None")
        if self.kind == "fc":
            fixed = {"stride": (1, 1), "padding": (0, 0, 0, 0), "groups": 1, "dilation": (1, 1)}
            for name, value in (fixed | {"pool": None}).items():
                if getattr(self, name) != value:
                    raise InputError(
                        f"{where} {name} is {getattr(self, name)}; accepted for fc: {value}"
                    )
            if self.codes.shape[1:3] != (1, 1):
                raise InputError(
                    f"{where} codes has shape {self.codes.shape}; "
                    "accepted for fc: (Cout, 1, 1, H * W * C)"
                )

    @property
    def out_channels(self):
        """Number of output channels."""
        return self.codes.shape[0]

    @property
    def values(self):
        """Integer weights v of the codes, int16, shaped like codes."""
        return weight_values(self.codes, self.w_bits, self.encoding)


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A chain of layers on images of `input_shape` (H, W, C), codes of `input_bits` bits.

    Everything is checked on creation; InputError names the layer and the parameter.
    """

    name: str
    input_shape: tuple[int, int, int]
    input_bits: int
    layers: tuple[Layer, ...]

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name or not self.name.isprintable():
            raise InputError(f"network name is {self.name!r}; accepted: printable text, not empty")
        where = f"network {self.name}:"
        shape = checks.integers(self.input_shape, f"{where} input_shape", "HWC", 1)
        _set(self, "input_shape", shape)
        bits = checks.integer(self.input_bits, f"{where} input_bits", 1, MAX_BITS)
        _set(self, "input_bits", bits)
        _set(self, "layers", tuple(self.layers))
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise InputError(f"{where} layers is {self.layers!r}; accepted: one or more Layer")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"layer {name}: the name is used {names.count(name)} times; "
                                 "accepted: each name once")
        _set(self, "shapes", self._shapes())
        self._check_ends()

    def _shapes(self):
        shapes = []
        shape = self.input_shape
        for layer in self.layers:
            shapes.append(layer_shapes(layer, shape))
            shape = shapes[-1].out_shape
        return tuple(shapes)

    def _check_ends(self):
        for layer in self.layers[:-1]:
            if layer.a_bits is None:
                raise InputError(
                    f"layer {layer.name}: a_bits is None; accepted before the last layer: 1..8"
                )
        last = self.layers[-1]
        if last.a_bits is not None:
            raise InputError(
                f"layer {last.name}: a_bits is {last.a_bits}; accepted for the last layer: None"
            )
        if self.shapes[-1].out_shape[:2] != (1, 1):
            height, width, _ = self.shapes[-1].out_shape
            raise InputError(
                f"layer {last.name}: output is {height}x{width} pixels; "
                "accepted for the last layer: 1x1"
            )

    @property
    def classes(self):
        """Number of outputs of the last layer."""
        return self.layers[-1].out_channels


def weight_values(codes, w_bits, encoding):
    """Integer weights v of uint8 `codes` (any shape), int16: see `Layer` for the encodings."""
    codes = codes.astype(np.int16)
    if encoding == "bipolar":
        return 2 * codes - ((1 << w_bits) - 1)
    if encoding == "twos_complement":
        return codes - ((codes >> (w_bits - 1)) << w_bits)
    return codes


_SIDES = ("top", "left", "bottom", "right")
# The way to normalize a field of a frozen dataclass on creation.
_set = object.__setattr__
