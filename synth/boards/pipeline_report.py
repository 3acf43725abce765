"""What `dorefa build --architecture pipeline`, or `hybrid`, says about a bitstream: figures, and settings for
the host's program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dorefa.hw.interface.pipeline_registers import PIPELINE_REGISTERS

from .bitstream import Bitstream
from .report import common_report, common_settings, line_seconds, network_settings, registers_settings


def pipeline_report(made: Bitstream, plan: Any, *, board: str, baud: int) -> dict:
    """The machine-readable report of a :class:`.Bitstream` with the pipeline or hybrid of a
    plan.

    `fps` is the fastest clock of the routing over the interval of images, `fps_clock` the same at the
    bitstream's clock, and `latency_us` microseconds there from the first pixel to the last number: all three
    by itself. `fps_host` is what the serial line carries without one behind it, and
    `fps_end_to_end` line and latency one after the other, as they happen: an image goes in when it is whole.
    """
    line, latency = line_seconds(made, plan.network, baud), plan.latency / made.clock_hz
    return common_report(made, board=board, baud=baud) | {
        "network": plan.network.name,
        "fps": made.fmax_hz / plan.interval,
        "fps_clock": made.clock_hz / plan.interval,
        "latency_us": 1e6 * latency,
        "fps_host": 1 / line,
        "fps_end_to_end": 1 / (line + latency),
    }


def pipeline_settings(
    made: Bitstream, plan: Any, files: Mapping[str, bytes], *, architecture: str, board: str, baud: int
) -> str:
    """Text of the settings file, JSON: what a program needs to use a board with the pipeline or hybrid of a
    plan, and the hashes of the `files` that it belongs to, {name: content}."""
    contents = common_settings(made, files, board=board, baud=baud)
    contents["protocol"]["registers"] = registers_settings(PIPELINE_REGISTERS)
    own = {
        "architecture": architecture,
        "interval_cycles": plan.interval,
        "latency_cycles": plan.latency,
    }
    return json.dumps(network_settings(plan.network) | own | contents, indent=2) + "\n"
