"""Steps through the host's program and the pins of a board's line, on the compiled core of its bitstream."""

import numpy as np
import pytest

from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.zoo.architectures import find
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.compiler.training.sizing import fit_training
from dorefa.hw.compiler.training.step_jobs import StepJobs
from dorefa.hw.generate.file_set import interface_sha256
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.shell.board_core import training_board
from dorefa.hw.shell.training_board import TrainingBoard
from dorefa.sim.training.engine import TrainingEngine
from dorefa.sim.training.engine_backend import EngineBackend
from dorefa.sim.verilator.serial_line import compiled_port
from dorefa.synth.boards.training_report import line_bytes

from ...golden.train.support import TINY, recipe_of
from ..conftest import TRAINING
from .test_engine_backend import shapes_of, steps

BAUD, DIVISOR = 1_000_000, 4


class Counted(TrainingBoard):
    """A board that counts the bytes of packets and of words for weights and thresholds, and of answers."""

    sent_data = answered = 0

    def __init__(self, port, config):
        super().__init__(port, "board")
        memory_map = MemoryMap.of(config)
        self.shift = memory_map.select_shift
        self.counted = memory_map.weights.select, memory_map.thresholds.select

    def write(self, words):
        words = list(words)
        self.sent_data += sum(9 for address, _ in words if address >> self.shift in self.counted)
        super().write(words)

    def run(self, images, weights=(), *, answer_bytes, limit):
        self.sent_data += images.size + 5 * len(images)
        self.answered += len(images) * answer_bytes
        return super().run(images, weights, answer_bytes=answer_bytes, limit=limit)


def check_step(architecture, recipe, batch, config, images, labels, *, cycles, timeout):
    """A step on the board is golden's, and takes the bytes that are predicted."""
    step = StepJobs.of(shapes_of(architecture, recipe), batch, config)
    digest = interface_sha256(config)
    core = training_board(config, digest, clock_hz=BAUD * DIVISOR, baud=BAUD)
    with compiled_port(core, divisor=DIVISOR, timeout=timeout, cycles=cycles) as port:
        board = Counted(port, config)
        board.connect_engine(digest, "here")
        engine = TrainingEngine(session=board, program=JobProgram.of(step.jobs, config))
        engine.load()
        backend = EngineBackend(engine, step, 7)
        found = steps(architecture, recipe, backend, [(images, labels)])
    assert found == steps(architecture, recipe, MatrixBackend(7), [(images, labels)])
    assert (board.sent_data, board.answered) == line_bytes(step, config)
    print(f"{board.sent:,} bytes sent, {board.received:,} received")
    # Nobody counts cycles on a board.
    assert {cost.cost.cycles for cost in backend.costs(1)} == {0}


def test_a_step_of_a_small_network(rng):
    images = rng.integers(0, 256, (2, *TINY.input_shape), np.uint8)
    config = TRAINING.replace(weights="onchip", weight_depth=256)
    check_step(TINY, recipe_of(), 2, config, images, np.array([2, 0]), cycles=1, timeout=10_000)


@pytest.mark.slow
def test_a_step_of_digits():
    """On the array of 32 lanes x 16 rows; 2.6 million bytes, some minutes."""
    digits, recipe = find("digits"), recipe_of()
    images, labels = digits_sample()
    config = fit_training(shapes_of(digits, recipe), 1, weights="onchip", port_bytes=4)
    check_step(digits, recipe, 1, config, images[:1], labels[:1], cycles=10**8, timeout=200_000)
