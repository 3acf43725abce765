"""Graphs against their definition, value by value; batches; results by name."""

import re
import weakref
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import (
    BatchNorm,
    InputError,
    Layer,
    Network,
    Pool,
    Rescale,
    lower,
    random_images,
    random_network,
    run_float,
    run_integer,
)
from dorefa.golden.run import graph as graph_run

SCALE = 0.0625


def pointwise(rng, name, inputs, **fields):
    """A 1x1 convolution with 2-bit bipolar weights and two output channels."""
    codes = rng.integers(0, 4, (2, 1, 1, inputs), dtype=np.uint8)
    fields = {"kind": "conv", "w_bits": 2, "scale": np.float32(1)} | fields
    return Layer(name=name, codes=codes, **fields)


def rounding(m, b, f):
    return Rescale(m=np.array(m), b=np.array(b), f=f, scale=np.float32(SCALE))


def norm(rng):
    beta, mean = (rng.uniform(0.2, 0.8, 2).astype(np.float32) for _ in range(2))
    return BatchNorm(
        gamma=np.array([0.5, -0.75], np.float32),
        beta=beta,
        mean=mean,
        var=np.array([1, 2], np.float32),
        eps=0.25,
    )


def graph(rng):
    """A stem with trunk, a shortcut, a sum of three pooled in front of its codes, and a sum of
    codes that reads the stem; 2x4 images of one 3-bit channel."""
    average = Pool(kind="average", kernel=(2, 2), stride=(2, 2))
    codes = Pool(kind="average_codes", kernel=(1, 2), stride=(1, 2))
    layers = (
        pointwise(rng, "stem", 1, rescale=rounding([7, -5], [3, 40], 2), a_bits=2, norm=norm(rng)),
        pointwise(rng, "side", 2, rescale=rounding([3, 9], [0, -2], 1), add="stem"),
        pointwise(
            rng,
            "sum",
            2,
            source="stem",
            rescale=rounding([-6, 1], [2, 1], 2),
            add="side",
            a_bits=3,
            norm=norm(rng),
            pool=average,
        ),
        pointwise(rng, "end", 2, a_bits=2, pool=codes, norm=norm(rng)),
        Layer(
            name="fc",
            kind="fc",
            codes=rng.integers(0, 4, (3, 1, 1, 2), dtype=np.uint8),
            w_bits=2,
            scale=np.float32(1),
        ),
    )
    return Network(name="graph", input_shape=(2, 4, 1), input_bits=3, layers=layers)


class Definition:
    """What a graph means, for one image, in integers and fractions written out."""

    @staticmethod
    def sums(layer, pixel):
        """sum(v * a) per channel of the codes of one pixel."""
        weights = (2 * layer.codes.astype(int) - 3).reshape(len(layer.codes), -1).tolist()
        return [sum(v * a for v, a in zip(row, pixel, strict=True)) for row in weights]

    @staticmethod
    def trunk(layer, sums, added=(0, 0)):
        rescale = layer.rescale
        return [
            round(Fraction(int(m) * s + int(b), 2**rescale.f)) + other
            for m, b, s, other in zip(rescale.m, rescale.b, sums, added, strict=True)
        ]

    @staticmethod
    def codes(layer, real):
        """Codes of real values, one per channel, in front of batch normalization."""
        parts = (layer.norm.gamma, layer.norm.mean, layer.norm.sigma, layer.norm.beta)
        result = []
        for channel, value in enumerate(real):
            gamma, mean, sigma, beta = (Fraction(float(part[channel])) for part in parts)
            value = gamma * (value - mean) / sigma + beta
            result.append(round((2**layer.a_bits - 1) * min(max(value, 0), 1)))
        return result


