# amaranth: UnusedElaboratable=no
"""The host's program against the simulated board, through its pins, byte for byte."""

import dataclasses
import struct

import numpy as np
import pytest

from dorefa.golden import lower, random_images
from dorefa.golden.errors import InputError
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw import compile_network, fit
from dorefa.hw.interface.faults import FAULTS
from dorefa.hw.interface.registers import BOARD_REGISTERS, REGISTERS
from dorefa.hw.shell.board_core import network_board
from dorefa.hw.shell.driver import Board
from dorefa.synth.boards.catalog import find_board

from ...board_support import BAUD, DIVISOR, emptied, port_of, scores, small_network
from ..support import draw_layer, network


def board_of(compiled, name="board", **changes):
    """A Board on a simulated port, not yet connected, and the port."""
    port = port_of(compiled, **changes)
    return Board(port, name), port


def test_images_through_the_pins(seed):
    compiled = small_network(seed)
    board, _ = board_of(compiled)
    board.connect()
    assert board.input_shape == compiled.network.input_shape
    assert board.classes == compiled.network.classes
    images = random_images(compiled.network, 3, seed)
    outputs = board.run(images)
    assert outputs.dtype == np.int64
    assert (outputs == scores(compiled, images)).all()
    # Results wait for the line.
    assert board.cycles() >= compiled.cycles
    assert board.errors() == []


def flat_network(rng, channels, lanes, **sizes):
    """One fully connected layer on an image of a single pixel, compiled."""
    layer = draw_layer(rng, "fc", (3, 1, 1, channels), kind="fc", w_bits=1, a_bits=None)
    integers = lower(network((1, 1, channels), 2, layer))
    return compile_network(integers, fit(integers, lanes=lanes, **({"rows": 1} | sizes)))


def test_wide_results_through_the_pins(rng, seed):
    """Three sums in groups of two."""
    compiled = flat_network(rng, 20, 16, rows=2, quant=2, results="wide")
    board, _ = board_of(compiled)
    board.connect()
    images = random_images(compiled.network, 2, seed)
    assert (board.run(images) == scores(compiled, images)).all()


def test_an_image_of_300_channels(rng, seed):
    compiled = flat_network(rng, 300, 16)
    board, _ = board_of(compiled)
    board.connect()
    assert (board.input_shape, board.classes, board.result_bytes) == ((1, 1, 300), 3, 4)
    images = random_images(compiled.network, 1, seed)
    assert (board.run(images) == scores(compiled, images)).all()


def test_a_network_whose_sizes_do_not_fit_the_boards_words(rng):
    compiled = flat_network(rng, 70_000, 64)
    message = r"register channels: field channels is 70000; accepted: 0 to 65535 \(16 bits\)"
    with pytest.raises(InputError, match=message):
        network_board(compiled, clock_hz=12e6, baud=BAUD)


@pytest.mark.slow
def test_trained_digits_through_the_pins_of_an_icebreaker():
    """The engine of `dorefa build digits-small --board icebreaker`, four cycles a bit: it answers the first
    test images with golden's accumulators."""
    network = lower(catalog.load("digits-small"))
    compiled = compile_network(network, fit(network, **find_board("icebreaker").sizes))
    board, _ = board_of(compiled)
    board.connect()
    assert board.input_shape == (28, 28, 1)
    images, labels = digits_sample()
    outputs = board.run(images[:2])
    assert (outputs == scores(compiled, images[:2])).all()
    assert (outputs.argmax(1) == labels[:2]).all()
    assert board.cycles() >= compiled.cycles


def test_the_line_byte_for_byte(seed):
    """Without the driver: what the protocol's description says is what passes over the line."""
    compiled = small_network(seed)
    _, port = board_of(compiled)
    image = random_images(compiled.network, 1, seed)
    data = image.tobytes()
    port.write(b"I" + struct.pack("<I", len(data)) + data)
    expected = scores(compiled, image)[0].astype("<i4").tobytes()
    assert port.read(len(expected) + 1) == expected


@pytest.mark.slow
@pytest.mark.sample
def test_another_network_of_the_same_size_loads_over_the_line(seed):
    """Every memory and register, written by the driver, replaces what the bitstream held."""
    compiled = small_network(seed)
    board, _ = board_of(compiled)
    board.connect()
    images = random_images(compiled.network, 1, seed)
    board, _ = board_of(emptied(compiled))
    board.connect()
    board.load(compiled.host_writes())
    assert (board.run(images) == scores(compiled, images)).all()


