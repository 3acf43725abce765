"""What `dorefa build --training` says about a bitstream: figures of a step, and the settings for the host's
program."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dorefa.hw.compiler.training.cost import has_own_weights
from dorefa.hw.compiler.training.cut import parts_of
from dorefa.hw.compiler.training.step_cost import step_costs
from dorefa.hw.compiler.training.step_jobs import StepJobs
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.generate.file_set import interface_sha256
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.shell.uart import FRAME_BITS

from .bitstream import Bitstream
from .report import HEADER_BYTES, common_report, common_settings, engine_core

# A command with the address and the word that it writes.
_WRITE_BYTES = 9


def line_bytes(step: StepJobs, config: EngineConfig) -> tuple[int, int]:
    """Bytes that a step sends over a board's line, and those that come back: packets and what answers them,
    weights and thresholds. Registers, a hundredth of that and less, are left out."""
    costs = [layer.cost for layer in step_costs(step, config)]
    window = MemoryMap.of(config).weights
    assert window is not None, "weights that are written"
    words = sum((1 << shape.w_bits) - 1 for shape in step.shapes)
    for job in step.jobs:
        copies = job.images(step.batch) if has_own_weights(job) else 1
        for part in parts_of(job, config):
            geometry = part.computed.geometry
            words += copies * geometry.weight_words * geometry.rows * window.pieces
    sent = sum(cost.packets * HEADER_BYTES + cost.image_bytes for cost in costs) + words * _WRITE_BYTES
    return sent, sum(cost.result_bytes for cost in costs)


def training_report(made: Bitstream, step: StepJobs, *, board: str, baud: int) -> dict:
    """The machine-readable report of a bitstream whose engine runs the jobs of `step`.

    `step_seconds_engine` are the predicted cycles of a step at the bitstream's clock, `step_seconds_host`
    what its bytes take on the line, one after another as they pass (:func:`line_bytes`).
    """
    config = engine_core(made).config
    cycles = sum(layer.cost.cycles for layer in step_costs(step, config))
    sent, received = line_bytes(step, config)
    return common_report(made, board=board, baud=baud) | {
        "config": config.as_dict(),
        "batch": step.batch,
        "cycles": cycles,
        "step_bytes_in": sent,
        "step_bytes_out": received,
        "step_seconds_engine": cycles / made.clock_hz,
        "step_seconds_host": (sent + received) * FRAME_BITS / baud,
    }


def training_settings(made: Bitstream, files: Mapping[str, bytes], *, board: str, baud: int) -> str:
    """Text of the settings file, JSON: the engine that waits for jobs, and the hashes of the `files` that it
    belongs to, {name: content}."""
    config = engine_core(made).config
    contents = {
        "training": True,
        "config": config.as_dict(),
        "interface_sha256": interface_sha256(config),
    }
    return json.dumps(contents | common_settings(made, files, board=board, baud=baud), indent=2) + "\n"
