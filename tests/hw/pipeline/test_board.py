# amaranth: UnusedElaboratable=no
"""The host's program against a board with a pipeline, through the pins of its line, byte for byte."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from amaranth import Module

from dorefa.golden import random_images
from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import preset
from dorefa.hw.interface.pipeline_registers import PIPELINE_REGISTERS
from dorefa.hw.pipeline.board import pipeline_board
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.shell.driver import Board
from dorefa.hw.shell.serial_link import packet_command
from dorefa.hw.shell.uart import FRAME_BITS, UartTransmitter
from dorefa.sim.amaranth.serial_port import SimulatedPort

from ...board_support import BAUD, DIVISOR
from ..support import simulate
from .bench import expected, network_of, plan_of

DROPPED = PIPELINE_REGISTERS["status"].fields[1].meaning


def board_of(plan, name="board", divisor=DIVISOR):
    """A Board with the pipeline of a plan on a simulated port, not yet connected, and the port."""
    core = pipeline_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD)
    port = SimulatedPort(core, divisor=divisor, timeout=plan.latency + 1000)
    return Board(port, name), port


def small(seed, **sizes):
    """A network, and a plan of it without a search."""
    network = network_of(seed)
    return network, make_plan(network, evaluations=0, **sizes)


@pytest.mark.parametrize("number", [2, 3])
def test_images_through_the_pins(number, seed):
    number += 1000 * seed
    network = network_of(number)
    plan = plan_of(network, np.random.default_rng(number))
    board, _ = board_of(plan)
    board.connect()
    assert board.is_pipeline and board.input_shape == network.input_shape
    assert board.classes == network.classes and board.result_bytes in (1, 2, 4, 8)
    images = random_images(network, 3, number)
    outputs = board.run(images)
    assert outputs.dtype == np.int64 and (outputs == expected(network, images)).all()
    assert board.cycles() == plan.latency
    assert board.errors() == []


def test_a_pipeline_slower_than_the_line(seed):
    """An image waits for its pixels' turns, and not the line, which brings a pixel in 80 cycles."""
    network, plan = small(3, pace=100)
    board, _ = board_of(plan)
    board.connect()
    images = random_images(network, 2, seed)
    assert (board.run(images) == expected(network, images)).all()
    assert board.cycles() == plan.latency > 3 * plan.pace and board.errors() == []


def test_the_line_byte_for_byte(seed):
    """Without the driver: what the protocol's description says is what passes over the line."""
    network, plan = small(3)
    board, port = board_of(plan)
    board.connect()
    image = random_images(network, 1, seed)
    data = image.tobytes()
    port.write(b"I" + struct.pack("<I", len(data)) + data)
    wanted = expected(network, image)[0].astype(f"<i{board.result_bytes}").tobytes()
    assert port.read(len(wanted) + 1) == wanted
    port.write(b"R" + struct.pack("<I", 0))
    assert port.read(5)[::-1] == b"DORP"
    # Words that are not there.
    for address in (3, 7):
        assert board.read(address) == 0


@pytest.mark.parametrize("kept", [1, -1])
def test_a_break_within_an_image(kept, seed):
    """The driver connects to a board that an earlier program left with a part of an image, of which nothing
    comes back."""
    network, plan = small(3)
    board, port = board_of(plan)
    board.connect()
    images = random_images(network, 2, seed)
    command = packet_command(images[0].tobytes())
    port.write(command[: 5 + kept] if kept > 0 else command[:kept])
    port.send_break()
    assert port.read(1) == b""
    assert board.errors() == ["a break or a low stop bit", DROPPED]
    board.connect()
    assert board.errors() == []
    assert (board.run(images) == expected(network, images)).all()


