"""The byte protocol, byte by byte, without an engine: bus accesses, images, answers, errors."""

import struct

import pytest

from dorefa.hw.config.engine import preset
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import (
    BOARD_IDENTITY,
    BOARD_REGISTERS,
    board_registers,
    training_board_registers,
)
from dorefa.hw.shell.board_core import port_shapes
from dorefa.hw.shell.serial_host import IMAGE, READ, WRITE, SerialHost

from ..support import simulate

CONFIG = preset("tiny")
WORDS = CONFIG.replace(port_bytes=4)
ERRORS = BOARD_REGISTERS["errors"]
BREAK = None


def run(
    sent, *, ready=lambda cycle: True, results=(), registers=None, config=CONFIG, shape=(3, 4, 2), classes=5
):
    """Feeds a SerialHost with bytes (and breaks) and returns what came out.

    `ready(cycle)`: of the image port; `results`: (data, last) of the engine, or (data, last, keep);
    `registers`: words that the bus answers. Returns a dictionary: bytes `answer`, `writes`, `reads`,
    `beats`, `errors`.
    """
    words = board_registers(shape, classes=classes, result_bytes=config.result_bits // 8)
    unit = SerialHost(words, **port_shapes(config))
    seen = {"answer": b"", "writes": [], "beats": [], "errors": 0}
    registers = registers or {}

    async def feed(ctx):
        for byte in sent:
            ctx.set(unit.data, byte or 0)
            ctx.set(unit.valid, byte is not BREAK)
            ctx.set(unit.broken, byte is BREAK)
            await ctx.tick()
            ctx.set(unit.valid, 0)
            ctx.set(unit.broken, 0)
            await ctx.tick()
        for data, last, *keep in results:
            payload = {"data": data, "last": last} | ({"keep": keep[0]} if keep else {})
            ctx.set(unit.result.payload, payload)
            ctx.set(unit.result.valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(unit.result.ready)
            ctx.set(unit.result.valid, 0)
        for _ in range(30):
            await ctx.tick()
        seen["errors"] = ctx.get(unit.errors)
        seen["receiving"] = ctx.get(unit.receiving)

    async def bus(ctx):
        async for _, _, place, enable, data in ctx.tick().sample(
            unit.host.addr, unit.host.w_en, unit.host.w_data
        ):
            if enable:
                seen["writes"].append((place, data))
            ctx.set(unit.host.r_data, registers.get(place, 0))

    async def image(ctx):
        cycle = 0
        ctx.set(unit.image.ready, ready(0))
        async for _, _, valid, taken, beat in ctx.tick().sample(
            unit.image.valid, unit.image.ready, unit.image.payload
        ):
            if valid and taken:
                seen["beats"].append((beat.data, beat.keep, beat.last))
            cycle += 1
            ctx.set(unit.image.ready, ready(cycle))

    async def answers(ctx):
        ctx.set(unit.o.ready, 1)
        async for _, _, valid, byte in ctx.tick().sample(unit.o.valid, unit.o.payload):
            if valid:
                seen["answer"] += bytes([byte])

    simulate(unit, feed, limit=5000, monitors=[bus, image, answers])
    return seen


def command(letter, *words):
    return [letter, *struct.pack(f"<{len(words)}I", *words)]


def test_writes_reach_the_bus_in_order(rng):
    width = MemoryMap.of(CONFIG).address_bits
    pairs = [(int(rng.integers(1 << width)), int(rng.integers(1 << 32))) for _ in range(20)]
    seen = run(sum((command(WRITE, *pair) for pair in pairs), []))
    assert seen["writes"] == pairs
    assert (seen["answer"], seen["beats"], seen["errors"]) == (b"", [], 0)


def test_reads_answer_with_the_bus(rng):
    words = {place: int(rng.integers(1 << 32)) for place in (0, 3, 7)}
    for place, word in words.items():
        seen = run(command(READ, place), registers=words)
        assert seen["answer"] == struct.pack("<I", word)
        assert seen["writes"] == [] and seen["errors"] == 0


def board_words(**network):
    """Every word of a board with this network, read over the line."""
    return {
        name: struct.unpack("<I", run(command(READ, register.address), **network)["answer"])[0]
        for name, register in BOARD_REGISTERS.items()
    }


def test_the_boards_own_words():
    assert board_words() == {
        "identity": BOARD_IDENTITY,
        "shape": 3 | 4 << 16,
        "results": 5 | 4 << 16,
        "errors": 0,
        "channels": 2,
        "interface": 0,
    }


def test_the_greatest_sizes():
    words = board_words(shape=(65535, 65535, 65535), classes=65535, config=CONFIG.replace(acc_bits=40))
    assert words["shape"] == 65535 | 65535 << 16
    assert words["results"] == 65535 | 8 << 16
    assert words["channels"] == 65535


@pytest.mark.parametrize("length", [1, 2, 24, 300])
def test_an_image_becomes_one_packet(length, rng):
    data = rng.integers(0, 256, length).tolist()
    assert run([*command(IMAGE, length), *data[:-1]])["receiving"]
    seen = run([*command(IMAGE, length), *data])
    assert seen["beats"] == [(byte, 1, n == length - 1) for n, byte in enumerate(data)]
    assert (seen["errors"], seen["receiving"], seen["writes"]) == (0, 0, [])


@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 301])
def test_a_packet_of_wider_beats(length, rng):
    """Full beats but the last, which keeps what there is; the next packet begins with a beat of its own."""
    data = rng.integers(0, 256, length).tolist()
    seen = run([*command(IMAGE, length), *data, *command(IMAGE, 1), 7], config=WORDS)
    beats = [data[first : first + 4] for first in range(0, length, 4)] + [[7]]
    kept = [(1 << len(beat)) - 1 for beat in beats]
    assert [(beat[1], beat[2]) for beat in seen["beats"]] == list(
        zip(kept, [0] * (len(beats) - 2) + [1, 1], strict=True)
    )
    found = [
        list(beat[0].to_bytes(4, "little"))[: len(own)]
        for beat, own in zip(seen["beats"], beats, strict=True)
    ]
    assert (found, seen["errors"]) == (beats, 0)


