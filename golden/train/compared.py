"""A backend that is checked against another one in every operation of a training."""

from typing import NamedTuple

import numpy as np

from ..backward.shape import ConvolutionShape
from .backend import Backend


class Difference(NamedTuple):
    """Where two backends differ: step from 0 (None: forward, before the step is known), layer, what of it,
    sample of the batch (None: of weights), element in it, and both values."""

    step: int | None
    layer: str
    operand: str
    sample: int | None
    element: tuple[int, ...]
    expected: int | float
    got: int | float

    def __str__(self) -> str:
        sample = "" if self.sample is None else f", sample {self.sample}"
        element = f", element {self.element}" if self.element else ""
        where = f"step {self.step}, layer {self.layer}, {self.operand}{sample}{element}"
        return f"{where}: expected {self.expected}, got {self.got}"


class Compared:
    """The :class:`.backend.Backend` `backend`, each of whose results is compared with that of `reference` on
    the same operands. The training goes on with what `backend` computed.

    `sums` and `codes` that were compared, scales among the codes; `differences`, how many of both differed;
    `first`, the first of them or None.
    """

    def __init__(self, backend: Backend, reference: Backend):
        self.backend, self.reference = backend, reference
        self.sums = self.codes = self.differences = 0
        self.first: Difference | None = None
        self._step: int | None = None

    def quantize_weights(self, shape: ConvolutionShape, weights: np.ndarray) -> tuple[np.ndarray, np.float32]:
        """See :class:`.backend.Backend`."""
        # Steps come with gradients; these are those of the step behind.
        self._step = None
        codes, scale = self.backend.quantize_weights(shape, weights)
        expected, expected_scale = self.reference.quantize_weights(shape, weights)
        self.codes += self._compare(shape, "weight codes", codes, expected, by_sample=False)
        one, other = np.array(scale), np.array(expected_scale)
        self.codes += self._compare(shape, "weight scale", one, other, by_sample=False)
        return codes, scale

    def forward(self, shape: ConvolutionShape, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """See :class:`.backend.Backend`."""
        sums = self.backend.forward(shape, activations, weights)
        self.sums += self._compare(
            shape, "forward sums", sums, self.reference.forward(shape, activations, weights)
        )
        return sums

    def quantize_gradients(
        self, shape: ConvolutionShape, index: int, step: int, words: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`.backend.Backend`."""
        self._step = step
        if self.first is not None and self.first.step is None:
            self.first = self.first._replace(step=step)
        codes, scales = self.backend.quantize_gradients(shape, index, step, words)
        expected, expected_scales = self.reference.quantize_gradients(shape, index, step, words)
        self.codes += self._compare(shape, "gradient scales", scales, expected_scales)
        self.codes += self._compare(shape, "gradient codes", codes, expected)
        return codes, scales

    def backward_input(
        self, shape: ConvolutionShape, gradients: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """See :class:`.backend.Backend`."""
        sums = self.backend.backward_input(shape, gradients, weights)
        expected = self.reference.backward_input(shape, gradients, weights)
        self.sums += self._compare(shape, "input gradient sums", sums, expected)
        return sums

    def backward_weight(
        self, shape: ConvolutionShape, gradients: np.ndarray, scales: np.ndarray, activations: np.ndarray
    ) -> np.ndarray:
        """See :class:`.backend.Backend`."""
        sums = self.backend.backward_weight(shape, gradients, scales, activations)
        expected = self.reference.backward_weight(shape, gradients, scales, activations)
        self.sums += self._compare(shape, "weight gradient sums", sums, expected, by_sample=False)
        return sums

    def _compare(
        self,
        shape: ConvolutionShape,
        operand: str,
        got: np.ndarray,
        expected: np.ndarray,
        by_sample: bool = True,
    ) -> int:
        """Notes differences; returns how many elements were compared."""
        different = got != expected
        count = int(np.count_nonzero(different))
        self.differences += count
        if count and self.first is None:
            index = tuple(int(i) for i in np.argwhere(different)[0])
            sample, element = (index[0], index[1:]) if by_sample else (None, index)
            values = expected[index].item(), got[index].item()
            if operand.endswith("sums"):  # integers, of whatever type
                values = int(values[0]), int(values[1])
            self.first = Difference(self._step, shape.name, operand, sample, element, *values)
        return got.size
