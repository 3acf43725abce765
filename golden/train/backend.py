"""What computes the quantized part of a training step: the three convolutions and both quantizers."""

from typing import Protocol

import numpy as np

from ..backward.shape import ConvolutionShape


class Backend(Protocol):
    """One operation of a step per method, each for one layer and the whole batch. Weight and gradient codes
    are bipolar, ``v = 2 code - n``; activation codes unsigned. All arrays are NHWC; all sums are exact
    integers, in whatever dtype."""

    def quantize_weights(self, shape: ConvolutionShape, weights: np.ndarray) -> tuple[np.ndarray, np.float32]:
        """(codes uint8, scale) of float32 weights, Eq. 7 and 9; the real weight is scale v / n."""

    def forward(self, shape: ConvolutionShape, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """``sum(v_w a)``, (N, Ho, Wo, Cout), of activation codes (N, H, W, C) and weight codes."""

    def quantize_gradients(
        self, shape: ConvolutionShape, index: int, step: int, words: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(codes uint8, scale k of every sample int64) of int16 words (N, Ho, Wo, Cout); the noise is that of
        layer `index` in step `step`. See :mod:`dorefa.golden.quantizers.gradient`."""

    def backward_input(
        self, shape: ConvolutionShape, gradients: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """``sum(v_g v_w)``, (N, H, W, C)."""

    def backward_weight(
        self, shape: ConvolutionShape, gradients: np.ndarray, scales: np.ndarray, activations: np.ndarray
    ) -> np.ndarray:
        """``sum over samples of k sum(v_g a)``, shaped like the weights."""
