# amaranth: UnusedElaboratable=no
"""What the tests of boards share: a small network, a simulated board with it, a device in front of that."""

import os
import select
import threading
import tty
from contextlib import contextmanager

import numpy as np

from dorefa.golden import lower, random_network, run_integer
from dorefa.hw import compile_network, fit
from dorefa.hw.generate.file_set import interface_sha256
from dorefa.hw.shell.board_core import network_board, training_board
from dorefa.sim.amaranth.serial_port import SimulatedPort
from dorefa.synth.boards.bitstream import Bitstream
from dorefa.synth.boards.catalog import find_board

BAUD, DIVISOR = 1_000_000, 4


def small_network(seed):
    """A compiled network with a small image that computes for longer than a command takes on the line."""
    for attempt in range(seed * 1000, seed * 1000 + 1000):
        network = lower(
            random_network(attempt, conv_layers=1, a_bits=2, max_macs=20_000, max_size=6, max_channels=6)
        )
        compiled = compile_network(network, fit(network, lanes=8, rows=2))
        if np.prod(network.input_shape) < 50 and 400 < compiled.cycles < 1000:
            return compiled
    raise AssertionError("no small network in a thousand")


def port_of(compiled, *, divisor=DIVISOR):
    """A serial port with a simulated board; `divisor`: cycles a bit of the host's side."""
    core = network_board(compiled, clock_hz=BAUD * DIVISOR, baud=BAUD)
    return SimulatedPort(core, divisor=divisor, timeout=compiled.cycles + 1000)


def scores(compiled, images):
    """What golden says of the last layer: int64 (batch, classes)."""
    return run_integer(compiled.network, images)[compiled.layers[-1].name]


def emptied(compiled):
    """The compiled network with nothing in its memories and registers, as an engine that waits for one."""
    blank = {name: _zeros(contents) for name, contents in compiled.memories.items() if name != "registers"}
    registers = {"layers": 0, "image_bytes": 1, "control": 0}
    return type(compiled)(compiled.plan, compiled.layers, blank | {"registers": registers}, [])


def _zeros(contents):
    return [_zeros(part) if isinstance(part, list) else 0 for part in contents]


@contextmanager
def on_a_terminal(port):
    """Name of a terminal device that behaves as the simulated serial `port`."""
    host_side, board_side = os.openpty()
    tty.setraw(board_side)
    ended = threading.Event()

    def carry():
        while not ended.is_set():
            if select.select([host_side], [], [], 0.01)[0]:
                port.write(os.read(host_side, 4096))
            # Until the board has been silent for a while; it goes on the next time.
            os.write(host_side, port.read(1 << 16))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield os.ttyname(board_side)
    finally:
        ended.set()
        thread.join()
        os.close(host_side)
        os.close(board_side)


def training_bitstream(config):
    """What is known of a bitstream of this engine, which trains, without its making."""
    return bitstream_of(training_board(config, interface_sha256(config), clock_hz=50e6, baud=BAUD))


def bitstream_of(core):
    """What is known of a bitstream of this core, without its making."""
    return Bitstream(
        files={"bit": b""},
        verilog="",
        clock_hz=50e6,
        fmax_hz=60e6,
        utilization={"TRELLIS_COMB": {"used": 1, "available": 2}},
        bram_registers=0,
        register_copies=0,
        tools={},
        core=core,
        target=find_board("ulx3s_85f").target,
    )
