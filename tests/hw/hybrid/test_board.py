# amaranth: UnusedElaboratable=no
"""The host's program against a board with a hybrid, through the pins of its line."""

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.golden.errors import InputError
from dorefa.hw.hybrid.board import hybrid_board
from dorefa.hw.interface.pipeline_registers import PIPELINE_REGISTERS
from dorefa.hw.shell.driver import Board
from dorefa.hw.shell.serial_link import packet_command
from dorefa.sim.amaranth.serial_port import SimulatedPort

from ...board_support import BAUD, DIVISOR
from .hybrids import expected, network_of, plan_of

DROPPED = PIPELINE_REGISTERS["status"].fields[1].meaning


def board_of(number):
    """A network, its plan, a Board with its hybrid on a simulated port, and the port."""
    network = network_of(number)
    plan = plan_of(network, np.random.default_rng(number))
    core = hybrid_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD)
    port = SimulatedPort(core, divisor=DIVISOR, timeout=plan.latency + 1000)
    board = Board(port, "COM9")
    board.connect()
    return network, plan, board, port


@pytest.mark.parametrize("number", [2, 3])
def test_images_through_the_pins(number, seed):
    number += 1000 * seed
    network, plan, board, _ = board_of(number)
    assert board.input_shape == network.input_shape
    assert (board.classes, board.result_bytes) == (network.classes, 4)
    images = random_images(network, 3, number)
    outputs = board.run(images)
    assert outputs.dtype == np.int64 and (outputs == expected(network, images)).all()
    assert board.cycles() == plan.latency
    assert board.errors() == []


@pytest.mark.parametrize("more", [-1, 1])
def test_images_of_a_wrong_length(more, seed):
    """They never reach the hybrid, and the next one is answered."""
    network, _, board, port = board_of(3)
    images = random_images(network, 2, seed)
    data = images[0].tobytes()
    port.write(packet_command(data[:more] if more < 0 else data + bytes(more)))
    assert port.read(1) == b""
    with pytest.raises(InputError, match=f"COM9: the board saw {DROPPED}; accepted: "):
        board.check_errors()
    board.clear_errors()
    assert (board.run(images[1:]) == expected(network, images[1:])).all()
