"""What the zoo's networks have beyond a chain: gradients, frozen networks, the same bits on bit planes."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden.backward.planes import run_planes
from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.layer import TRUNK
from dorefa.golden.network.parts import Pool
from dorefa.golden.run.exact_float import run_float
from dorefa.golden.run.integer import run_integer
from dorefa.golden.train.job_backend import JobBackend
from dorefa.golden.train.recipe import FLOAT
from dorefa.golden.train.train import train
from dorefa.golden.zoo.architecture import Architecture, LayerSpec
from dorefa.golden.zoo.random_architecture import random_architecture

from .support import check_gradients, random_set, recipe_of, tiny_network


def conv(name, channels, kernel, **fields):
    return LayerSpec(name=name, kind="conv", channels=channels, kernel=(kernel, kernel), **fields)


def pool(kind, kernel, stride, padding=0):
    return Pool(kind=kind, kernel=(kernel, kernel), stride=(stride, stride), padding=padding)


def architecture_of(*layers):
    classes = LayerSpec(name="fc", kind="fc", channels=3, norm=False, bias=True)
    return Architecture(
        name="pieces",
        input_shape=(7, 6, 2),
        input_bits=8,
        layers=(*layers, classes),
        first_w=None,
        last_w=8,
    )


SLOW = [pytest.mark.slow, pytest.mark.sample]
SUM = {"trunk": True, "padding": 1}
TERM = {"trunk": True, "codes": False, "norm": False}
PIECES = {
    "groups": (conv("a", 4, 2, groups=2), conv("b", 6, 3, groups=2, padding=1)),
    "dilation": (conv("a", 4, 3, dilation=(2, 1), padding=1), conv("b", 3, 2, dilation=(1, 3))),
    "padded max": (conv("a", 4, 2, pool=pool("max", 3, 2, 1)), conv("b", 3, 2, pool=pool("max", 2, 1))),
    "average": (conv("a", 4, 2, pool=pool("average", 3, 2)), conv("b", 3, 1)),
    "average of codes": (conv("a", 4, 2, pool=pool("average_codes", 2, 1)), conv("b", 3, 1)),
    "global": (conv("a", 4, 2), conv("b", 5, 2, global_pool=True)),
    "norm behind": (
        conv("a", 4, 2, pool=pool("max", 3, 2), positive_slopes=True),
        conv("b", 3, 1, pool=pool("average", 2, 1), positive_slopes=True),
    ),
    "two readers": (
        conv("a", 4, 2),
        conv("b", 4, 3, **TERM),
        conv("c", 4, 3, source="a", trunk=True, add="b"),
    ),
    "trunk": (
        conv("a", 3, 2),
        conv("shortcut", 4, 1, stride=(2, 2), source="a", bias=True, **TERM),
        conv("b", 2, 3, stride=(2, 2), padding=1, source="a"),
        conv("c", 4, 3, add="shortcut", **SUM),
        conv("d", 4, 3, padding=1),
        conv("e", 4, 3, add="c", pool=pool("average", 2, 1), **SUM),
    ),
}


@pytest.mark.parametrize("piece", PIECES)
def test_gradients_equal_finite_differences(rng, piece):
    network, images, labels = tiny_network(
        rng, None, np.float64, architecture_of(*PIECES[piece]), w_bits=FLOAT, a_bits=FLOAT, g_bits=FLOAT
    )
    if piece == "norm behind":
        # Slopes are magnitudes.
        network.layers[0].parameters["gamma"][1] *= -1
    check_gradients(network, images, labels, rng, 6)


def frozen_of(rng, architecture, **fields):
    """(trained a little, its integer network, 20 images)."""
    network, *_ = tiny_network(rng, None, np.float32, architecture, **fields)
    for step in range(3):
        network.forward(random_set(rng, network.architecture, 20)[0], step)
    return network, network.freeze(), random_set(rng, network.architecture, 20)[0]


def check_layers(network, frozen, images):
    """Every layer in training's evaluation, given what inference gave it, yields the codes of inference.

    They may differ where the real number in front of the rounding lies on a tie within what rounded trunks
    and float32 leave open: `slack`, real, of the layer. Returns (elements, how many of them differ).
    """
    results = run_float(frozen, images)
    for name, value in run_integer(lower(frozen), images).items():
        np.testing.assert_array_equal(results[name], value, err_msg=name)
    elements = differing = 0
    for layer, stored, links in zip(network.layers, frozen.layers, frozen.links, strict=True):
        source = images if links.source < 0 else results[frozen.layers[links.source].name]
        added = None
        if links.add is not None:
            added = trunk_of(frozen.layers[links.add], results)
        out, trunk = layer.forward(source, None, None if added is None else added.astype(np.float32))
        slack = 1e-5 * max(1, np.abs(trunk).max())
        if stored.rescale is not None and links.trunk:
            # Half a unit for the rounding, another for that of the multiplier.
            slack += float(stored.rescale.scale)
            assert np.abs(trunk - trunk_of(stored, results)).max() <= slack
        elif stored.rescale is not None:
            slack += float(stored.rescale.scale)
        if stored.a_bits is None:
            continue
        gain = 1.0
        if stored.norm is not None:
            gain = float((np.abs(stored.norm.gamma) / stored.norm.sigma).max())
        levels = (1 << stored.a_bits) - 1
        tie = np.abs(np.clip(layer.bounded, 0, 1) * levels % 1 - 0.5) <= levels * (gain * slack + 1e-5)
        expected = results[stored.name]
        if stored.pool is not None and stored.pool.kind == "average_codes":
            # Sums: as many may differ as terms do.
            assert np.abs(out.astype(int) - expected).sum() <= tie.sum() * stored.pool.area
        else:
            assert not ((out != expected) & ~tie).any(), stored.name
        elements += out.size
        differing += int((out != expected).sum())
    return elements, differing


def trunk_of(layer, results):
    """Real trunk of a layer of a frozen network, float64."""
    integers = results.get(layer.name + TRUNK, results[layer.name])
    return integers * float(layer.rescale.scale)


@pytest.mark.parametrize("piece", PIECES)
def test_frozen_networks_compute_what_training_does(rng, piece):
    network, frozen, images = frozen_of(rng, architecture_of(*PIECES[piece]), w_bits=2, a_bits=2)
    elements, differing = check_layers(network, frozen, images)
    assert differing <= elements / 500


@pytest.mark.parametrize("number", range(10))
def test_random_networks_are_frozen_as_they_train(rng, seed, number):
    architecture = random_architecture(seed + number)
    network, frozen, images = frozen_of(rng, architecture, w_bits=1 + number % 3, a_bits=1 + number % 4)
    check_layers(network, frozen, images)


@pytest.mark.parametrize(
    "number", [*range(6), *(pytest.param(number, marks=SLOW) for number in range(6, 40))]
)
def test_bit_planes_train_random_networks_to_the_same_bits(rng, seed, number):
    architecture = random_architecture(seed + number)
    images, labels = random_set(rng, architecture, 10)
    w_bits, a_bits, g_bits = 1 + number % 2, 1 + number % 3, 1 + number % 8
    recipe = recipe_of(w_bits=w_bits, a_bits=a_bits, g_bits=g_bits, batch=4, seed=seed)
    runs = [
        train(architecture, recipe, images, labels, backend=backend)
        for backend in (None, JobBackend(run_planes, recipe.stream_seed))
    ]
    assert len(runs[0].losses) == 3
    assert runs[0].losses == runs[1].losses
    assert runs[0].parameters_sha256 == runs[1].parameters_sha256


def test_a_small_residual_network_learns(seed):
    """To tell which half of an image is bright."""
    rng = np.random.default_rng(seed)
    architecture = architecture_of(*PIECES["trunk"])
    images = rng.integers(0, 100, (96, *architecture.input_shape), np.uint8)
    labels = rng.integers(0, 2, 96)
    for image, label in zip(images, labels, strict=True):
        image[label * 3 : label * 3 + 3] += 120
    recipe = recipe_of(epochs=6, batch=16, rate=5e-3, seed=seed)
    result = train(architecture, recipe, images, labels, test=(images, labels))
    assert result.history[-1]["loss"] < result.history[0]["loss"] / 2
    assert result.accuracy > 0.9


def test_float_ends_of_a_residual_network(rng):
    """The last layer reads the mean of clipped numbers; what other layers read stays codes."""
    network, images, _ = tiny_network(
        rng,
        architecture=architecture_of(*PIECES["trunk"][:4], conv("d", 5, 1, global_pool=True)),
        last="float",
    )
    assert [layer.bits.yields for layer in network.layers] == [2, None, 2, 2, FLOAT, None]
    out = network.forward(images, 0)
    assert out.shape == (6, 3) and np.isfinite(out).all()


def test_slopes_that_stand_behind_the_pooling_never_fall(rng):
    network, frozen, images = frozen_of(rng, architecture_of(*PIECES["norm behind"]), w_bits=2, a_bits=2)
    gamma = network.layers[0].parameters["gamma"]
    gamma[:2] = -gamma[:2]
    frozen = network.freeze()
    np.testing.assert_array_equal(frozen.layers[0].norm.gamma, np.abs(gamma))
    check_layers(network, frozen, images)


def test_a_layer_without_codes_has_no_batch_normalization():
    with pytest.raises(InputError) as error:
        replace(conv("b", 4, 3, **TERM), norm=True)
    assert str(error.value) == "layer b: norm is True and codes False; accepted with it: norm False"
