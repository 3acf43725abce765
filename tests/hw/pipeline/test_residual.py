# amaranth: UnusedElaboratable=no
"""Pipelines with residual trunks: random blocks, shortcuts with strides, restarts, what is refused."""

import re

import numpy as np
import pytest

from dorefa.golden import Layer, Network, Rescale, lower, random_images, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.zoo.random_architecture import random_architecture
from dorefa.golden.zoo.weights import random_weights
from dorefa.hw.pipeline.plan import make_plan
from dorefa.sim.pipeline.amaranth import packet, run_streams

from .bench import check, check_times, expected, plan_of

WAITS = ((0, 0), (30, 0), (0, 50), (80, 30))


def residual_of(seed):
    """A random network with at least one addition of trunks."""
    for number in range(1003 * seed, 1003 * (seed + 1)):
        drawn = random_network(
            number,
            residual=True,
            max_macs=20_000,
            max_size=1 + number % 8,
            max_channels=(3, 8, 16)[number % 3],
            encodings=list(Encoding) if number % 2 else (Encoding.BIPOLAR,),
            allow_average=True,
            wide_padding=False,
        )
        if any(layer.add is not None for layer in drawn.layers):
            return lower(drawn)
    raise AssertionError("no network has an addition")


def run(network, plan, number):
    """Images in Amaranth's simulator, with waits or to the cycle."""
    gaps, stalls = WAITS[number % 4]
    found = check(network, plan, random_images(network, 4, number), gaps=gaps, stalls=stalls, seed=number)
    if not gaps and not stalls:
        check_times(plan, found)


@pytest.mark.parametrize("number", range(30))
def test_random_networks(number, seed):
    network = residual_of(number + 100 * seed)
    run(network, plan_of(network, np.random.default_rng(number)), number)


@pytest.mark.parametrize("number", range(24))
def test_shortcuts_with_strides(number, seed):
    """And blocks behind arrays, at intervals that make some."""
    for tried in range(100):
        drawn = random_architecture(1000 * seed + 40 * number + tried)
        network = lower(random_weights(drawn.plan(1 + number % 2, 1 + number % 3), number))
        if all(layer.add is None for layer in network.layers):
            continue
        try:
            plan = make_plan(network, evaluations=0, pace=(1, 2, 3, 8)[number % 4])
        except InputError as error:
            assert "makes more pixels than come" in str(error)
            continue
        return run(network, plan, number // 4)
    raise AssertionError("no network has an addition")


@pytest.mark.parametrize("number", range(4))
def test_a_single_image(number, seed):
    """Blank slots push its pixels out of all memories."""
    network = residual_of(700 + number + 100 * seed)
    plan = make_plan(network, evaluations=0)
    found = check(network, plan, random_images(network, 1, number))
    assert found.last_out[0] - found.began[0] == plan.latency


def test_packets_of_wrong_lengths():
    """Those between them are right: as many pixels have waited as were added."""
    network = residual_of(7)
    plan, images = make_plan(network, evaluations=0), random_images(network, 5, 3)
    packets = [packet(image) for image in images]
    pixels = len(packets[0])
    kept = pixels // 2
    packets[1] = [*packets[1][: kept - 1], packets[1][kept - 1]._replace(last=True)]
    images[1].reshape(pixels, -1)[kept:] = 0
    found = run_streams(plan, packets, gaps=20)
    assert found.marked.tolist() == [False, True, False, False, False]
    wanted = expected(network, images)
    assert (found.results.reshape(wanted.shape) == wanted).all()


def layers_of(rng, rows, shapes, pixels):
    """A network of one-bit layers of two channels, {name: fields}, on images of 8 columns, and a classifier
    of the last one's `pixels`."""
    half = Rescale(m=np.array([3, -1]), b=np.array([1, 0]), f=1, scale=np.float32(0.25))
    layers = [
        Layer(
            name=name,
            kind="conv",
            codes=rng.integers(0, 2, (2, 1, fields.pop("taps"), 2), dtype=np.uint8),
            w_bits=1,
            scale=np.float32(0.5),
            **({"rescale": half} if fields.pop("trunk") else {}),
            **fields,
        )
        for name, fields in shapes.items()
    ]
    codes = rng.integers(0, 2, (3, 1, 1, 2 * pixels), dtype=np.uint8)
    layers.append(Layer(name="fc", kind="fc", codes=codes, w_bits=1, scale=np.float32(1)))
    return lower(Network(name="net", input_shape=(rows, 8, 2), input_bits=2, layers=tuple(layers)))


def test_pixels_that_nothing_reads(rng):
    """What is left of an addition is added all the same, or it would be there with the next image."""
    shapes = {
        "side": {"taps": 1, "trunk": True},
        "sum": {
            "taps": 3,
            "padding": (0, 0, 0, 2),
            "trunk": True,
            "add": "side",
            "source": "input",
            "a_bits": 2,
        },
        "first": {"taps": 1, "stride": (1, 6), "trunk": False, "a_bits": 2},
    }
    network = layers_of(rng, 1, shapes, pixels=2)
    for pace in (1, 3):
        plan = make_plan(network, evaluations=0, pace=pace)
        for gaps in (0, 60):
            check(network, plan, random_images(network, 12, gaps), gaps=gaps, seed=pace)


def test_pixels_that_come_in_turns(rng):
    """Of each row the last pixel of the sums is complete behind the one of the trunk, the others before."""
    shapes = {
        "side": {"taps": 4, "stride": (2, 2), "padding": (0, 0, 0, 3), "trunk": True},
        "half": {"taps": 1, "stride": (2, 2), "source": "input", "trunk": False, "a_bits": 2},
        "sum": {"taps": 2, "padding": (0, 0, 0, 1), "trunk": True, "add": "side", "a_bits": 2},
    }
    network = layers_of(rng, 3, shapes, pixels=8)
    message = (
        "layer sum: some pixels of its sums are complete before, others behind those of the trunk that it "
        "adds; the engine (--architecture engine) runs it"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        make_plan(network, evaluations=0)


def test_arrays_stand_where_everything_has_passed(seed):
    """Never between a fork and its addition, and behind them where there is time."""
    arrays = 0
    for number in range(12):
        network = residual_of(500 + number + 100 * seed)
        plan = make_plan(network, evaluations=0, pace=500)
        layers = network.layers
        for place, stage in enumerate(plan.stages):
            if stage.structure == "rom":
                arrays += 1
                assert layers[place].rescale is None
                for later in layers[place + 1 :]:
                    assert later.source >= place and (later.add is None or later.add > place)
    assert arrays