@pytest.mark.parametrize("more", [-1, 1])
def test_images_of_a_wrong_length(more, seed):
    network, plan = small(3)
    board, port = board_of(plan, name="COM9")
    board.connect()
    images = random_images(network, 2, seed)
    data = images[0].tobytes()
    port.write(packet_command(data[:more] if more < 0 else data + bytes(more)))
    assert port.read(1) == b""
    with pytest.raises(InputError, match=f"COM9: the board saw {DROPPED}; accepted: "):
        board.check_errors()
    # The next one is answered all the same.
    port.write(packet_command(images[1].tobytes()))
    wanted = expected(network, images[1:])[0].astype(f"<i{board.result_bytes}").tobytes()
    assert port.read(len(wanted) + 1) == wanted
    board.clear_errors()
    assert board.errors() == []


def test_an_image_while_the_one_before_waits(seed):
    """Its bytes are lost and told of; what is answered is right."""
    network, plan = small(3, pace=1000)
    board, port = board_of(plan)
    board.connect()
    images = random_images(network, 2, seed)
    port.write(packet_command(images[0].tobytes()) + packet_command(images[1].tobytes()))
    wanted = expected(network, images[:1])[0].astype(f"<i{board.result_bytes}").tobytes()
    assert port.read(len(wanted) + 1) == wanted
    assert "an image byte while it was busy" in board.errors()
    board.connect()
    assert (board.run(images) == expected(network, images)).all()


def test_lights(seed):
    """Busy from the length of an image until its last number is on the line; an error until it is
    cleared."""
    network, plan = small(3)
    core, sender = pipeline_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD), UartTransmitter(DIVISOR)
    top, seen = Module(), []
    top.submodules += [core, sender]
    top.d.comb += core.rx.eq(sender.tx)

    async def send(ctx, data):
        for byte in data:
            ctx.set(sender.i.payload, byte)
            ctx.set(sender.i.valid, 1)
            while not ctx.get(sender.i.ready):
                await ctx.tick()
            await ctx.tick()
            ctx.set(sender.i.valid, 0)
        await ctx.tick().repeat((FRAME_BITS + 1) * DIVISOR)

    async def watch(ctx):
        async for _, _, busy, line in ctx.tick().sample(core.busy, core.tx):
            seen.append((busy, line))

    async def testbench(ctx):
        command = packet_command(random_images(network, 1, seed).tobytes())
        await send(ctx, command[:4])
        assert not ctx.get(core.busy)
        await send(ctx, command[4:6])
        assert ctx.get(core.busy) and all(line for _, line in seen)
        await send(ctx, command[6:])
        await ctx.tick().repeat(plan.latency + 4 * FRAME_BITS * DIVISOR)
        begun = seen[next(at for at, (busy, _) in enumerate(seen) if busy) :]
        answered = next(at for at, (_, line) in enumerate(begun) if not line)
        assert all(busy for busy, _ in begun[: answered - 1]) and not ctx.get(core.busy)
        assert not ctx.get(core.error)
        await send(ctx, b"?")
        assert ctx.get(core.error)

    simulate(top, testbench, limit=5_000, monitors=[watch])


def test_a_line_at_another_rate():
    board, _ = board_of(small(3)[1], name="COM9", divisor=3 * DIVISOR)
    with pytest.raises(InputError, match=r"COM9: .*accepted: .*"):
        board.connect()


def test_files_of_an_engine_are_refused():
    board, _ = board_of(small(3)[1], name="COM9")
    board.connect()
    with pytest.raises(InputError, match="here: is of an engine, and COM9 has a pipeline, .*; accepted: "):
        board.require_engine(preset("tiny"), "here")


def test_refused_networks():
    network, plan = small(5)
    *layers, before, _ = network.layers
    final = replace(
        before, code_bits=None, out_bits=None, thresholds=None, pool=None, out_shape=before.conv_shape
    )
    cut = replace(network, layers=(*layers, final), results=())
    with pytest.raises(InputError, match=r"gives results of \dx\dx\d; accepted on a board: one score per"):
        pipeline_board(make_plan(cut, evaluations=0), clock_hz=12e6, baud=BAUD)
    with pytest.raises(InputError, match="baud is 5000000 at a clock of 12 MHz; accepted: at most 3000000"):
        pipeline_board(plan, clock_hz=12e6, baud=5_000_000)
