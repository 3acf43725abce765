"""What is said of a bitstream whose engine trains."""

import json

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.step_cost import step_costs
from dorefa.hw.compiler.training.step_jobs import StepJobs
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.generate.file_set import config_of, interface_sha256
from dorefa.hw.shell.board_core import training_board
from dorefa.synth.boards.training_report import line_bytes, training_report, training_settings

from ...board_support import BAUD, training_bitstream
from ...golden.train.support import TINY, recipe_of
from ...sim.conftest import TRAINING
from ...sim.training.test_engine_backend import shapes_of

CONFIG = TRAINING.replace(weights="onchip")


def test_figures_of_a_step():
    made = training_bitstream(CONFIG)
    step = StepJobs.of(shapes_of(TINY, recipe_of()), 4, CONFIG)
    report = training_report(made, step, board="ulx3s_85f", baud=BAUD)
    cycles = sum(layer.cost.cycles for layer in step_costs(step, CONFIG))
    sent, received = line_bytes(step, CONFIG)
    assert (report["cycles"], report["batch"], report["config"]) == (cycles, 4, CONFIG.as_dict())
    assert report["step_seconds_engine"] == cycles / made.clock_hz
    assert (report["step_bytes_in"], report["step_bytes_out"]) == (sent, received)
    assert report["step_seconds_host"] == (sent + received) * 10 / BAUD


def test_settings_hold_the_engine():
    made = training_bitstream(CONFIG)
    settings = json.loads(training_settings(made, {"a.bit": b"bits"}, board="ulx3s_85f", baud=BAUD))
    assert settings["training"] is True and settings["baud"] == BAUD and "a.bit" in settings["sha256"]
    assert config_of("board.json", settings) == EngineConfig(**settings["config"]) == CONFIG
    interface = settings["protocol"]["board_words"]["interface"]
    assert interface["fields"][0]["reset"] == int(interface_sha256(CONFIG)[:8], 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"port_bytes": 8}, "port_bytes is 8; accepted on a board: 4, because its serial line"),
        ({"weights": "stream"}, "weights is 'stream'; accepted on a board: 'onchip'"),
    ],
)
def test_engines_that_a_line_cannot_feed(changes, message):
    config = CONFIG.replace(**changes)
    with pytest.raises(InputError, match=message):
        training_board(config, interface_sha256(config), clock_hz=50e6, baud=BAUD)
