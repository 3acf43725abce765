# amaranth: UnusedElaboratable=no
"""The Verilog of pipelines, compiled: bit-exact, to the cycle, with waits on both sides, and as a netlist."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.verilog import export
from dorefa.sim.pipeline.simulation import compared
from dorefa.sim.pipeline.verilator import simulate_streams
from dorefa.sim.verilator.lint import lint


def network_of(seed, size=8, **options):
    """A random network that a pipeline runs."""
    drawn = random_network(
        seed,
        max_macs=30_000,
        max_size=size,
        max_channels=13,
        encodings=list(Encoding),
        allow_average=True,
        wide_padding=False,
        **({"allow_pool_padding": True} | options),
    )
    return lower(drawn)


def check(network, plan, images, verilog, **waits):
    """Simulates, and compares every layer; returns the run."""
    assert plan.network is network
    top = PipelineTop(plan, watched=not waits.get("ports_only"))
    found = simulate_streams(top, verilog(top), images, **waits)
    comparison = compared(plan, images, found)
    assert comparison.count == 0, comparison.mismatches[0]
    return found


def text_of(top):
    """The Verilog as it is simulated."""
    return export.export(top, name=export.MODULE)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("number", range(6))
def test_random_networks(number, residual, seed):
    number += 500 + 1000 * seed
    rng = np.random.default_rng(number)
    options = (
        {"residual": True, "conv_layers": 2 + number % 3, "allow_pool_padding": False} if residual else {}
    )
    network = network_of(number, **options)
    plan = make_plan(
        network, evaluations=20, absorbs=bool(number % 2), pace=int(rng.choice([1, 1, 3])), seed=number
    )
    images = random_images(network, 40, number)
    check(network, plan, images, text_of, gaps=40, stalls=30, seed=number)
    found = check(network, plan, images, text_of, seed=number)
    assert found.last_out[0] - found.began[0] == plan.latency
    # The last image but one is pushed out by blank slots or by the last one, which is as fast.
    assert set(np.diff(found.last_out)) <= {plan.interval}


@pytest.mark.parametrize("watched", [False, True])
def test_the_text_is_clean(watched):
    top = PipelineTop(make_plan(network_of(501), evaluations=0), watched=watched)
    assert lint(text_of(top)) == []


def test_wires_change_nothing():
    """What is generated has none of them, and does the same at the same times."""
    network = network_of(504)
    plan, images = make_plan(network, evaluations=0, pace=3), random_images(network, 20, 4)
    assert "status__" not in text_of(PipelineTop(plan))
    waits = {"gaps": 20, "stalls": 10}
    with_wires = check(network, plan, images, text_of, **waits)
    without = check(network, plan, images, text_of, **waits, ports_only=True)
    assert len(with_wires.maps) == len(plan.stages) and not without.maps
    for name in ("results", "began", "last_out"):
        assert (getattr(with_wires, name) == getattr(without, name)).all()


@pytest.mark.parametrize("layer", range(3))
def test_the_first_difference_is_said(layer):
    """The pipeline of another network, whose weights of a layer belong to other channels."""
    network = network_of(505, conv_layers=2)
    layers = list(network.layers)
    layers[layer] = replace(layers[layer], codes=layers[layer].codes[::-1])
    other, images = replace(network, layers=tuple(layers)), random_images(network, 3, 4)
    plan = make_plan(other, evaluations=0)
    top = PipelineTop(plan, watched=True)
    comparison = compared(replace(plan, network=network), images, simulate_streams(top, text_of(top), images))
    first, name = comparison.mismatches[0], network.layers[layer].name
    expected, got = run_integer(network, images), run_integer(other, images)
    image, *place = np.argwhere(expected[name] != got[name])[0].tolist()
    y, x, channel = place if len(place) == 3 else (0, 0, *place)
    assert (first.layer, first.image) == (name, image)
    assert (first.y, first.x, first.channel) == (y, x, channel)
    assert (first.expected, first.got) == tuple(int(own[name][image, *place]) for own in (expected, got))
    assert comparison.count == sum((expected[name] != got[name]).sum() for name in expected)


@pytest.mark.slow
def test_digits():
    """A million cycles of real images from a camera that waits at times."""
    network = lower(catalog.load("digits-small", net_w=1, net_a=2))
    plan = make_plan(network, absorbs=True)
    images, labels = digits_sample()
    found = check(network, plan, images, text_of, gaps=25)
    assert found.last_out[-1] > 1_000_000
    scores = found.results.reshape(len(images), -1)
    assert (scores.argmax(axis=1) == labels).mean() > 0.97
