"""The one immutable description of an engine: every size that generation fixes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dorefa.golden.errors import InputError

from .checks import check_config

# Parameters of what most engines do not have: the Verilog of these does not name them.
OPTIONAL = ("results", "training", "size_bits", "kernel_bits", "row_steps")


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Sizes of one engine. All integers; none needs to be a power of two except `fetch_bits` and
    `patch_slots`.

    The array makes `rows` x `cols` dot products of `lanes` one-bit products per cycle
    (:attr:`binary_ops_per_cycle`). `w_bits` and `a_bits` are the widest operands a layer may ask
    for at run time; `out_bits` is the widest activation the quantizer writes. The feature memory has
    ``ceil(a_bits / plane_groups)`` planes (:attr:`fetch_planes`): a wider image lies in several groups
    of planes, one behind the other, and its windows are read group after group. Planes from `out_bits`
    up hold only the image and are `image_depth` deep.

    A map has at most ``2^size_bits - 1`` rows and columns, and a kernel or a pooling window at most
    ``2^kernel_bits - 1``. With `row_steps` a pass may write every r-th row of a map.

    `encoding` says which weights the engine accepts: ``bipolar`` (XNOR planes, the correction is a
    constant folded into the thresholds), ``unsigned`` and ``twos_complement`` (AND planes, the
    latter accepts unsigned too) or ``any`` (AND planes and an activation-sum row; each layer
    chooses).

    With `column_reads` ``shared`` the window reader fetches what the windows of several columns share once.
    With `trunks` ``stream`` residual trunks leave the engine as they are made and come back when they are
    added; `trunk_depth` is then the depth of each of two queues. With `training` 1 an engine also runs the
    jobs of training steps and has the quantizers of gradients and weights.

    With `results` ``wide`` a group of sums leaves in a beat, otherwise one sum.

    `checks` says what the engine watches over beside its computing: ``full``, or ``basic`` without the
    checksum of what was loaded, or ``none`` (:mod:`dorefa.hw.interface.faults`).

    Raises :class:`InputError` that names the parameter, its value and what is accepted.
    """

    lanes: int = 64
    rows: int = 32
    cols: int = 1
    engines: int = 1
    w_bits: int = 1
    a_bits: int = 8
    out_bits: int = 2
    plane_groups: int = 1
    encoding: str = "bipolar"
    quantizer: str = "thresholds"
    quant: int = 4
    fetch_bits: int = 32
    acc_bits: int = 20
    mul_bits: int = 16
    bias_bits: int = 40
    shift_bits: int = 5
    weight_depth: int = 1024
    feature_depth: int = 2048
    image_depth: int = 256
    patch_depth: int = 72
    patch_slots: int = 4
    image_patch_depth: int = 8
    param_depth: int = 256
    pool_depth: int = 128
    pool_slots: int = 1
    line_depth: int = 256
    sum_values: int = 0
    sum_codes: int = 0
    signed_codes: int = 0
    trunk_bits: int = 0
    trunk_depth: int = 1
    trunk_mul_bits: int = 17
    trunk_bias_bits: int = 40
    layer_depth: int = 16
    size_bits: int = 10
    kernel_bits: int = 6
    row_steps: int = 0
    prefetch: int = 1
    structure: str = "compress"
    pipeline: str = "none"
    port_bytes: int = 1
    weights: str = "onchip"
    trunks: str = "onchip"
    column_reads: str = "separate"
    results: str = "single"
    batch: int = 1
    training: int = 0
    checks: str = "full"

    def __post_init__(self) -> None:
        check_config(self)

    @property
    def binary_ops_per_cycle(self) -> int:
        """One-bit products counted per cycle: lanes x rows x cols x engines."""
        return self.lanes * self.total_rows * self.cols

    @property
    def total_rows(self) -> int:
        """Output channels computed at once by all engines."""
        return self.engines * self.rows

    @property
    def total_quant(self) -> int:
        """Channels quantized per cycle by all engines."""
        return self.engines * self.quant

    @property
    def xnor(self) -> bool:
        """Whether the dot units count XNOR instead of AND products."""
        return self.encoding == "bipolar"

    @property
    def trunk_memory(self) -> bool:
        """Whether residual trunks lie in a memory of the engine."""
        return self.trunk_bits > 0 and self.trunks == "onchip"

    @property
    def phase_bits(self) -> int:
        """Bits of a pixel's place in the period of a pooling window, signed, and two more."""
        return self.kernel_bits + 3

    @property
    def inverts(self) -> bool:
        """Whether the quantizer can invert a channel's code: bipolar weights take a negative slope into
        their codes, unless a trunk stands between."""
        return not self.xnor or self.trunk_bits > 0

    @property
    def signed_planes(self) -> bool:
        """Whether pairs with a layer's top weight or activation plane may count negatively."""
        return self.encoding in ("twos_complement", "any") or self.signed_codes > 0

    @property
    def sum_row(self) -> bool:
        """Whether the array has the activation-sum row that corrects bipolar weights."""
        return self.encoding == "any"

    @property
    def stored_bits(self) -> int:
        """Bits of a pooled code on its way to the feature memory: those of sums where codes are
        summed."""
        return self.a_bits if self.sum_codes else self.out_bits

    @property
    def fetch_planes(self) -> int:
        """Planes of the feature memory, which are read together."""
        return -(-self.a_bits // self.plane_groups)

    @property
    def image_planes(self) -> int:
        """Planes of the feature memory that only the input image uses."""
        return self.fetch_planes - self.out_bits

    @property
    def subwords(self) -> int:
        """Pieces of at most `fetch_bits` bits that make one patch word of `lanes` bits."""
        return -(-self.lanes // self.fetch_bits)

    @property
    def feature_address_bits(self) -> int:
        """Bits of the address of one bit within a feature-memory plane."""
        return (self.feature_depth * self.fetch_bits - 1).bit_length()

    @property
    def guarded(self) -> bool:
        """Whether the engine watches over its program, its streams and its host."""
        return self.checks != "none"

    @property
    def checksum(self) -> bool:
        """Whether the engine has a checksum of what was loaded."""
        return self.checks == "full"

    @property
    def pass_bits(self) -> int:
        """Bits of the number of a pass, which packets of weights and trunks carry."""
        return max(1, (self.layer_depth - 1).bit_length())

    @property
    def image_bytes_bits(self) -> int:
        """Bits of the number of bytes of a packet: the feature memory holds images, one bit per plane each;
        packets of words may be longer."""
        return 32 if self.training else (self.feature_depth * self.fetch_bits).bit_length()

    @property
    def gradient_lanes(self) -> int:
        """Gradient words of 16 bits that a beat of the image port holds."""
        return self.port_bytes // 2

    @property
    def weight_lanes(self) -> int:
        """Float32 weights that a beat of the image port holds."""
        return self.port_bytes // 4

    @property
    def result_bits(self) -> int:
        """Bits of a sum on the result port: 32, or 64 where accumulators need it."""
        return 32 if self.acc_bits <= 32 else 64

    def replace(self, **changes: Any) -> EngineConfig:
        """A copy with some parameters changed, checked again."""
        unknown = sorted(set(changes) - {field.name for field in dataclasses.fields(self)})
        if unknown:
            raise InputError(
                f"unknown engine parameter {unknown[0]!r}; accepted: "
                + ", ".join(field.name for field in dataclasses.fields(self))
            )
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, int | str]:
        """Parameters by name, in declaration order."""
        return dataclasses.asdict(self)

    def summary(self) -> dict[str, int | str]:
        """Parameters for the head of a Verilog file: all but those of :data:`OPTIONAL` that are not used."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return {
            name: value
            for name, value in self.as_dict().items()
            if name not in OPTIONAL or value != defaults[name]
        }


PRESETS = {
    "default": EngineConfig(),
    # The smallest reader: image planes two by two. Made for a fabric's own popcount (--target).
    "lean": EngineConfig(
        plane_groups=4,
        fetch_bits=16,
        structure="mapped",
        pipeline="level2",
        acc_bits=22,
        pool_depth=128,
        param_depth=512,
    ),
    "tiny": EngineConfig(
        lanes=16,
        rows=4,
        a_bits=2,
        quant=1,
        fetch_bits=16,
        acc_bits=14,
        weight_depth=256,
        feature_depth=256,
        image_depth=16,
        patch_depth=36,
        param_depth=64,
        layer_depth=8,
    ),
    "wide": EngineConfig(
        lanes=256, rows=32, quant=8, fetch_bits=64, weight_depth=512, patch_depth=18, port_bytes=4
    ),
    "fixed_point": EngineConfig(
        w_bits=8,
        out_bits=8,
        encoding="any",
        quantizer="affine",
        acc_bits=28,
        mul_bits=24,
        bias_bits=52,
        weight_depth=4096,
    ),
}


def preset(name: str) -> EngineConfig:
    """The named configuration; :class:`InputError` lists the names when there is none."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; accepted: {', '.join(PRESETS)}")
    return PRESETS[name]


def pool_spacing(config: EngineConfig) -> int:
    """Cycles from a group of channels to the same one of the next pixel that pooling asks for."""
    return 1 if config.cols > 1 else 4
