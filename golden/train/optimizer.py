"""Optimizers and the learning-rate schedule of the training step.

Weight decay is decoupled from the gradient in both (Loshchilov and Hutter): a step first takes
``rate * weight_decay`` of every weight from it. Batch normalization and biases do not decay.
"""

import math
from typing import Protocol

import numpy as np

from .recipe import Recipe

Parameters = dict[str, np.ndarray]


class Optimizer(Protocol):
    """Updates a dictionary of parameter arrays in place."""

    @property
    def state(self) -> Parameters:
        """What it remembers from one step to the next, under names that end in the parameters'; the arrays
        themselves."""

    def step(self, gradients: Parameters, rate: float, number: int) -> None:
        """One update of every parameter by its gradient, with learning rate `rate`; `number` of the step,
        from 0."""


class Adam:
    """Adam (Kingma and Ba): first and second moment decay 0.9 and 0.999, epsilon 1e-8, both moments
    bias-corrected."""

    DECAY_1 = 0.9
    DECAY_2 = 0.999
    EPSILON = 1e-8

    def __init__(self, parameters: Parameters, weight_decay: float = 0.0):
        self.parameters, self.weight_decay = parameters, weight_decay
        self._first = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._second = {name: np.zeros_like(value) for name, value in parameters.items()}

    @property
    def state(self) -> Parameters:
        """See :class:`Optimizer`."""
        moments = {"first": self._first, "second": self._second}
        return {f"{kind}.{name}": array for kind, of in moments.items() for name, array in of.items()}

    def step(self, gradients: Parameters, rate: float, number: int) -> None:
        """See :class:`Optimizer`."""
        correction_1 = 1 - self.DECAY_1 ** (number + 1)
        correction_2 = 1 - self.DECAY_2 ** (number + 1)
        _decay(self.parameters, rate * self.weight_decay)
        for name, value in self.parameters.items():
            gradient = gradients[name]
            first, second = self._first[name], self._second[name]
            first *= self.DECAY_1
            first += (1 - self.DECAY_1) * gradient
            second *= self.DECAY_2
            second += (1 - self.DECAY_2) * gradient * gradient
            denominator = np.sqrt(second / correction_2) + self.EPSILON
            value -= (rate / correction_1) * first / denominator


class Momentum:
    """Stochastic gradient descent with momentum: ``v = momentum v + gradient``, a parameter loses
    ``rate v``."""

    def __init__(self, parameters: Parameters, momentum: float, weight_decay: float = 0.0):
        self.parameters, self.momentum, self.weight_decay = parameters, momentum, weight_decay
        self._velocity = {name: np.zeros_like(value) for name, value in parameters.items()}

    @property
    def state(self) -> Parameters:
        """See :class:`Optimizer`."""
        return {f"velocity.{name}": array for name, array in self._velocity.items()}

    def step(self, gradients: Parameters, rate: float, number: int) -> None:
        """See :class:`Optimizer`."""
        _decay(self.parameters, rate * self.weight_decay)
        for name, value in self.parameters.items():
            velocity = self._velocity[name]
            velocity *= self.momentum
            velocity += gradients[name]
            value -= rate * velocity


def _decay(parameters: Parameters, share: float) -> None:
    if share:
        for name, value in parameters.items():
            if name.endswith(".weight"):
                value *= 1 - share


def optimizer_of(recipe: Recipe, parameters: Parameters) -> Optimizer:
    """The optimizer that a recipe asks for."""
    if recipe.optimizer == "sgd":
        return Momentum(parameters, recipe.momentum, recipe.weight_decay)
    return Adam(parameters, recipe.weight_decay)


def cosine_rate(peak: float, step: int, steps: int) -> float:
    """Learning rate of step 0 .. steps-1: half a cosine from `peak` down to nearly 0."""
    return peak * 0.5 * (1 + math.cos(math.pi * step / steps))
