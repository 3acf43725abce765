"""Float golden, integer golden and bit planes agree on every code of every layer."""

import itertools
import re
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import (
    BatchNorm,
    InputError,
    Layer,
    Network,
    Pool,
    logits,
    lower,
    random_images,
    random_network,
    run_float,
    run_integer,
)
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.run import exact_float


def assert_all_agree(network, images):
    lowered = lower(network)
    expected = run_integer(lowered, images)
    for other in (run_integer(lowered, images, "bitplanes"), run_float(network, images)):
        assert list(other) == list(expected)
        for name, codes in expected.items():
            assert other[name].dtype == codes.dtype and np.array_equal(other[name], codes), name
    return expected


@pytest.mark.parametrize("draw", range(60))
def test_random_networks(draw, seed):
    draw += 1000 * seed
    network = random_network(draw, encodings=tuple(Encoding), allow_average=True, allow_pool_padding=True)
    results = assert_all_agree(network, random_images(network, 3, draw))
    for layer, shapes in zip(network.layers[:-1], network.shapes, strict=False):
        assert results[layer.name].dtype == np.uint8
        assert results[layer.name].shape == (3, *shapes.out_shape)
        assert results[layer.name].max() < 1 << layer.a_bits
    last = results[network.layers[-1].name]
    assert last.dtype == np.int64 and last.shape == (3, network.classes)


@pytest.mark.parametrize("draw", range(60))
def test_random_residual_networks(draw, seed):
    draw += 1000 * seed
    network = random_network(
        draw, residual=True, encodings=tuple(Encoding), allow_average=True, allow_pool_padding=True
    )
    results = assert_all_agree(network, random_images(network, 3, draw))
    for layer, shapes, links in zip(network.layers[:-1], network.shapes, network.links, strict=False):
        trunk = results.get(layer.name + ".trunk" if layer.a_bits else layer.name)
        assert (trunk is not None) == (links.trunk or not layer.a_bits)
        if trunk is not None:
            assert trunk.dtype == np.int64 and trunk.shape == (3, *shapes.conv_shape)
            low, high = layer.rescale.trunk_range
            assert low <= trunk.min() and trunk.max() <= high
        if layer.a_bits:
            assert results[layer.name].dtype == np.uint8
            assert results[layer.name].shape == (3, *shapes.out_shape)
            assert results[layer.name].max() <= layer.levels


@pytest.mark.parametrize("a_bits", range(1, 9))
@pytest.mark.parametrize("w_bits", range(1, 9))
def test_all_widths(w_bits, a_bits, seed):
    network = random_network(
        seed + 9 * w_bits + a_bits, w_bits=w_bits, a_bits=a_bits, conv_layers=2, max_size=7, max_macs=50_000
    )
    assert network.input_bits == a_bits
    assert_all_agree(network, random_images(network, 2, seed))


def small_layer(rng, **fields):
    parameters = {
        "name": "conv0",
        "kind": "conv",
        "codes": rng.integers(0, 4, (4, 1, 2, 1), dtype=np.uint8),
        "w_bits": 2,
        "scale": np.float32(1),
        "a_bits": 3,
    }
    return Layer(**(parameters | fields))


def with_classifier(layer, size, shape, input_bits, rng):
    codes = rng.integers(0, 4, (3, 1, 1, size), dtype=np.uint8)
    last = Layer(name="fc", kind="fc", codes=codes, w_bits=2, scale=np.float32(0.5))
    return Network(name="net", input_shape=shape, input_bits=input_bits, layers=(layer, last))


def test_every_image_against_the_definition(rng):
    """All 256 images of four 2-bit pixels, one by one in rational arithmetic."""
    norm = BatchNorm(
        gamma=np.array([1, -1, 0, 0.5], np.float32),
        beta=np.array([0.25, 0.5, 0.5, 0.5], np.float32),
        mean=np.array([0, 0, 0, -0.5], np.float32),
        var=np.array([0.25, 1, 1, 4], np.float32),
        eps=0,
    )
    pool = Pool(kind="max", kernel=(2, 1), stride=(2, 1))
    layer = small_layer(rng, norm=norm, pool=pool)
    network = with_classifier(layer, 4, (2, 2, 1), 2, rng)
    images = np.array(list(itertools.product(range(4), repeat=4)), np.uint8).reshape(-1, 2, 2, 1)
    results = assert_all_agree(network, images)
    ties = 0
    for image, codes in zip(images[..., 0].tolist(), results["conv0"], strict=True):
        for channel in range(4):
            values = []
            for row in image:
                weights = [Fraction(2 * int(q) - 3, 3) for q in layer.codes[channel, 0, :, 0]]
                real = sum(w * Fraction(a, 3) for w, a in zip(weights, row, strict=True))
                parameters = (norm.gamma, norm.mean, norm.sigma, norm.beta)
                gamma, mean, sigma, beta = (Fraction(float(p[channel])) for p in parameters)
                values.append(gamma * (real - mean) / sigma + beta)
            scaled = 7 * min(max(max(values), 0), 1)
            ties += scaled % 1 == Fraction(1, 2)
            assert codes[0, 0, channel] == round(scaled)
    assert ties >= 256


