"""One layer of the float description, and the integer weights that its codes stand for."""

from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import InputError
from ..reading import shown
from .encoding import Encoding
from .geometry import Geometry
from .parts import BatchNorm, Pool, Rescale
from .quantized_layer import QuantizedLayer

# Of weights and of quantized activations; and of what a layer stores: with a zero point they may take more.
MAX_BITS, MAX_CODE_BITS = 8, 16
# `source` of a layer that reads the image; no layer has this name.
INPUT = "input"
# Results hold the trunk of a layer that has codes too under its name and this ending.
TRUNK = ".trunk"


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer(QuantizedLayer):
    """One convolution or fully connected layer with what follows it.

    encoding: an Encoding or its name.
    scale: float32 () or (Cout,); real weight = scale * v / (2^W - 1) for bipolar (Eq. 7 to 10:
        E for W = 1, else 1), scale * v for the others.
    weight: float32 master weights shaped like codes, or None. Inference never uses them.
    bias: float32 (Cout,) or None.
    a_bits: bits of the output activation codes; None for the last layer and for one that yields only
        its trunk (no clip, no quantizer).
    source: the earlier layer whose codes this one reads; None (or "") for the one before in the
        list, INPUT for the image.
    rescale: the accumulator becomes an integer t of a residual trunk with the real value
        rescale.scale * t, which goes on to norm, pool, clip and quantizer. scale and bias of the
        layer then do not enter its result: this integer rounding is what the network means.
    add: an earlier layer of the same shape and the same rescale.scale; its trunk (before pooling)
        is added to t.
    """

    scale: np.ndarray | np.float32
    encoding: Encoding = Encoding.BIPOLAR
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    norm: BatchNorm | None = None
    pool: Pool | None = None
    a_bits: int | None = None
    source: str | None = None
    rescale: Rescale | None = None
    add: str | None = None

    def __post_init__(self) -> None:
        checks.text(self.name, "layer name")
        if self.name == INPUT or self.name.endswith(TRUNK):
            raise InputError(
                f"layer name is {shown(self.name)}; accepted: any but {INPUT!r}, not ending in {TRUNK!r}"
            )
        where = f"layer {self.name}:"
        for name in ("source", "add"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(f"{where} {name} is {shown(value)}; accepted: a layer's name or None")
            _set(self, name, value or None)
        checks.choice(self.kind, f"{where} kind", ("conv", "fc"))
        _set(self, "encoding", Encoding.of(self.encoding, f"{where} encoding"))
        _set(self, "w_bits", checks.integer(self.w_bits, f"{where} w_bits", 1, MAX_BITS))
        if self.a_bits is not None:
            _set(self, "a_bits", checks.integer(self.a_bits, f"{where} a_bits", 1, MAX_BITS))
        self._check_arrays(where)
        _set(self, "kernel", self.codes.shape[1:3])
        self._normalize(where)
        self._check_combination(where)

    def _check_arrays(self, where: str) -> None:
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
            raise InputError(f"{where} scale has shape {scale.shape}; accepted: () or ({channels},)")
        _set(self, "scale", scale)
        if self.weight is not None:
            weight = checks.array(self.weight, f"{where} weight", "float32", codes.shape)
            _set(self, "weight", weight)
        if self.bias is not None:
            _set(self, "bias", checks.array(self.bias, f"{where} bias", "float32", (channels,)))
        if self.norm is not None and not isinstance(self.norm, BatchNorm):
            raise InputError(f"{where} norm is {shown(self.norm)}; accepted: a BatchNorm or None")
        if self.norm is not None and self.norm.gamma.shape != (channels,):
            raise InputError(f"{where} norm has shape {self.norm.gamma.shape}; accepted: ({channels},)")

    def _check_combination(self, where: str) -> None:
        if self.out_channels % self.groups:
            raise InputError(
                f"{where} groups is {self.groups}; accepted: a divisor of the {self.out_channels} "
                f"output channels ({self.out_channels} = {self.out_channels // self.groups} x "
                f"{self.groups} + {self.out_channels % self.groups})"
            )
        if self.pool is not None and not isinstance(self.pool, Pool):
            raise InputError(f"{where} pool is {shown(self.pool)}; accepted: a Pool or None")
        if self.pool is not None and self.a_bits is None:
            raise InputError(f"{where} pool is {self.pool.kind} with a_bits None; accepted: None")
        self._check_trunk(where)
        if self.kind == "fc":
            for name, value in (Geometry(kernel=(1, 1)).spacing | {"pool": None}).items():
                if getattr(self, name) != value:
                    raise InputError(f"{where} {name} is {getattr(self, name)}; accepted for fc: {value}")
            if self.kernel != (1, 1):
                raise InputError(
                    f"{where} codes has shape {self.codes.shape}; accepted for fc: (Cout, 1, 1, H * W * C)"
                )

    def _check_trunk(self, where: str) -> None:
        if self.rescale is None:
            if self.add is not None:
                raise InputError(f"{where} add is {shown(self.add)} without rescale; accepted: None")
        elif not isinstance(self.rescale, Rescale):
            raise InputError(f"{where} rescale is {shown(self.rescale)}; accepted: a Rescale or None")
        elif self.rescale.m.shape != (self.out_channels,):
            raise InputError(
                f"{where} rescale has shape {self.rescale.m.shape}; accepted: ({self.out_channels},)"
            )
        elif self.a_bits is None and self.norm is not None:
            raise InputError(f"{where} norm with rescale and a_bits None; accepted: None")
        bits = self.out_bits
        if self.pool is not None and bits is not None and bits > MAX_BITS:
            raise InputError(
                f"{where} pool sums {self.pool.area} codes of {self.a_bits} bits to {self.levels}, "
                f"{bits} bits; accepted: at most {MAX_BITS} bits"
            )

    @property
    def levels(self) -> int | None:
        """The stored output code that stands for 1.0; None without codes."""
        if self.a_bits is None:
            return None
        summed = self.pool.area if self.pool is not None and self.pool.kind == "average_codes" else 1
        return ((1 << self.a_bits) - 1) * summed

    @property
    def out_bits(self) -> int | None:
        """Bits of the stored output codes: a_bits unless pooling sums codes; None without codes."""
        levels = self.levels
        return None if levels is None else levels.bit_length()

    def __repr__(self) -> str:
        return self._line(self.a_bits)


# The way to normalize a field of a frozen dataclass on creation.
_set = object.__setattr__
