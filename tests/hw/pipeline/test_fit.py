# amaranth: UnusedElaboratable=no
"""Pipelines for devices: the shortest interval that fits, and what has no room."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.pipeline.cells import predicted
from dorefa.hw.pipeline.fit import Room, check_fits, fit_plan
from dorefa.hw.pipeline.plan import make_plan

from .bench import network_of

NETWORK = network_of(21)


def room(cells, rams=9):
    return Room(name="small", cells=cells, registers=2 * cells, rams=rams)


@pytest.mark.parametrize("pace, before", [(2, 1), (3, 2)])
def test_the_shortest_interval_that_fits(pace, before):
    sizes = [
        predicted(make_plan(NETWORK, absorbs=True, pace=tried, evaluations=0)) for tried in (before, pace)
    ]
    assert sizes[0].cells > sizes[1].cells + 2
    plan, size = fit_plan(NETWORK, room(int(sizes[1].cells / 0.9) + 2), evaluations=0)
    assert (plan.pace, size) == (pace, sizes[1])


def test_registers_are_room_too():
    size = predicted(make_plan(NETWORK, absorbs=True, evaluations=0))
    roomy = Room(name="few registers", cells=10 * size.cells, registers=size.cells, rams=9)
    assert roomy.usable < size.cells and not roomy.holds(size)


@pytest.mark.parametrize("cells, rams", [(50, 9), (100_000, 0)])
def test_no_room(cells, rams):
    plan = make_plan(NETWORK, absorbs=True, pace=40, evaluations=0)
    size = predicted(plan)
    assert size.rams > 0
    message = (
        rf"\w+ takes {size.cells:,} cells and {size.rams} block RAMs as a pipeline with an image every "
        rf"{plan.interval:,} cycles; accepted by small: {room(cells).usable:,} and {rams}; the engine"
    )
    with pytest.raises(InputError, match=message):
        check_fits(plan, size, room(cells, rams))


def test_nothing_fits():
    with pytest.raises(InputError, match=r"an image every [\d,]+ cycles; accepted by small: 9 and 9"):
        fit_plan(NETWORK, room(10), evaluations=0)