def test_float_golden_where_float64_is_not_enough(rng, monkeypatch):
    # A huge bias that the mean takes away again leaves nothing of the sum in float64: every element
    # has to be computed again.
    large = np.full(4, 2.0**53, np.float32)
    norm = BatchNorm(
        gamma=np.full(4, 0.3, np.float32),
        beta=np.full(4, 0.5, np.float32),
        mean=large,
        var=np.ones(4, np.float32),
        eps=0,
    )
    network = with_classifier(small_layer(rng, norm=norm, bias=large), 4, (1, 2, 1), 8, rng)
    images = random_images(network, 500, 1)
    expected = assert_all_agree(network, images)
    monkeypatch.setattr(exact_float, "_UNIT", 0.0)
    assert (run_float(network, images)["conv0"] != expected["conv0"]).mean() > 0.1


def test_float_golden_needs_fractions_only_near_boundaries(monkeypatch):
    calls = []
    exact = exact_float._Quantizer._exact_code

    def counted(*arguments):
        calls.append(arguments)
        return exact(*arguments)

    monkeypatch.setattr(exact_float._Quantizer, "_exact_code", counted)
    network = random_network(3, conv_layers=3)
    images = random_images(network, 20, 3)
    total = sum(codes.size for codes in run_float(network, images).values())
    assert len(calls) < total / 100


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_ties_agree(bits, sign, rng):
    bias = np.array([0, 0.5, 0.25, -0.5], np.float32)
    codes = rng.integers(0, 2, (4, 1, 3, 1), dtype=np.uint8)
    layer = small_layer(rng, codes=codes, w_bits=1, a_bits=bits, bias=bias, scale=np.float32(0.5 * sign))
    network = with_classifier(layer, 8, (1, 4, 1), bits, rng)
    assert_all_agree(network, random_images(network, 200, 2))


def test_logits(rng):
    network = with_classifier(small_layer(rng), 4, (1, 2, 1), 2, rng)
    lowered = lower(network)
    accumulators = np.array([[3, -5, 0]])
    # scale 0.5, weight divisor 3, activation divisor 7
    expected = [float(Fraction(1, 42)) * x for x in (3, -5, 0)]
    assert logits(lowered, accumulators).tolist() == [expected]
    assert logits(lowered, accumulators).dtype == np.float64


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[1]], "images is a list; accepted: a NumPy uint8 array"),
        (np.zeros((1, 1, 2, 1)), "images has dtype float64; accepted: uint8"),
        (
            np.zeros((2, 1, 1), np.uint8),
            "images has shape (2, 1, 1); accepted: (batch, 1, 2, 1), batch at least 1",
        ),
        (
            np.zeros((0, 1, 2, 1), np.uint8),
            "images has shape (0, 1, 2, 1); accepted: (batch, 1, 2, 1), batch at least 1",
        ),
        (
            np.full((1, 1, 2, 1), 4, np.uint8),
            "images has the code 4 at (0, 0, 0, 0); accepted: 0..3 (2 bits)",
        ),
    ],
)
def test_refused_images(images, message, rng):
    network = with_classifier(small_layer(rng), 4, (1, 2, 1), 2, rng)
    for run in (lambda: run_integer(lower(network), images), lambda: run_float(network, images)):
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            run()


def test_refused_implementation(rng):
    network = lower(with_classifier(small_layer(rng), 4, (1, 2, 1), 2, rng))
    message = "^implementation is 'xnor'; accepted: matmul, bitplanes$"
    with pytest.raises(InputError, match=message):
        run_integer(network, np.zeros((1, 1, 2, 1), np.uint8), "xnor")
