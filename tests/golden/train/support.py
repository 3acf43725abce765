"""A small chain with everything a chain may have, and recipes for short runs."""

import numpy as np
import pytest

from dorefa.golden.network.parts import Pool
from dorefa.golden.train import layers
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.network import TrainNetwork
from dorefa.golden.train.recipe import Recipe
from dorefa.golden.zoo.architecture import Architecture, LayerSpec

TINY = Architecture(
    name="tiny",
    input_shape=(8, 7, 1),
    input_bits=8,
    layers=(
        LayerSpec(
            name="conv0",
            kind="conv",
            channels=3,
            kernel=(3, 2),
            pool=Pool(kind="max", kernel=(2, 2), stride=(2, 2)),
            bias=True,
            norm=False,
        ),
        LayerSpec(name="conv1", kind="conv", channels=4, kernel=(3, 3), padding=(1, 1, 1, 1)),
        LayerSpec(name="conv2", kind="conv", channels=5, kernel=(2, 2), stride=(1, 2)),
        LayerSpec(name="fc1", kind="fc", channels=3, norm=False, bias=True),
    ),
    first_w=None,
    last_w=8,
)


def recipe_of(**fields):
    """A recipe of one epoch, 1-2-6, whose fields may be replaced."""
    return Recipe(**{"w_bits": 1, "a_bits": 2, "g_bits": 6, "epochs": 1, "seed": 0} | fields)


def tiny_network(rng, backend=None, dtype=np.float32, architecture=TINY, **fields):
    """(TrainNetwork of TINY, 6 images, their labels), every weight as wide as the others."""
    if "last_w" not in fields and fields.get("last") != "float":
        fields["last_w"] = fields.get("w_bits", 1)
    recipe = recipe_of(**fields)
    network = TrainNetwork(architecture, recipe, backend or MatrixBackend(recipe.stream_seed), dtype)
    for layer in network.layers:
        # Off their starting values, so that each gradient matters.
        for name in ("gamma", "beta", "bias"):
            if name in layer.parameters:
                layer.parameters[name] += 0.3 * rng.standard_normal(layer.spec.channels)
    images, labels = random_set(rng, network.architecture, 6)
    return network, images, labels


def random_set(rng, architecture, count):
    """(images, labels) for an architecture whose image has a width of its own."""
    images = rng.integers(0, 1 << architecture.input_bits, (count, *architecture.input_shape), np.uint8)
    return images, rng.integers(0, architecture.layers[-1].channels, count)


class DirectBackend(MatrixBackend):
    """Sums in int64, tap by tap, with nothing of the matrix products."""

    def forward(self, shape, activations, weights):
        values = 2 * weights.astype(np.int64) - ((1 << shape.w_bits) - 1)
        total = 0
        for tap, window in taps(shape, activations):
            total = total + np.einsum("nyxgc,gdc->nyxgd", window, by_group(shape, values)[:, :, *tap])
        return total.reshape(len(activations), *shape.out_shape)

    def backward_input(self, shape, gradients, weights):
        values = 2 * weights.astype(np.int64) - ((1 << shape.w_bits) - 1)
        upstream = grouped(shape, 2 * gradients.astype(np.int64) - ((1 << shape.g_bits) - 1))
        padded = np.zeros((len(gradients), *shape.padded(shape.in_shape), shape.in_shape[2]), np.int64)
        for tap, window in taps(shape, padded, padded=True):
            window += np.einsum("nyxgd,gdc->nyxgc", upstream, by_group(shape, values)[:, :, *tap])
        top, left = shape.padding[:2]
        return padded[:, top : top + shape.in_shape[0], left : left + shape.in_shape[1]]

    def backward_weight(self, shape, gradients, scales, activations):
        upstream = grouped(shape, 2 * gradients.astype(np.int64) - ((1 << shape.g_bits) - 1))
        upstream *= scales.reshape(-1, 1, 1, 1, 1)
        result = by_group(shape, np.zeros(shape.weights_shape, np.int64))
        for tap, window in taps(shape, activations):
            result[:, :, *tap] = np.einsum("nyxgd,nyxgc->gdc", upstream, window)
        return result.reshape(shape.weights_shape)


def grouped(shape, maps):
    """(..., C) as (..., groups, C / groups)."""
    return maps.reshape(*maps.shape[:-1], shape.groups, -1)


def by_group(shape, weights):
    """(Cout, Kh, Kw, C / groups) as (groups, Cout / groups, Kh, Kw, C / groups)."""
    return weights.reshape(shape.groups, -1, *weights.shape[1:])


def taps(shape, maps, padded=False):
    """((ky, kx), view of what that tap of the kernel reads in every window)."""
    maps = maps if padded else shape.pad(maps.astype(np.int64))
    rows, columns = shape.out_shape[:2]
    for ky, kx in np.ndindex(*shape.kernel):
        y, x = ky * shape.dilation[0], kx * shape.dilation[1]
        view = maps[:, y : y + shape.stride[0] * rows : shape.stride[0]]
        view = view[:, :, x : x + shape.stride[1] * columns : shape.stride[1]]
        yield (
            (ky, kx),
            view.reshape(*view.shape[:3], shape.groups, -1)
            if not padded
            else view.reshape(*view.shape[:3], shape.groups, -1, copy=False),
        )


def check_gradients(network, images, labels, rng, count=12):
    """Gradients of the loss in step 0 against central differences, `count` elements of every parameter."""

    def loss():
        return layers.softmax_cross_entropy(network.forward(images, 0), labels)

    gradients = network.backward(loss()[1], 0)
    assert gradients.keys() == network.parameters.keys()
    for name, value in network.parameters.items():
        assert gradients[name].shape == value.shape
        for index in rng.permutation(value.size)[:count]:
            original = value.flat[index]
            value.flat[index] = original + 1e-6
            above = loss()[0]
            value.flat[index] = original - 1e-6
            below = loss()[0]
            value.flat[index] = original
            numeric = (above - below) / 2e-6
            assert gradients[name].flat[index] == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


def numeric_gradient(function, x, upstream, step=1e-6):
    """Central differences of sum(upstream * function(x)) with respect to x, float64."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        original = x[index]
        x[index] = original + step
        above = np.sum(upstream * function(x))
        x[index] = original - step
        below = np.sum(upstream * function(x))
        x[index] = original
        gradient[index] = (above - below) / (2 * step)
    return gradient
