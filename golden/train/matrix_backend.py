"""The quantized part of a training step as matrix products over the whole batch: exact, and the fastest here.

A product of integers in floating point is exact, whatever the order of its sums, as long as the bound of the
sums fits the mantissa: 24 bits of float32, else 53 of float64.
"""

import numpy as np

from ..backward.shape import ConvolutionShape
from .golden_quantizers import GoldenQuantizers
from .layers import convolve, convolve_backward_input, convolve_backward_weights, patches_of

# Greatest magnitude up to which float32 holds every integer.
_EXACT = 1 << 24


class MatrixBackend(GoldenQuantizers):
    """A :class:`.backend.Backend`. `noise_seed`: seed of the gradient quantizer's noise, None to round to
    nearest. `keep`: whether the windows of a layer's activations, and its weights as numbers, are kept from
    its forward to its backward pass, at the price of their memory."""

    def __init__(self, noise_seed: int | None, keep: bool = True):
        super().__init__(noise_seed)
        self._keep = keep
        # By layer: codes, and what they became.
        self._windows: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._weights: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._gradients = (np.empty(0, np.uint8), np.empty(0))

    def forward(self, shape: ConvolutionShape, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """See :class:`.backend.Backend`; float32 or float64."""
        dtype = _exact_dtype(_levels(shape.w_bits) * _levels(shape.a_bits) * weights[0].size)
        values = bipolar(weights, shape.w_bits, dtype)
        sums, patches = convolve(activations.astype(dtype), values, shape)
        if self._keep:
            self._windows[shape.name] = activations, patches
            self._weights[shape.name] = weights, values
        return sums

    def backward_input(
        self, shape: ConvolutionShape, gradients: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """See :class:`.backend.Backend`; float32 or float64."""
        terms = shape.area * shape.channels // shape.groups
        dtype = _exact_dtype(_levels(shape.w_bits) * _levels(shape.g_bits) * terms)
        kept, values = self._weights.pop(shape.name, (None, None))
        if kept is not weights or values is None or values.dtype != dtype:
            values = bipolar(weights, shape.w_bits, dtype)
        in_shape = (len(gradients), *shape.in_shape)
        return convolve_backward_input(self._values(shape, gradients, dtype), values, in_shape, shape)

    def backward_weight(
        self, shape: ConvolutionShape, gradients: np.ndarray, scales: np.ndarray, activations: np.ndarray
    ) -> np.ndarray:
        """See :class:`.backend.Backend`; float32 or float64."""
        pixels = gradients.shape[1] * gradients.shape[2]
        # What the sums of a sample with scale 1 may reach, and the scales that may be added below _EXACT.
        bound = pixels * _levels(shape.g_bits) * _levels(shape.a_bits)
        room = _EXACT // bound
        patches = self._patches(shape, activations, np.float32 if room else np.float64)
        values = self._values(shape, gradients, patches.dtype.type)
        if patches.dtype == np.float64:
            values = values * scales.reshape(-1, 1, 1, 1)
            return convolve_backward_weights(values, patches, shape)
        if room < scales.max(initial=0):
            return _by_sample(shape, values, scales, patches)
        values = values * scales.reshape(-1, 1, 1, 1).astype(np.float32)
        chunks = _chunks(scales, room)
        if len(chunks) == 1:
            return convolve_backward_weights(values, patches, shape)
        total = np.zeros(shape.weights_shape)
        for part in chunks:
            rows = slice(part.start * pixels, part.stop * pixels)
            total += convolve_backward_weights(values[part], patches[:, rows], shape)
        return total

    def _values(self, shape: ConvolutionShape, gradients: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        """Gradients as numbers, which both backward convolutions of a layer read."""
        kept, values = self._gradients
        if kept is not gradients or values.dtype != dtype:
            values = bipolar(gradients, shape.g_bits, dtype)
            self._gradients = gradients, values
        return values

    def _patches(self, shape: ConvolutionShape, activations: np.ndarray, dtype: type) -> np.ndarray:
        """The windows of `activations`, in `dtype` or a wider type."""
        kept, patches = self._windows.pop(shape.name, (None, None))
        if kept is not activations or patches is None:
            patches = patches_of(activations.astype(dtype), shape)
        return patches.astype(np.promote_types(patches.dtype, dtype), copy=False)


def bipolar(codes: np.ndarray, bits: int, dtype: type[np.floating]) -> np.ndarray:
    """``2 code - n`` in `dtype`."""
    values = codes.astype(dtype)
    values *= 2
    values -= _levels(bits)
    return values


def _levels(bits: int) -> int:
    return (1 << bits) - 1


def _exact_dtype(bound: int) -> type[np.floating]:
    """The type whose sums up to `bound` are exact; none here comes near 2^53."""
    return np.float32 if bound <= _EXACT else np.float64


def _by_sample(
    shape: ConvolutionShape, values: np.ndarray, scales: np.ndarray, patches: np.ndarray
) -> np.ndarray:
    """``sum of k sum(v a)`` with a product for every sample, for sums that leave no room for scales."""
    batch, groups = len(values), shape.groups
    columns = values.reshape(batch, -1, groups, shape.channels // groups).transpose(2, 0, 3, 1)
    sums = columns @ patches.reshape(groups, batch, -1, patches.shape[2])
    total = np.tensordot(sums.astype(np.float64), scales.astype(np.float64), (1, 0))
    return total.reshape(shape.weights_shape)


def _chunks(scales: np.ndarray, room: int) -> list[slice]:
    """Consecutive samples whose scales add up to at most `room`, which no single one exceeds."""
    chunks, start, total = [], 0, 0
    for sample, scale in enumerate(scales.tolist()):
        if total + scale > room:
            chunks.append(slice(start, sample))
            start, total = sample, 0
        total += scale
    return [*chunks, slice(start, len(scales))]
