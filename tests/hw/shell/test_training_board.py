"""The host's program of an engine that trains: what passes over the line, and what it refuses."""

import struct

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.interface.registers import BOARD_REGISTERS, REGISTERS
from dorefa.hw.shell.driver import Board
from dorefa.hw.shell.serial_host import IMAGE, READ, WRITE
from dorefa.hw.shell.training_board import TrainingBoard

SHA = "89abcdef" + 56 * "0"


class Line:
    """The far end of a line: words that are read are `words`, packets are answered with `answers`, the first
    `early` bytes of each before its last byte was sent."""

    def __init__(self, words=(), answers=(), early=0):
        registers = BOARD_REGISTERS["identity"], REGISTERS["identity"], REGISTERS["version"]
        self.words = {register.address: register.reset_word for register in registers} | dict(words)
        self.answers, self.early = list(answers), early
        self.sent, self.pending, self.out = b"", b"", b""
        self.writes, self.packets = [], []

    def write(self, data):
        self.sent += data
        self.pending += data
        while self._command():
            pass

    def _command(self):
        data = self.pending
        if data[:1] == bytes([READ]) and len(data) >= 5:
            self.out += struct.pack("<I", self.words.get(struct.unpack("<I", data[1:5])[0], 0))
            size = 5
        elif data[:1] == bytes([WRITE]) and len(data) >= 9:
            self.writes.append(struct.unpack("<II", data[1:9]))
            size = 9
        elif data[:1] == bytes([IMAGE]) and len(data) >= 5:
            size = 5 + struct.unpack("<I", data[1:5])[0]
            if len(data) < size:
                self.out, self.answers[0] = (
                    self.out + self.answers[0][: self.early],
                    self.answers[0][self.early :],
                )
                return False
            self.packets.append(data[5:size])
            self.out += self.answers.pop(0)
        else:
            return False
        self.pending = data[size:]
        return True

    @property
    def in_waiting(self):
        return len(self.out)

    def read(self, count):
        data, self.out = self.out[:count], self.out[count:]
        return data

    def send_break(self):
        self.pending = b""

    def reset_input_buffer(self):
        self.out = b""


def board_on(**options):
    line = Line(**options)
    return TrainingBoard(line, "COM9"), line


def run(board, packets, answer_bytes):
    return board.run(packets, answer_bytes=answer_bytes, limit=1)


@pytest.mark.parametrize("early", [0, 100])
@pytest.mark.parametrize("size", [1, 3000])
def test_packets_and_their_answers(size, early, rng):
    packets = rng.integers(0, 256, (2, size), np.uint8)
    answers = rng.integers(0, 256, (2, 2500), np.uint8)
    board, line = board_on(answers=[answer.tobytes() for answer in answers], early=early)
    found = run(board, packets, 2500)
    assert np.array_equal(found.results, answers)
    assert line.packets == [packet.tobytes() for packet in packets]
    assert (found.cycles.tolist(), found.spans.tolist()) == ([0, 0], [0, 0])
    # Behind the packets it asks for errors.
    assert board.sent == 2 * (5 + size) + 2 * 5 == len(line.sent)
    assert board.received == 2 * 2500 + 2 * 4


def test_words_are_written(rng):
    pairs = [tuple(map(int, pair)) for pair in rng.integers(0, 1 << 32, (50, 2))]
    board, line = board_on()
    board.write(iter(pairs))
    assert line.writes == pairs and board.sent == 9 * 50


def test_packets_without_answer():
    board, line = board_on(answers=[b""])
    assert run(board, np.zeros((1, 8), np.uint8), 0).results.shape == (1, 0)
    with pytest.raises(ValueError, match="the engine of a board has its weights written"):
        board.run(np.zeros((1, 8), np.uint8), [b"1234"], answer_bytes=0, limit=1)


def test_the_engine_that_the_settings_mean():
    place = BOARD_REGISTERS["interface"].address
    board, _ = board_on(words={place: 0x89ABCDEF})
    board.connect_engine(SHA, "board.json")
    for word, engine in ((0, "its engine does not train"), (7, "its engine's is 0x00000007")):
        board, _ = board_on(words={place: word})
        message = f"^COM9: {engine}; accepted: interface 0x89abcdef, that of board.json, as on the board that"
        with pytest.raises(InputError, match=message):
            board.connect_engine(SHA, "board.json")


def test_a_board_without_a_network():
    with pytest.raises(
        InputError, match="^COM9: the board has an engine that trains and no network; accepted"
    ):
        Board(Line(), "COM9").connect()


def test_a_board_that_does_not_answer():
    board, _ = board_on(answers=[b"123"])
    with pytest.raises(InputError, match="^COM9: 3 of 8 bytes came in time; accepted: a board that"):
        run(board, np.zeros((1, 4), np.uint8), 8)


def test_a_board_that_answers_too_much():
    board, _ = board_on(answers=[bytes(200)], early=100)
    with pytest.raises(InputError, match="^COM9: 200 bytes came for a packet; accepted: 8, from the engine"):
        run(board, np.zeros((1, 600), np.uint8), 8)


def test_errors_on_the_line():
    errors = BOARD_REGISTERS["errors"]
    board, _ = board_on(words={errors.address: 1}, answers=[bytes(8)])
    with pytest.raises(InputError, match="^COM9: the board saw a break or a low stop bit; accepted: a line"):
        run(board, np.zeros((1, 4), np.uint8), 8)


@pytest.mark.parametrize("method", ["write", "read", "send_break", "in_waiting"])
def test_a_port_that_goes_away(method, monkeypatch):
    board, line = board_on(answers=[bytes(8)])

    def gone(*_):
        raise OSError("device reports readiness to read but returned no data")

    monkeypatch.setattr(Line, method, property(gone) if method == "in_waiting" else gone)
    with pytest.raises(InputError, match="^COM9: device reports .*; accepted: a serial port that stays$"):
        board.connect()
        run(board, np.zeros((1, 600), np.uint8), 8)
