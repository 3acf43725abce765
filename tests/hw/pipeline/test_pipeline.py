# amaranth: UnusedElaboratable=no
"""Whole pipelines: random networks with waits at both ends, exact cycles, packets of wrong lengths."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.zoo import catalog
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.rom.stage import RomStage
from dorefa.sim.job.beats import Beat
from dorefa.sim.pipeline.amaranth import packet, run_streams

from .bench import check, check_times, expected, network_of, plan_of


@pytest.mark.parametrize("number", range(30))
def test_random_networks(number, seed):
    number += 1000 * seed
    network = network_of(number)
    plan, images = plan_of(network, np.random.default_rng(number)), random_images(network, 4, number)
    gaps, stalls = ((0, 0), (30, 0), (0, 50), (80, 30))[number % 4]
    found = check(network, plan, images, gaps=gaps, stalls=stalls, seed=number)
    if not gaps and not stalls:
        check_times(plan, found)


@pytest.mark.parametrize("number", range(16))
def test_any_array_that_keeps_up(number, seed, monkeypatch):
    """Whatever size is taken for the cheapest."""
    number += 1000 * seed

    def order(stage):
        return hash((number, stage.sizes.rows, stage.sizes.lanes)) % 99

    monkeypatch.setattr(RomStage, "estimate", order)
    network = network_of(number, conv_layers=1 + number % 3)
    plan = make_plan(network, evaluations=0, absorbs=bool(number % 2), pace=(1, 2, 8, 40, 200)[number % 5])
    gaps, stalls = ((0, 0), (30, 0), (0, 50), (80, 30))[number % 4]
    found = check(network, plan, random_images(network, 4, number), gaps=gaps, stalls=stalls, seed=number)
    if not gaps and not stalls:
        check_times(plan, found)


def test_a_pixel_is_written_before_the_next_one_comes(monkeypatch):
    """However cheap an array of few lanes is, whose words are many."""
    monkeypatch.setattr(RomStage, "estimate", lambda stage: stage.sizes.lanes)
    arrays = []
    for number in range(60):
        plan = make_plan(network_of(number), evaluations=0, pace=1 + number % 9)
        for stage, stream in zip(plan.stages, plan.streams, strict=False):
            if isinstance(stage, RomStage):
                assert stage.sizes.words <= stream.spacing and stage.busy <= plan.interval
                arrays.append(stage.sizes.words == stream.spacing)
    assert any(arrays)


@pytest.mark.parametrize("pace", [1, 2])
def test_images_of_one_pixel_have_room(pace):
    """As fast as they come, out as slowly as the reader likes; and without waits as planned."""
    for number in range(200):
        network = network_of(number, conv_layers=1)
        if network.input_shape[:2] == (1, 1):
            break
    images = random_images(network, 40, 1)
    plan = make_plan(network, evaluations=0, pace=pace)
    check(network, plan, images, stalls=85)
    check_times(plan, check(network, plan, images))


def test_arrays_in_front_of_padded_windows(monkeypatch):
    """Each map is followed by the blank slots that its last windows wait for, and a restart."""

    def first_alone(stage):
        return 0 if stage.layer.name == "conv0" else 10**9

    monkeypatch.setattr(RomStage, "estimate", first_alone)
    found = []
    for number in range(400):
        network = network_of(number, conv_layers=2 + number % 3)
        plan = make_plan(network, evaluations=0, pace=60 + number % 7)
        first = plan.stages[0]
        if not isinstance(first, RomStage) or not first.flush:
            continue
        found.append((first.flush, max(stage.steps for stage in plan.stages[1:] if stage.structure != "rom")))
        gaps, stalls = ((0, 0), (40, 20))[len(found) % 2]
        outcome = check(network, plan, random_images(network, 3, number), gaps=gaps, stalls=stalls)
        if not gaps:
            check_times(plan, outcome)
        if len(found) == 4:
            break
    assert len(found) == 4 and max(steps for _, steps in found) > 1, found


@pytest.mark.parametrize("conv_layers", [2, 3])
def test_a_result_that_is_a_map(conv_layers):
    """The network without its last layer: sums of every pixel leave."""
    network = network_of(5, conv_layers=conv_layers)
    *layers, before, _ = network.layers
    final = replace(
        before, code_bits=None, out_bits=None, thresholds=None, pool=None, out_shape=before.conv_shape
    )
    cut = replace(network, layers=(*layers, final), results=())
    check(cut, make_plan(cut, evaluations=0), random_images(cut, 3, 7), stalls=20)


def test_packets_of_wrong_lengths():
    """A short image is filled up with zeros, of a long one the rest is dropped; both are marked, and the ones
    between them are right."""
    network = network_of(3)
    plan = make_plan(network, evaluations=0)
    images = random_images(network, 5, 3)
    packets = [packet(image) for image in images]
    pixels = len(packets[0])
    kept = pixels // 2
    packets[1] = [*packets[1][: kept - 1], packets[1][kept - 1]._replace(last=True)]
    more = [Beat(data=0, keep=0, last=last) for last in (False, False, True)]
    packets[3] = [beat._replace(last=False) for beat in packets[3]] + more
    images[1].reshape(pixels, -1)[kept:] = 0
    found = run_streams(plan, packets)
    assert found.marked.tolist() == [False, True, False, True, False]
    wanted = expected(network, images)
    assert (found.results.reshape(wanted.shape) == wanted).all()


def test_plan_of_digits_small():
    network = lower(catalog.load("digits-small", net_w=1, net_a=2))
    plan = make_plan(network, evaluations=0, absorbs=True)
    assert [stage.structure for stage in plan.stages] == ["constant", "planes", "rom", "rom"]
    assert [stage.steps for stage in plan.stages] == [1, 2, 180, 640]
    assert [stage.options.columns for stage in plan.stages[:2]] == [True, False]
    assert plan.interval == 784
    slower = make_plan(network, evaluations=0, absorbs=True, pace=8)
    assert [stage.structure for stage in slower.stages] == ["planes", "rom", "rom", "rom"]
    assert slower.interval == 8 * 784


ENGINE = r"the engine \(--architecture engine\) runs it"


def test_refusals():
    message = (
        rf"layer conv0: padding of \d and \d (rows|columns) around windows of \d makes more .*; {ENGINE}"
    )
    for seed in range(40):
        network = lower(random_network(seed, max_macs=20_000))
        try:
            make_plan(network, evaluations=0)
        except InputError as error:
            if re.fullmatch(message, str(error)):
                return
    pytest.fail("no network was refused as expected")
