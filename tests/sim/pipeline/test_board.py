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
from dorefa.hw.verilog import export
from dorefa.sim.verilator.serial_line import compiled_port
from dorefa.synth.flow.netlist import make_netlist
from dorefa.synth.flow.units import Unit

from .test_streams import network_of

BAUD, DIVISOR = 1_000_000, 4
# Of a byte on the line.
BYTE_CYCLES = 10 * DIVISOR


def check(network, plan, images, *, cuts=(), netlist=None):
    """Classifies images; in front of those in `cuts` a transfer breaks after so many bytes; netlist(core):
    Verilog that runs instead of the core's own. Returns the sums."""
    core = pipeline_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD)
    cycles = len(images) * (images[0].size * BYTE_CYCLES + plan.latency)
    verilog = None if netlist is None else netlist(core)
    timeout = plan.latency + 20 * BYTE_CYCLES
    with compiled_port(core, divisor=DIVISOR, timeout=timeout, cycles=cycles, verilog=verilog) as port:
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
@pytest.mark.parametrize("target", [pytest.param("ecp5", marks=pytest.mark.sample), "ice40"])
def test_netlist(target, tmp_path):
    """In the cells of a family, with the vendor's models."""
    network = network_of(503, size=5)
    plan = make_plan(network, evaluations=20, absorbs=target == "ecp5")

    def netlist(core):
        text = export.export(core, name=export.MODULE, fabric=target)
        unit = Unit(name="board", top=export.MODULE, text=text, size="", binary_ops_per_cycle=0)
        return make_netlist(unit, target, folder=tmp_path).text

    images = random_images(network, 4, 1)
    check(network, plan, images, cuts={2: 5 + images[0].size - 1}, netlist=netlist)


@pytest.mark.slow
def test_digits_through_the_pins_of_an_ulx3s():
    """The pipeline of `dorefa build digits-small --board ulx3s_85f --architecture pipeline`, four cycles a
    bit."""
    network = lower(catalog.load("digits-small"))
    plan = make_plan(network, absorbs=True)
    images, labels = digits_sample()
    found = check(network, plan, images[:100], cuts={17: 400})
    last = network.layers[-1]
    scores = found * last.logit_scale + last.logit_bias
    assert (scores.argmax(axis=1) == labels[:100]).mean() > 0.95