def expected_results(network, image):
    """The results of one image of `graph`, as nested lists [row][column][channel]."""
    stem, side, total, end, last = network.layers
    define, unit = Definition, Fraction(SCALE)
    trunks = [[define.trunk(stem, define.sums(stem, pixel)) for pixel in row] for row in image]
    codes = [[define.codes(stem, [unit * t for t in pixel]) for pixel in row] for row in trunks]
    sides = [
        [define.trunk(side, define.sums(side, pixel), added) for pixel, added in zip(*rows, strict=True)]
        for rows in zip(codes, trunks, strict=True)
    ]
    sums = [
        [define.trunk(total, define.sums(total, pixel), added) for pixel, added in zip(*rows, strict=True)]
        for rows in zip(codes, sides, strict=True)
    ]
    means = [
        [Fraction(sum(sums[y][x + dx][c] for y in (0, 1) for dx in (0, 1)), 4) for c in (0, 1)]
        for x in (0, 2)
    ]
    pooled = [define.codes(total, [unit * mean for mean in pixel]) for pixel in means]
    # Weights in thirds, input codes in sevenths.
    ends = [define.codes(end, [Fraction(s, 3 * 7) for s in define.sums(end, pixel)]) for pixel in pooled]
    summed = [a + b for a, b in zip(*ends, strict=True)]
    return {
        "stem": codes,
        "stem.trunk": trunks,
        "side": sides,
        "sum": [pooled],
        "end": [[summed]],
        "fc": define.sums(last, summed),
    }


@pytest.mark.parametrize("draw", range(5))
def test_a_graph_against_its_definition(draw, seed):
    network = graph(np.random.default_rng((seed, draw)))
    images = random_images(network, 40, seed + draw)
    results = [
        run_integer(lower(network), images),
        run_float(network, images),
        run_integer(lower(network), images, "bitplanes"),
    ]
    for index, image in enumerate(images.tolist()):
        expected = expected_results(network, image)
        for result in results:
            assert list(result) == list(expected)
            for name, values in expected.items():
                assert result[name][index].tolist() == values, name
    assert results[0]["side"].dtype == results[0]["stem.trunk"].dtype == np.int64
    assert results[0]["end"].dtype == np.uint8


def test_results_do_not_depend_on_batches(monkeypatch, seed):
    network = random_network(seed + 5, residual=True)
    images = random_images(network, 7, 5)
    lowered = lower(network)
    whole = run_integer(lowered, images)
    for name, value in (("_LARGEST_BATCH", 3), ("_BYTES", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(graph_run, name, value)
            for parts in (run_integer(lowered, images), run_float(network, images)):
                assert list(parts) == list(whole)
                for key, values in whole.items():
                    assert np.array_equal(values, parts[key])


def test_batches_are_sized_by_the_largest_layer(monkeypatch, rng):
    network = lower(graph(rng))
    images = random_images(network, 7, 5)
    sizes = []

    def run_batch(part, *arguments):
        sizes.append(len(part))
        return {"fc": part}

    monkeypatch.setattr(graph_run, "_run_batch", run_batch)
    # 2 x 4 pixels with two accumulators of eight bytes are 128 bytes.
    monkeypatch.setattr(graph_run, "_BYTES", 3 * 128 + 127)
    run_integer(network, images)
    assert sizes == [3, 3, 1]


def test_outputs_by_name(rng):
    network = graph(rng)
    lowered = lower(network)
    images = random_images(network, 3, 1)
    everything = run_integer(lowered, images)
    some = run_integer(lowered, images, outputs=("fc", "stem.trunk"))
    assert list(some) == ["stem.trunk", "fc"]
    assert all(np.array_equal(some[name], everything[name]) for name in some)
    names = "stem, stem.trunk, side, sum, end, fc"
    message = f"outputs has 'side.trunk'; accepted: {names}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run_integer(lowered, images, outputs=["fc", "side.trunk"])


def test_what_nobody_reads_any_more_is_forgotten(rng):
    network = lower(graph(rng))
    layers = network.layers
    made, alive = {}, []

    def compute(index, codes, added):
        alive.append({name for name, reference in made.items() if reference() is not None})
        result, trunk = np.zeros((1, 1)), np.zeros((1, 1))
        made[layers[index].name] = weakref.ref(result)
        made[layers[index].name + ".trunk"] = weakref.ref(trunk)
        return None if layers[index].name == "side" else result, trunk

    images = random_images(network, 1, 1)
    graph_run.run_graph(images, layers, layers, layers, compute, ["fc"])
    # `sum` reads the stem's codes, not its trunk, which `side` has added; `end` reads neither.
    assert {"stem", "side.trunk"} <= alive[2] and "stem.trunk" not in alive[2]
    assert "sum" in alive[3] and not {"stem", "stem.trunk", "side"} & alive[3]
    assert "end" in alive[4] and not {"stem", "side.trunk", "sum.trunk"} & alive[4]
