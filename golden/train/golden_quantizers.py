"""The quantizers of a training step in NumPy: what the engine's units compute, to the bit."""

import numpy as np

from ..backward.shape import ConvolutionShape
from ..quantizers.dorefa import quantize_weights
from ..quantizers.gradient import quantize_words
from ..quantizers.noise import noise_bytes


class GoldenQuantizers:
    """The two quantizers of a :class:`.backend.Backend`. `noise_seed`: seed of the gradient quantizer's
    noise, None to round to nearest."""

    def __init__(self, noise_seed: int | None):
        self.noise_seed = noise_seed

    def quantize_weights(self, shape: ConvolutionShape, weights: np.ndarray) -> tuple[np.ndarray, np.float32]:
        """See :class:`.backend.Backend`."""
        return quantize_weights(weights, shape.w_bits)

    def quantize_gradients(
        self, shape: ConvolutionShape, index: int, step: int, words: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`.backend.Backend`."""
        noise = None
        if self.noise_seed is not None:
            count = words[0].size
            noise = noise_bytes(self.noise_seed, step, index, len(words), count).reshape(words.shape)
        return quantize_words(words, shape.g_bits, noise)
