"""Every operand and sum of a step is compared, and the first that differs is named."""

import numpy as np
import pytest

from dorefa.golden.backward.planes import run_planes
from dorefa.golden.train.compared import Compared
from dorefa.golden.train.job_backend import JobBackend
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.train import train

from .support import TINY, recipe_of

RECIPE = recipe_of(batch=4, epochs=2, last_w=3)


@pytest.fixture
def data(rng):
    return rng.integers(0, 256, (8, *TINY.input_shape), np.uint8), rng.integers(0, 3, 8)


def test_equal_backends(data):
    compared = Compared(MatrixBackend(0), JobBackend(run_planes, 0))
    result = train(TINY, RECIPE, *data, backend=compared)
    shapes = TINY.shapes()
    sums = weights = gradients = 0
    for index, (spec, found) in enumerate(zip(TINY.layers, shapes, strict=True)):
        layer = int(np.prod(spec.weights_shape(found.in_shape)))
        inputs = int(np.prod(found.in_shape)) if index else 0
        outputs = int(np.prod(found.conv_shape))
        sums += 4 * outputs + 4 * inputs + layer
        weights += layer + 1
        gradients += 4 * (outputs + 1)
    assert compared.sums == 4 * sums
    assert compared.codes == 4 * (weights + gradients)
    assert compared.differences == 0 and compared.first is None
    assert result.parameters_sha256 == train(TINY, RECIPE, *data).parameters_sha256


class Wrong(MatrixBackend):
    """One result of one call is one too large, at its last element."""

    def __init__(self, operation, call):
        super().__init__(0)
        self.operation, self.call = operation, call
        self.calls = 0

    def __getattribute__(self, name):
        found = object.__getattribute__(self, name)
        if name != object.__getattribute__(self, "operation"):
            return found

        def wrong(*operands):
            result = found(*operands)
            self.calls += 1
            if self.calls == self.call:
                array = result[0] if isinstance(result, tuple) else result
                array.flat[-1] = array.flat[-1] + 1 if array.dtype != np.uint8 else array.flat[-1] ^ 1
            return result

        return wrong


# Four layers a step, backward from the last; the first has no input gradient.
@pytest.mark.parametrize(
    "operation, call, place",
    [
        ("quantize_weights", 1, "step 0, layer conv0, weight codes, element (2, 2, 1, 0)"),
        ("forward", 1, "step 0, layer conv0, forward sums, sample 3, element (5, 5, 2)"),
        ("forward", 6, "step 1, layer conv1, forward sums, sample 3, element (2, 2, 3)"),
        ("quantize_gradients", 5, "step 1, layer fc1, gradient codes, sample 3, element (0, 0, 2)"),
        ("backward_input", 2, "step 0, layer conv2, input gradient sums, sample 3, element (2, 2, 3)"),
        ("backward_weight", 8, "step 1, layer conv0, weight gradient sums, element (2, 2, 1, 0)"),
    ],
)
def test_the_first_difference_is_named(data, operation, call, place):
    compared = Compared(Wrong(operation, call), MatrixBackend(0))
    train(TINY, RECIPE, *data, backend=compared)
    assert compared.differences == 1
    text, _, values = str(compared.first).partition(": ")
    assert text == place
    expected, got = compared.first.expected, compared.first.got
    assert abs(got - expected) == 1 and values == f"expected {expected}, got {got}"


def test_a_wrong_scale_is_named(data):
    class Doubled(MatrixBackend):
        def quantize_weights(self, shape, weights):
            codes, scale = super().quantize_weights(shape, weights)
            return codes, scale * 2

    compared = Compared(Doubled(0), MatrixBackend(0))
    train(TINY, RECIPE, *data, backend=compared, steps=1)
    assert compared.differences == 4
    assert str(compared.first).startswith("step 0, layer conv0, weight scale: expected ")