def test_the_engine_that_a_board_says(seed):
    compiled = small_network(seed)
    board, _ = board_of(compiled, name="COM9")
    board.connect()
    board.require_engine(compiled.config, "here")
    other = compiled.config.replace(rows=compiled.config.rows + 1)
    with pytest.raises(
        InputError, match="here: register array is 0x1003008; accepted on COM9: 0x1002008, that"
    ):
        board.require_engine(other, "here")


def test_a_break_in_the_middle_of_an_image(seed):
    """The driver connects to a board that an earlier program left with half an image."""
    compiled = small_network(seed)
    board, port = board_of(compiled)
    port.write(b"I" + struct.pack("<I", 5) + b"\x01\x02")
    board.connect()
    images = random_images(compiled.network, 1, seed)
    assert (board.run(images) == scores(compiled, images)).all()


def test_a_byte_while_the_board_is_busy(seed):
    compiled = small_network(seed)
    board, port = board_of(compiled)
    board.connect()
    data = random_images(compiled.network, 1, seed).tobytes()
    # The second image's first byte comes 6 x 10 bits after the first image's last one.
    port.write(2 * (b"I" + struct.pack("<I", len(data)) + data))
    port.read(4 * board.classes + 1)
    with pytest.raises(InputError, match="board: the board saw an image byte while it was busy"):
        board.check_errors()
    board.connect()
    assert board.errors() == []


def test_a_load_that_came_otherwise(seed):
    """The engine's own errors reach whoever loads, or waits for an answer."""
    board, _ = board_of(small_network(seed))
    board.connect()
    begin, check = (REGISTERS[name].address for name in ("load_begin", "load_check"))
    with pytest.raises(InputError, match="board: the board saw what was loaded had another checksum"):
        board.load([(begin, 0), (check, 5)])
    assert board.errors() == [FAULTS[-1].meaning]
    board.connect()
    assert board.errors() == []


def test_a_line_at_another_rate(seed):
    compiled = small_network(seed)
    board, _ = board_of(compiled, name="COM9", divisor=3 * DIVISOR)
    with pytest.raises(InputError, match=r"COM9: .*accepted: .*"):
        board.connect()


def test_refused_images(seed):
    compiled = small_network(seed)
    board, _ = board_of(compiled, name="COM9")
    board.connect()
    height, width, channels = board.input_shape
    for images in (
        np.zeros((1, height + 1, width, channels), np.uint8),
        np.zeros((1, height, width, channels), np.int16),
        np.zeros((height, width, channels), np.uint8),
    ):
        with pytest.raises(InputError, match="COM9 accepts uint8 of shape"):
            board.run(images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"port_bytes": 2}, "port_bytes is 2; accepted on a board: 1"),
        ({"batch": 2}, "batch is 2; accepted on a board: 1"),
        ({"trunks": "stream", "trunk_bits": 16, "trunk_depth": 8}, "trunks is 'stream'; accepted on a board"),
        ({"weights": "stream"}, "weights is 'stream'; accepted on a board: 'onchip'"),
    ],
)
def test_engines_that_a_line_cannot_feed(changes, message, seed):
    compiled = small_network(seed)
    compiled.plan = dataclasses.replace(compiled.plan, config=compiled.config.replace(**changes))
    with pytest.raises(InputError, match=message):
        network_board(compiled, clock_hz=12e6, baud=BAUD)


class _Silent:
    """A port where nothing is connected."""

    def write(self, data):
        pass

    def read(self, count):
        return b""

    def send_break(self):
        pass

    def reset_input_buffer(self):
        pass


class _Stranger(_Silent):
    """A port with another device."""

    def read(self, count):
        return bytes(range(count))


def test_no_board():
    with pytest.raises(InputError, match="COM9: 0 of 4 bytes came in time"):
        Board(_Silent(), "COM9").connect()
    place = BOARD_REGISTERS["identity"].address
    with pytest.raises(InputError, match=f"COM9: word {place:#x} is 0x3020100; accepted: 0x42524f44"):
        Board(_Stranger(), "COM9").connect()
