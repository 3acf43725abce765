# amaranth: UnusedElaboratable=no
"""dorefa.synth.explore.pipelines, and pipelines as points: which intervals, what has no room."""

import itertools

import pytest

from dorefa.golden import lower, random_network
from dorefa.hw.pipeline.cells import Size
from dorefa.hw.pipeline.plan import make_plan
from dorefa.synth.explore import pipelines, point
from dorefa.synth.explore.point import Goal, measure
from dorefa.synth.flow import yosys

ECP5 = Goal(target="ecp5", device="LFE5U-25F-6")


def small(seed, **options):
    """A small integer network."""
    return lower(random_network(seed, max_macs=20_000, max_size=7, max_channels=8, **options))


def cells(network, interval):
    """Cells of the plan for an interval, as the choice between structures counts them."""
    rows, columns, _ = network.input_shape
    plan = make_plan(network, absorbs=True, pace=interval // (rows * columns), evaluations=0)
    assert plan.interval == interval
    return sum(stage.estimate() for stage in plan.stages)


def test_longer_intervals_save_cells(seed):
    network = small(seed, conv_layers=2, wide_padding=False)
    steps = []
    points = pipelines.grid(
        network, ECP5, intervals=None, effort=3, progress=lambda *step: steps.append(step)
    )
    intervals = [own["interval"] for own in points]
    rows, columns, _ = network.input_shape
    assert intervals[0] == rows * columns and {own["effort"] for own in points} == {3}
    assert steps == [(number, 13) for number in range(13)]
    found = [cells(network, interval) for interval in intervals]
    assert all(after <= 0.95 * before for before, after in itertools.pairwise(found))
    # What is left out saves nothing beside the one before it.
    for pace in range(13):
        interval = rows * columns << pace
        before = min(size for own, size in zip(intervals, found, strict=True) if own <= interval)
        assert interval in intervals or cells(network, interval) > 0.95 * before


def test_intervals_that_are_asked_for(seed):
    points = pipelines.grid(small(seed), ECP5, intervals=[400, 100, 400], effort=0)
    assert [own["interval"] for own in points] == [400, 100]


def test_a_network_that_no_pipeline_runs_has_one_point():
    sizes = {"max_macs": 20_000, "max_size": 5, "max_channels": 6}
    network = lower(random_network(8, conv_layers=1, wide_padding=True, **sizes))
    (own,) = pipelines.grid(network, ECP5, intervals=None, effort=0)
    found, final = measure(network, own, ECP5, architecture="pipeline")
    assert final and found["reason"].startswith("layer ") and found["cycles"] is None


@pytest.mark.parametrize("size, fits", [(Size(26_980), True), (Size(26_990), False), (Size(9, 57), False)])
def test_what_certainly_has_no_room_is_not_synthesized(size, fits, seed, monkeypatch):
    """By a tenth more cells than there are, or a block RAM."""
    synthesized = []

    def synthesize(*_, **__):
        synthesized.append(True)
        return {"flat": {"design": {"num_cells_by_type": {"LUT4": 5}}}, "hierarchical": None} | {
            "memory_bits": 0
        }

    monkeypatch.setattr(point, "predicted", lambda plan: size)
    monkeypatch.setattr(yosys, "synthesize", synthesize)
    network = small(seed, conv_layers=1, wide_padding=False)
    rows, columns, _ = network.input_shape
    own = {"interval": 2 * rows * columns, "effort": 0}
    found, final = measure(network, own, ECP5, architecture="pipeline")
    assert final and bool(synthesized) == fits and found["interval_cycles"] == own["interval"]
    assert (found["predicted_cells"], found["predicted_brams"]) == (size.cells, size.rams)
    assert found["images_per_second_per_mhz"] == 1e6 / own["interval"]
    if fits:
        assert found["reason"] is None and found["luts"] == 5
    else:
        assert found["luts"] is None and found["reason"] == (
            f"does not fit LFE5U-25F-6: it needs {size.cells:,} of 24,288 LUTs and {size.rams} of 56 block "
            "RAMs, as predicted; accepted: a longer interval or a larger device"
        )
