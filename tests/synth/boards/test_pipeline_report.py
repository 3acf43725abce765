# amaranth: UnusedElaboratable=no
"""What is said of a bitstream whose network is a pipeline."""

import json

import pytest

from dorefa.hw.interface.pipeline_registers import PIPELINE_REGISTERS
from dorefa.hw.pipeline.board import pipeline_board
from dorefa.hw.pipeline.plan import make_plan
from dorefa.synth.boards.pipeline_report import pipeline_report, pipeline_settings

from ...board_support import BAUD, bitstream_of
from ...hw.pipeline.bench import network_of

LINE = {"board": "ulx3s_85f", "baud": BAUD}


@pytest.fixture
def plan():
    return make_plan(network_of(3), evaluations=0)


def test_figures(plan):
    """A network of 2 x 2 x 2 pixels and one class, whose number takes two bytes."""
    made = bitstream_of(pipeline_board(plan, clock_hz=50e6, baud=BAUD))
    report = pipeline_report(made, plan, **LINE)
    assert report["fps"] == 60e6 / 4 and report["fps_clock"] == 50e6 / 4
    assert report["latency_us"] == plan.latency / 50
    assert report["fps_host"] == pytest.approx(BAUD / (10 * (5 + 8 + 2)))
    assert 1 / report["fps_end_to_end"] == pytest.approx(1 / report["fps_host"] + plan.latency / 50e6)
    assert "config" not in report and report["luts"] == 1


def test_settings(plan):
    made = bitstream_of(pipeline_board(plan, clock_hz=50e6, baud=BAUD))
    settings = json.loads(pipeline_settings(made, plan, {"a.bit": b"bits"}, architecture="pipeline", **LINE))
    assert settings["architecture"] == "pipeline" and settings["latency_cycles"] == plan.latency
    assert settings["input_shape"] == [2, 2, 2] and settings["classes"] == len(settings["scale"]) == 1
    assert "a.bit" in settings["sha256"] and "interface_sha256" not in settings
    protocol = settings["protocol"]
    assert protocol["result_bytes"] == 2 and "shape" in protocol["board_words"]
    assert {name: word["address"] for name, word in protocol["registers"].items()} == {
        name: register.address for name, register in PIPELINE_REGISTERS.items()
    }
