"""The convolutions of a training step as jobs, for whatever runs jobs: bit planes, the engine."""

from collections.abc import Callable
from functools import cache

import numpy as np

from ..backward.forward import Forward
from ..backward.input import BackwardInput
from ..backward.job import Runner
from ..backward.shape import ConvolutionShape
from ..backward.weight import BackwardWeight, WeightForm
from .golden_quantizers import GoldenQuantizers

# Form of a layer's weight gradients for a batch.
Choice = Callable[[ConvolutionShape, int], WeightForm]

# A kernel of fewer pixels leaves most lanes of a dot unit idle.
_FEW_PIXELS = 16

# Jobs depend on shapes alone: made once, used in every step.
_forward = cache(Forward)
_backward_input = cache(BackwardInput)
_backward_weight = cache(BackwardWeight)


def form_by_pixels(shape: ConvolutionShape, batch: int) -> WeightForm:
    """B for several samples with gradient maps of fewer than 16 pixels, else P; who knows the array
    compares cycles instead."""
    rows, columns, _ = shape.out_shape
    return WeightForm("B" if batch > 1 and rows * columns < _FEW_PIXELS else "P")


class JobBackend(GoldenQuantizers):
    """A :class:`.backend.Backend` whose convolutions are jobs for `run`. `noise_seed`: seed of the gradient
    quantizer's noise, None to round to nearest; `choose` gives the form of weight gradients, the same for the
    same shape and batch."""

    def __init__(self, run: Runner, noise_seed: int | None, choose: Choice = form_by_pixels):
        super().__init__(noise_seed)
        self._run, self.choose = run, choose

    def forward(self, shape: ConvolutionShape, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """See :class:`.backend.Backend`."""
        return _forward(shape).sums(self._run, activations, weights)

    def backward_input(
        self, shape: ConvolutionShape, gradients: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """See :class:`.backend.Backend`."""
        return _backward_input(shape).sums(self._run, gradients, weights)

    def backward_weight(
        self, shape: ConvolutionShape, gradients: np.ndarray, scales: np.ndarray, activations: np.ndarray
    ) -> np.ndarray:
        """See :class:`.backend.Backend`."""
        batch = len(gradients)
        planner = _backward_weight(shape, self.choose(shape, batch), batch)
        return planner.sums(self._run, gradients, scales, activations)
