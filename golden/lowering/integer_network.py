"""What lowering produces: a network in integers, ready for integer golden and for hardware."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..network.encoding import Encoding
from ..network.quantized_layer import QuantizedLayer
from ..network.quantized_network import QuantizedNetwork
from ..network.results import Result
from ..network.shapes import macs


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerLayer(QuantizedLayer):
    """One layer in integers: count = sum(value >= T_t), or n_out - sum where `inverted`.

    acc is sum(v * a) over the kernel, v the integer weight of a code (see Encoding) and a
    the input code. Without rescale the value is acc; with rescale it is the trunk
    t = round_half_even((m * acc + b) / 2^f), plus the trunk of the layer `add`. Average pooling sums
    the value over its window, max pooling and average_codes take counts. The stored code is
    (code_step * count + code_offset) mod 2^out_bits, which is the count itself by default. With a `block`
    (rows, columns) the channels of a pixel are the pixels of a block of the map that is stored.

    codes: uint8 (Cout, Kh, Kw, Cin / groups); bipolar channels of negative slope are already
        complemented (q -> 2^w_bits - 1 - q, so acc -> -acc), the last layer and layers with rescale
        never are.
    in_shape, conv_shape, out_shape: (H, W, C); for fc (1, 1, H * W * C) and (1, 1, Cout).
    source: position of the layer whose codes are read, -1 the image; a_bits: bits of these codes;
        levels: their code that stands for 1.0, which is the largest; a_signed: they are two's
        complement. Padding is the value 0 always.
    rescale: None, or m, b, f of the trunk, see Rescale; add: position of the layer whose
        trunk is added, or None; trunk: whether a later layer adds this one's trunk, which has
        conv_shape.
    code_bits: bits of the quantizer's codes; out_bits: bits of the stored codes, more than
        code_bits for average_codes, whose stored code is the sum over the window. None for the last
        layer and for one that yields only its trunk.
    code_step, code_offset: from counts to stored codes. A negative offset makes them two's
        complement (`out_signed`): signed k bits have the offset -2^(k-1), narrow ones one more,
        bipolar activations the step 2, the offset -1 and out_bits 2.
    acc_min, acc_max: Python ints, bounds of acc of one pixel over all inputs and channels; 0 is
        between them.
    value_min, value_max: Python ints, bounds of what the thresholds see.
    thresholds: int64 (Cout, 2^code_bits - 1), nondecreasing along t, saturated to
        [value_min, value_max + 1]; None without codes.
    inverted: bool (Cout,), true for channels of negative slope that are not complemented.
    slope, offset: lists of Fraction, (2^code_bits - 1) * z = slope * value + offset with z the real
        value before the clip; slope is negative only where inverted. None without codes and in
        imported networks, whose thresholds need not come from one affine map.
    block: (rows, columns); channel (i * columns + j) * C + c of pixel (y, x) is stored as channel c of pixel
        (rows * y + i, columns * x + j), C = Cout / (rows * columns). (1, 1) without codes.
    logit_scale, logit_bias: float64 (Cout,), logit = scale * acc + bias, of a layer whose accumulators are a
        result: one without codes and rescale, as the last layer is.
    """

    in_shape: tuple[int, int, int]
    conv_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    source: int
    a_bits: int
    levels: int
    add: int | None
    trunk: bool
    code_bits: int | None
    out_bits: int | None
    acc_min: int
    acc_max: int
    value_min: int
    value_max: int
    thresholds: np.ndarray | None
    inverted: np.ndarray
    slope: list[Fraction] | None
    offset: list[Fraction] | None
    logit_scale: np.ndarray | None
    logit_bias: np.ndarray | None
    a_signed: bool = False
    code_step: int = 1
    code_offset: int = 0
    block: tuple[int, int] = (1, 1)

    crops = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", self.codes.shape[1:3])
        object.__setattr__(self, "encoding", Encoding.of(self.encoding, f"layer {self.name}: encoding"))
        self._normalize(f"layer {self.name}:")

    @property
    def out_signed(self) -> bool:
        """Whether the stored codes are two's complement."""
        return self.code_offset < 0

    @property
    def is_result(self) -> bool:
        """Whether its accumulators are a result of the network."""
        return self.code_bits is None and self.rescale is None

    @property
    def pooled_shape(self) -> tuple[int, int, int]:
        """(H, W, Cout) before the channels of a pixel become those of a block."""
        (height, width, channels), (rows, columns) = self.out_shape, self.block
        return height // rows, width // columns, channels * rows * columns

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image, padded window positions included.

        Convolution pixels that no pooling window and no trunk keeps do not count.
        """
        return macs(self, self.conv_shape, self.pooled_shape, self.trunk)

    def __repr__(self) -> str:
        return self._line(self.code_bits)


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork(QuantizedNetwork):
    """Integer layers in topological order on uint8 images (H, W, C) of codes below 2^input_bits.

    input_signed: the codes are two's complement of input_bits bits. image_zero: the zero point of images
    whose integers minus it have no code of 8 bits: the codes are the integers themselves then. results: what
    leaves the network, by default the accumulators of the last layer under its name. notes: sentences on what
    was taken for granted of its file.
    """

    layers: tuple[IntegerLayer, ...]
    input_signed: bool = False
    image_zero: int = 0
    results: tuple[Result, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.results:
            last = len(self.layers) - 1
            object.__setattr__(self, "results", (Result.of_layer(self.layers[last].name, last),))

    @property
    def result_layers(self) -> list[int]:
        """Positions of the layers whose accumulators are results, in the order in which they leave."""
        return [index for index, layer in enumerate(self.layers) if layer.is_result]

    @property
    def score_count(self) -> int:
        """Classes, where there is one result with one number for each; else 0."""
        (first, *others) = self.results
        of_pixels = any(self.layers[index].out_shape[:2] != (1, 1) for index in first.layers)
        if others or of_pixels or first.block != (1, 1):
            return 0
        return sum(self.layers[part[0].layer].out_channels for part in first.parts)

    def __repr__(self) -> str:
        return self._line(layer.code_bits for layer in self.layers)
