# amaranth: UnusedElaboratable=no
"""Whole hybrids: random networks with waits at both ends, exact cycles, packets of wrong lengths."""

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.hw.engine.output.plane_packer import image_waits
from dorefa.hw.hybrid.hybrid import Hybrid
from dorefa.sim.job.beats import Beat
from dorefa.sim.pipeline.amaranth import packet, run_streams

from .hybrids import (
    check,
    check_times,
    expected,
    network_of,
    plan_of,
    residual_network_of,
    signed_network_of,
    with_pace,
)


@pytest.mark.parametrize("number", range(24))
def test_random_networks(number, seed):
    number += 1000 * seed
    network = network_of(number)
    plan = plan_of(network, np.random.default_rng(number))
    gaps, stalls = ((0, 0), (30, 0), (0, 50), (80, 30))[number % 4]
    found = check(plan, random_images(network, 4, number), gaps=gaps, stalls=stalls, seed=number)
    if not gaps and not stalls:
        check_times(plan, found)


@pytest.mark.parametrize("number", range(8))
def test_signed_codes(number, seed):
    """Codes of the first layer that are two's complement, on their way through the image port."""
    network = signed_network_of(number + 1000 * seed)
    plan = plan_of(network, np.random.default_rng(number), encoding="any")
    check_times(plan, check(plan, random_images(network, 3, number)))


@pytest.mark.parametrize("number", range(4))
def test_residual_networks(number, seed):
    """The engine runs whatever it runs, behind a first layer without a trunk."""
    number += 1000 * seed
    network = residual_network_of(number)
    plan = plan_of(network, np.random.default_rng(number), cols=1)
    check_times(plan, check(plan, random_images(network, 3, number)))


@pytest.mark.parametrize("number", range(3, 9))
def test_a_stage_slower_than_the_engine(number):
    """Nothing is hidden then, and the stage alone says how far images are apart."""
    network = network_of(number, conv_layers=1)
    plan = plan_of(network, np.random.default_rng(number), lanes=64, rows=16)
    plan = with_pace(plan, -(-2 * plan.engine_interval // plan.front.interval) * plan.front.pace)
    assert plan.interval == plan.front_interval > plan.engine_interval
    check_times(plan, check(plan, random_images(network, 4, number)))


@pytest.mark.parametrize("port_bytes", [1, 2, 4])
def test_ports_narrower_than_a_pixel(port_bytes):
    network = next(found for found in map(network_of, range(100)) if found.layers[0].out_channels % 4 == 0)
    plan = plan_of(network, np.random.default_rng(1), lanes=16, rows=4, port_bytes=port_bytes)
    assert plan.load == np.prod(network.layers[0].out_shape) // port_bytes
    check_times(plan, check(plan, random_images(network, 3, 1)))
    check(plan, random_images(network, 3, 2), gaps=20, stalls=60)


@pytest.mark.parametrize(
    "number, groups, fetch", [(6012, 4, 8), (6183, 8, 8), (6339, 8, 16), (6375, 8, 16), (6517, 3, 8)]
)
def test_ports_that_wait_within_an_image(number, groups, fetch):
    """While a word's groups of planes are written one after another, no code is taken."""
    network = network_of(number)
    rng = np.random.default_rng(number)
    plan = plan_of(network, rng, encoding="any", a_bits=8, plane_groups=groups, fetch_bits=fetch)
    assert image_waits(plan.config)
    for more in (0, 2, 7):
        paced = with_pace(plan, plan.front.pace + more)
        check_times(paced, check(paced, random_images(network, 4, number)))


def test_images_of_one_pixel():
    numbers = (number for number in range(0, 400, 8) if network_of(number).input_shape[:2] == (1, 1))
    network = network_of(next(numbers))
    plan = plan_of(network, np.random.default_rng(1))
    check_times(plan, check(plan, random_images(network, 6, 1)))
    check(plan, random_images(network, 6, 2), gaps=50, stalls=50)


def test_packets_of_wrong_lengths():
    """A short image is filled up with zeros, of a long one the rest is dropped; both are marked, and the ones
    between them are right."""
    network = network_of(3)
    plan = plan_of(network, np.random.default_rng(3))
    images = random_images(network, 5, 3)
    packets = [packet(image) for image in images]
    pixels = len(packets[0])
    kept = pixels // 2
    packets[1] = [*packets[1][: kept - 1], packets[1][kept - 1]._replace(last=True)]
    more = [Beat(data=0, keep=0, last=last) for last in (False, False, True)]
    packets[3] = [beat._replace(last=False) for beat in packets[3]] + more
    images[1].reshape(pixels, -1)[kept:] = 0
    found = run_streams(plan, packets, make_core=Hybrid, stalls=30)
    assert found.marked.tolist() == [False, True, False, True, False]
    wanted = expected(network, images)
    assert (found.results.reshape(wanted.shape) == wanted).all()
