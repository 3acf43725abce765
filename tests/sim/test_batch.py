"""Packets of several images: one program, weights read once, results image by image."""

from importlib import import_module

import numpy as np
import pytest

from dorefa.golden import lower, random_images, run_integer
from dorefa.golden.errors import InputError
from dorefa.golden.network.layer import Layer
from dorefa.golden.network.network import Network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate


@pytest.fixture
def network(rng):
    """Three fully connected layers on a 2x3x7 image."""
    layers, inputs = [], 42
    for number, outputs in enumerate((19, 26, 11)):
        layers.append(
            Layer(
                name=f"fc{number}",
                kind="fc",
                w_bits=2,
                scale=np.float32(0.15),
                codes=rng.integers(0, 4, (outputs, 1, 1, inputs)).astype(np.uint8),
                a_bits=2 if number < 2 else None,
            )
        )
        inputs = outputs
    return lower(Network(name="fully", input_shape=(2, 3, 7), input_bits=3, layers=tuple(layers)))


@pytest.mark.parametrize(
    ("simulator", "options"),
    [
        ("verilator", {"rows": 4, "weights": "stream", "port_bytes": 2}),
        ("amaranth", {"rows": 4}),
        ("amaranth", {"rows": 2, "engines": 2, "quant": 2, "weights": "stream"}),
    ],
)
@pytest.mark.parametrize("stalls", [0, 30])
def test_batch_is_bit_exact_and_takes_the_predicted_cycles(network, simulator, options, stalls, seed):
    config = fit(network, lanes=16, batch=3, **options)
    images = random_images(network, 6, seed)
    seen = []
    report = simulate(
        network,
        images=images,
        config=config,
        simulator=simulator,
        stalls=stalls,
        seed=seed,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.bit_exact, report.mismatches[:1]
    assert report.images == 6 and seen == [(3, 6), (6, 6)]
    np.testing.assert_array_equal(report.outputs, run_integer(network, images)["fc2"])
    compiled = compile_network(network, config)
    if not stalls:
        assert [layer.cycles for layer in report.layers] == [x.cycles / 3 for x in compiled.layers]
    for layer, integer in zip(report.layers, network.layers, strict=True):
        assert layer.binary_ops == integer.macs * integer.w_bits * integer.a_bits


def test_images_must_fill_the_packets(network, seed):
    config = fit(network, lanes=16, rows=4, batch=4)
    message = "images has 6 images; accepted: a multiple of batch = 4"
    with pytest.raises(InputError, match=message):
        simulate(network, images=random_images(network, 6, seed), config=config)


def test_wrong_image_is_named(network, seed, monkeypatch):
    def wrong(integer, images):
        results = run_integer(integer, images)
        results["fc1"][4, 0, 0, 17] ^= 1
        return results

    monkeypatch.setattr(import_module("dorefa.sim.simulation"), "run_integer", wrong)
    config = fit(network, lanes=16, rows=4, batch=3)
    images = random_images(network, 6, seed)
    report = simulate(network, images=images, config=config, simulator="amaranth")
    (mismatch,) = report.mismatches
    assert (mismatch.layer, mismatch.image, mismatch.channel) == ("fc1", 4, 17)
