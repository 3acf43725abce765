"""What `dorefa build` says about a bitstream: figures, and the settings for the host's program."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.hw.compiler.compile import CompiledNetwork
from dorefa.hw.generate.file_set import interface_sha256, sha256
from dorefa.hw.interface.register import Register
from dorefa.hw.shell import serial_host
from dorefa.hw.shell.board_core import BoardCore
from dorefa.hw.shell.uart import FRAME_BITS

from .bitstream import Bitstream

# A command and the length of an image.
HEADER_BYTES = 5


def result_bytes(made: Bitstream) -> int:
    """Bytes of a result on the line."""
    register = made.core.registers["results"]
    return register.decode(register.reset_word)["result_bytes"]


def line_seconds(made: Bitstream, network: IntegerNetwork, baud: float) -> float:
    """Seconds for which an image of the network inside and its results occupy the line; one follows the
    other."""
    image = math.prod(network.input_shape)
    results = network.classes * result_bytes(made)
    return (HEADER_BYTES + image + results) * FRAME_BITS / baud


def network_settings(network: IntegerNetwork) -> dict:
    """What a host's program needs of a network with classes."""
    last = network.layers[-1]
    assert last.logit_scale is not None and last.logit_bias is not None, "the last layer has classes"
    return {
        "network": network.name,
        "input_shape": list(network.input_shape),
        "classes": network.classes,
        "scale": [float(value) for value in last.logit_scale],
        "bias": [float(value) for value in last.logit_bias],
    }


def common_report(made: Bitstream, *, board: str, baud: int) -> dict:
    """What the report of every :class:`.bitstream.Bitstream` has, a dictionary ready for JSON."""
    return {
        "board": board,
        "fmax_mhz": made.fmax_hz / 1e6,
        "clock_mhz": made.clock_hz / 1e6,
        "baud": baud,
        "luts": made.luts,
        "lut_kind": "packed logic cells",
        "brams": made.brams,
        "utilization": made.utilization,
        "tools": made.tools,
    }


def engine_core(made: Bitstream) -> BoardCore:
    """The core of a bitstream with an engine."""
    assert isinstance(made.core, BoardCore), "an engine"
    return made.core


def report(made: Bitstream, compiled: CompiledNetwork, *, board: str, baud: int) -> dict:
    """The machine-readable report of a :class:`.bitstream.Bitstream` with the network `compiled`.

    `fps` is the fastest clock of the routing over the interval of images, their loading included,
    `fps_clock` the same at the bitstream's clock, `latency_us` at that clock from the first byte of an image
    to its last result, without the line. `fps_host` is what the serial line carries without an engine behind
    it and `fps_end_to_end` both one after the other, as they happen.
    """
    line = line_seconds(made, compiled.network, baud)
    compute = compiled.cycles / made.clock_hz
    return common_report(made, board=board, baud=baud) | {
        "config": engine_core(made).config.as_dict(),
        "network": compiled.network.name,
        "cycles": compiled.cycles,
        "interval_cycles": compiled.interval,
        "latency_cycles": compiled.latency,
        "latency_us": 1e6 * compiled.latency / made.clock_hz,
        "fps": made.fmax_hz / compiled.interval,
        "fps_clock": made.clock_hz / compiled.interval,
        "fps_host": 1 / line,
        "fps_end_to_end": 1 / (line + compute),
        "memory_bits": compiled.memory_bits,
    }


def common_settings(made: Bitstream, files: Mapping[str, bytes], *, board: str, baud: int) -> dict:
    """What every settings file has: the line, the protocol, and the hashes of the `files` that it belongs to,
    {name: content}."""
    return {
        "board": board,
        "baud": baud,
        "line": "8N1",
        "clock_mhz": made.clock_hz / 1e6,
        "sha256": {name: sha256(content) for name, content in files.items()},
        "protocol": {
            "write": serial_host.WRITE,
            "read": serial_host.READ,
            "image": serial_host.IMAGE,
            "result_bytes": result_bytes(made),
            "board_words": registers_settings(made.core.registers),
        },
    }


def registers_settings(registers: Mapping[str, Register]) -> dict:
    """What a host's program needs of a table of registers."""
    return {
        register.name: {
            "address": register.address,
            "meaning": register.meaning,
            "fields": [field.as_dict() for field in register.fields],
        }
        for register in registers.values()
    }


def settings(
    made: Bitstream, compiled: CompiledNetwork, files: Mapping[str, bytes], *, board: str, baud: int
) -> str:
    """Text of the settings file, JSON: what a program needs to use a board with the network `compiled`
    through its serial port, and the hashes of the `files` that it belongs to, {name: content}."""
    contents = {
        **network_settings(compiled.network),
        "cycles": compiled.cycles,
        "interface_sha256": interface_sha256(engine_core(made).config),
        **common_settings(made, files, board=board, baud=baud),
    }
    return json.dumps(contents, indent=2) + "\n"
