"""Adam and the learning-rate schedule of the training step."""

import math

import numpy as np


class Adam:
    """Adam (Kingma and Ba) on a dictionary of parameter arrays, updated in place.

    First and second moment decay 0.9 and 0.999, epsilon 1e-8, both moments bias-corrected.
    """

    DECAY_1 = 0.9
    DECAY_2 = 0.999
    EPSILON = 1e-8

    def __init__(self, parameters: dict[str, np.ndarray]):
        self.parameters = parameters
        self._first = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._second = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._steps = 0

    def step(self, gradients: dict[str, np.ndarray], rate: float) -> None:
        """One update of every parameter by its gradient, with learning rate `rate`."""
        self._steps += 1
        correction_1 = 1 - self.DECAY_1**self._steps
        correction_2 = 1 - self.DECAY_2**self._steps
        for name, value in self.parameters.items():
            gradient = gradients[name]
            first, second = self._first[name], self._second[name]
            first *= self.DECAY_1
            first += (1 - self.DECAY_1) * gradient
            second *= self.DECAY_2
            second += (1 - self.DECAY_2) * gradient * gradient
            denominator = np.sqrt(second / correction_2) + self.EPSILON
            value -= (rate / correction_1) * first / denominator


def cosine_rate(peak: float, step: int, steps: int) -> float:
    """Learning rate of step 0 .. steps-1: half a cosine from `peak` down to nearly 0."""
    return peak * 0.5 * (1 + math.cos(math.pi * step / steps))
