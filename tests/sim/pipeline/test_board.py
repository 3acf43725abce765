# amaranth: UnusedElaboratable=no
"""The Verilog of boards with pipelines, compiled, against the host program, through the pins of the line."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images, run_integer
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw.pipeline.board import pipeline_board
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.shell.driver import Board
from dorefa.hw.shell.serial_link import packet_command
from dorefa.sim.verilator.serial_line import compiled_port

from .test_streams import network_of

BAUD, DIVISOR = 1_000_000, 4
# Of a byte on the line.
BYTE_CYCLES = 10 * DIVISOR


def check(network, plan, images, *, cuts=()):
    """Classifies images; in front of those in `cuts` a transfer breaks after so many bytes. Returns the
    sums."""
    core = pipeline_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD)
    cycles = len(images) * (images[0].size * BYTE_CYCLES + plan.latency)
    with compiled_port(core, divisor=DIVISOR, timeout=plan.latency + 20 * BYTE_CYCLES, cycles=cycles) as port:
        board = Board(port, "board")
        board.connect()
        results = []
        for number, image in enumerate(images):
            if number in cuts:
                port.write(packet_command(image.tobytes())[: cuts[number]])
                board.connect()
            results.append(board.run(image[np.newaxis])[0])
            assert board.cycles() == plan.latency
        assert board.errors() == []
    found = np.array(results)
    expected = run_integer(network, images)[network.layers[-1].name]
    assert (found == expected).all()
    return found


@pytest.mark.parametrize("number", range(3))
def test_random_networks(number, seed):
    number += 700 + 1000 * seed
    rng = np.random.default_rng(number)
    network = network_of(number)
    plan = make_plan(network, evaluations=0, absorbs=bool(number % 2), pace=int(rng.choice([1, 3, 200])))
    images = random_images(network, 8, number)
    # A break within the command, behind the first pixel, and in place of the last byte.
    size = images[0].size
    check(network, plan, images, cuts={1: 3, 4: 6, 6: 5 + size - 1})


@pytest.mark.slow
def test_digits_through_the_pins_of_an_ulx3s():
    """The pipeline of `dorefa build digits-small --board ulx3s_85f --architecture pipeline`, four cycles a
    bit."""
    network = lower(catalog.load("digits-small"))
    plan = make_plan(network, absorbs=True)
    images, labels = digits_sample()
    found = check(network, plan, images[:200], cuts={17: 400})
    last = network.layers[-1]
    scores = found * last.logit_scale + last.logit_bias
    assert (scores.argmax(axis=1) == labels[:200]).mean() > 0.95
