# amaranth: UnusedElaboratable=no
"""Where a network is cut, what an engine has then, and what no hybrid runs."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.errors import InputError
from dorefa.golden.run.integer import unsigned_images
from dorefa.golden.zoo import catalog
from dorefa.hw.hybrid.plan import fit_hybrid, make_hybrid
from dorefa.hw.hybrid.split import split

from .hybrids import network_of, residual_network_of, signed_network_of

ENGINE = r"the engine \(--architecture engine\) runs it"


@pytest.mark.parametrize("number", range(30))
def test_both_parts_are_the_network(number, seed):
    """In golden: the codes of the first are images of the second, which gives what the whole gives."""
    number += 1000 * seed
    network = (residual_network_of, network_of, signed_network_of)[number % 3](number)
    first, rest = split(network)
    images = random_images(network, 3, number)
    (codes,) = run_integer(first, images).values()
    found = run_integer(rest, unsigned_images(rest, codes))
    wanted = run_integer(network, images)
    assert len(found) == len(wanted) - 1
    for name, values in found.items():
        assert (values == wanted[name]).all(), name
    assert [result.name for result in rest.results] == [result.name for result in network.results]


def test_plan_of_digits_small():
    network = lower(catalog.load("digits-small", net_w=1, net_a=2))
    config = fit_hybrid(network)
    # 2,304 codes of 2 bits: the whole pixel in a beat costs 5 % of the engine's cycles, less is dearer.
    assert (config.a_bits, config.port_bytes, config.checks) == (2, 16, "none")
    plan = make_hybrid(network, config, absorbs=True, evaluations=0)
    assert (plan.load, plan.interval) == (144, plan.engine_interval)
    assert plan.front_interval <= plan.engine_interval and plan.front.stages[0].options.columns
    # No bit of the first layer is in the engine.
    assert [layer.name for layer in plan.compiled.layers] == ["conv1", "conv2", "fc1"]


def test_the_stage_is_as_small_as_the_engine_is_slow():
    network = lower(catalog.load("digits-small", net_w=1, net_a=2))
    sizes = [
        make_hybrid(network, fit_hybrid(network, lanes=lanes, rows=lanes // 2), absorbs=True, evaluations=0)
        for lanes in (64, 8)
    ]
    fast, slow = (plan.front.stages[0] for plan in sizes)
    assert (fast.structure, slow.structure) == ("constant", "planes")
    assert slow.estimate() < fast.estimate()
    assert all(plan.front_interval <= plan.engine_interval for plan in sizes)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"weights": "stream"},
            "weights is 'stream'; accepted in a hybrid: 'onchip', because nothing but .*",
        ),
        ({"results": "wide"}, "results is 'wide'; accepted in a hybrid: 'single', because .*"),
        (
            {"checks": "full"},
            "checks is 'full'; accepted in a hybrid: 'none', because there is no host to tell",
        ),
        (
            {"port_bytes": 3},
            "port_bytes is 3; accepted in a hybrid: 1, 2, 4, 8, 16, which divide the 16 codes of a pixel",
        ),
    ],
)
def test_engines_that_are_refused(change, message):
    network = lower(catalog.load("digits-small", net_w=1, net_a=2))
    with pytest.raises(InputError) as caught:
        make_hybrid(network, fit_hybrid(network, **change), evaluations=0)
    assert re.fullmatch(message, str(caught.value))


def _changed(network, **changes):
    """The network with a first layer of other properties."""
    return replace(network, layers=(replace(network.layers[0], **changes), *network.layers[1:]))


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda network: replace(network, layers=network.layers[:1], results=()),
            f"layer conv0: is the only one; accepted in a hybrid: at least two layers; {ENGINE}",
        ),
        (
            lambda network: _changed(network, out_bits=9),
            f"layer conv0: has codes of 9 bits; accepted in a hybrid: at most 8; {ENGINE}",
        ),
        (
            lambda network: _changed(network, code_bits=None, out_bits=None),
            f"layer conv0: is a result before the last layer; {ENGINE}",
        ),
        (
            lambda network: _changed(network, block=(2, 2)),
            f"layer conv0: makes blocks of pixels of its channels; {ENGINE}",
        ),
        (
            lambda network: replace(
                network,
                layers=(*network.layers[:2], replace(network.layers[2], source=-1), network.layers[3]),
            ),
            f"layer conv2: reads the image, as conv0 does; {ENGINE}",
        ),
        (
            lambda network: replace(
                network,
                layers=(*network.layers[:-1], replace(network.layers[-1], out_shape=(2, 1, 10))),
                results=(),
            ),
            rf"digits-small gives results of 2x1x10; accepted in a hybrid: one score per class; {ENGINE}",
        ),
    ],
)
def test_networks_that_are_refused(change, message):
    network = change(lower(catalog.load("digits-small", net_w=1, net_a=2)))
    with pytest.raises(InputError) as caught:
        fit_hybrid(network)
    assert re.fullmatch(message, str(caught.value))


def test_a_first_layer_with_a_trunk_is_refused():
    for seed in range(40):
        network = lower(random_network(seed, max_macs=20_000, residual=True))
        if network.layers[0].trunk:
            with pytest.raises(InputError, match=rf"layer \w+: has a residual trunk; {ENGINE}"):
                split(network)
            return
    pytest.fail("no network with a trunk from its first layer on")


def test_a_first_layer_that_no_stage_runs_is_refused():
    for seed in range(40):
        network = lower(random_network(seed, max_macs=20_000))
        try:
            make_hybrid(network, fit_hybrid(network), evaluations=0)
        except InputError as error:
            assert re.fullmatch(rf"layer conv0: padding of .*; {ENGINE}", str(error))
            return
    pytest.fail("no network was refused")


def test_no_network_is_refused_for_the_width_of_its_first_layer():
    """Channels that nothing divides are taken code by code."""
    network = next(found for found in map(network_of, range(200)) if found.layers[0].out_channels == 13)
    assert fit_hybrid(network, lanes=8, rows=2).port_bytes == 1
    assert np.prod(split(network)[1].input_shape) % 13 == 0