def test_a_break_in_a_wider_beat():
    seen = run([*command(IMAGE, 9), 1, 2, 3, 4, 5, BREAK, *command(IMAGE, 2), 6, 7], config=WORDS)
    assert [beat[1:] for beat in seen["beats"]] == [(15, 0), (0, 1), (3, 1)]
    assert seen["beats"][2][0] & 0xFFFF == 0x0706 and seen["errors"] == 1


def test_a_wider_beat_for_a_busy_engine_is_an_error():
    for data, errors in (([1, 2, 3], 0), ([1, 2, 3, 4], 2)):
        seen = run([*command(IMAGE, 8), *data], ready=lambda cycle: False, config=WORDS)
        assert seen["errors"] == errors


def test_the_words_of_a_board_whose_engine_trains():
    registers = training_board_registers(64 * "7", result_bytes=4)
    unit = {name: register.reset_word for name, register in registers.items() if register.constant}
    assert unit == {
        "identity": BOARD_IDENTITY,
        "shape": 0,
        "results": 4 << 16,
        "channels": 0,
        "interface": 0x77777777,
    }


def test_of_wide_results_those_that_are_kept():
    values = [7, -1, 1 << 20, -(1 << 31), (1 << 31) - 1]
    packed = struct.pack("<5i", *values)
    beats = [
        (int.from_bytes(packed[:12], "little"), 0, 0xFFF),
        (int.from_bytes(packed[12:] + b"\x55" * 4, "little"), 1, 0xFF),
    ]
    config = CONFIG.replace(rows=6, quant=3, results="wide")
    assert run([], results=beats, config=config)["answer"] == packed


def test_results_are_little_endian_and_signed():
    values = [0, -1, 1 << 20, -(1 << 31), (1 << 31) - 1]
    seen = run([], results=[(value, n == 4) for n, value in enumerate(values)])
    assert seen["answer"] == struct.pack("<5i", *values)


def test_wide_results_take_eight_bytes():
    config = CONFIG.replace(acc_bits=40)
    seen = run([], results=[(-(1 << 38), 1)], config=config)
    assert seen["answer"] == struct.pack("<q", -(1 << 38))


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_break_ends_a_command(cut):
    """Whatever was under way has no effect, and the next command works."""
    seen = run([*command(WRITE, 5, 6)[:cut], BREAK, *command(WRITE, 1, 2)])
    assert seen["writes"] == [(1, 2)]
    assert seen["errors"] == 1


def test_a_break_ends_an_image_with_an_empty_beat():
    seen = run([*command(IMAGE, 9), 1, 2, 3, BREAK, *command(IMAGE, 1), 4])
    assert seen["beats"][:3] == [(1, 1, 0), (2, 1, 0), (3, 1, 0)]
    assert seen["beats"][3][1:] == (0, 1)
    assert seen["beats"][4:] == [(4, 1, 1)]
    assert seen["errors"] == 1


def test_a_byte_for_a_busy_engine_is_an_error():
    seen = run([*command(IMAGE, 3), 1, 2, 3], ready=lambda cycle: False)
    assert (seen["beats"], seen["errors"], seen["receiving"]) == ([], 2, 0)


def test_unknown_commands_and_empty_images_are_errors_until_cleared():
    def clear(**which):
        return command(WRITE, ERRORS.address, ERRORS.encode(**which))

    assert run([0x00])["errors"] == 4
    assert run(command(IMAGE, 0))["errors"] == 4
    seen = run([0x7A, BREAK, *command(READ, ERRORS.address)])
    assert seen["answer"] == struct.pack("<I", 5)
    assert run([0x7A, *clear(unknown=1)])["errors"] == 0
    # A 1 clears its own error alone.
    assert run([0x7A, *clear(framing=1, overrun=1)])["errors"] == 4
    assert run([0x7A, BREAK, *clear(unknown=1)])["errors"] == 1
    assert run([0x7A, BREAK, *command(WRITE, ERRORS.address, ERRORS.clear_word)])["errors"] == 0
    # Clearing is no write on the engine's bus.
    assert run(clear(unknown=1))["writes"] == []


def test_nothing_but_a_command_clears_errors():
    """Not an image that ends as one that does, nor words that are the address."""
    clearing = [*struct.pack("<2I", ERRORS.address, ERRORS.clear_word)]
    assert run([0x7A, *command(IMAGE, 8), *clearing])["errors"] == 4
    assert run([0x7A, *command(WRITE, 5, ERRORS.address), *command(WRITE, 1, 2)])["errors"] == 4
