# amaranth: UnusedElaboratable=no
"""The Verilog of pipelines in Icarus, under cocotb, where what nothing has written is X."""

import re

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.pipeline import icarus, verilator
from dorefa.sim.pipeline.simulation import compared

from .test_maps import PARTIAL, partial_plan
from .test_streams import network_of, text_of

pytestmark = pytest.mark.icarus


@pytest.mark.parametrize("number", range(3))
def test_random_networks(number, seed):
    """At full speed to the cycle, as in Verilator, and with waits."""
    number += 600 + 1000 * seed
    network = network_of(number, size=5)
    plan = make_plan(network, evaluations=0, absorbs=bool(number % 2), pace=(1, 3, 60)[number % 3])
    images, top = random_images(network, 4, number), PipelineTop(plan, watched=True)
    text = text_of(top)
    found = icarus.simulate_streams(top, text, images)
    assert compared(plan, images, found).count == 0
    assert found.last_out[0] - found.began[0] == plan.latency
    other = verilator.simulate_streams(top, text, images)
    assert (np.diff(found.last_out) == np.diff(other.last_out)).all()
    waits = icarus.simulate_streams(top, text, images, gaps=40, stalls=30, seed=number)
    assert compared(plan, images, waits).count == 0


def test_codes_that_nothing_reads():
    network, plan = partial_plan(PARTIAL[0])
    images, top = random_images(network, 4, 2), PipelineTop(plan, watched=True)
    text = text_of(top)
    found = icarus.simulate_streams(top, text, images)
    other = verilator.simulate_streams(top, text, images)
    for maps, others in zip(found.maps, other.maps, strict=True):
        assert all((a == b).all() for a, b in zip(maps, others, strict=True))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"\.result\(status__words.*?\)", ".result()", "undefined bits leave a stage; slots"),
        (r"(assign status__slots\[0\] = )[^;]*;", r"\1 1'h0;", "a stage does not end its map"),
    ],
)
def test_what_is_wrong_is_said(old, new, message):
    plan = make_plan(network_of(501), evaluations=0)
    top = PipelineTop(plan, watched=True)
    text, count = re.subn(old, new, text_of(top))
    assert count == 1
    with pytest.raises(SimulationError, match=f"icarus: .*{message}"):
        icarus.simulate_streams(top, text, random_images(plan.network, 3, 1))
