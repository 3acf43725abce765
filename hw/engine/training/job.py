"""A job: what the registers say of a packet."""

from __future__ import annotations

from amaranth import Value, unsigned
from amaranth.lib import data

from ...interface.registers import REGISTERS, Mode


def job_layout() -> data.StructLayout:
    """The fields of the register `job`."""
    return data.StructLayout({field.name: unsigned(field.width) for field in REGISTERS["job"].fields})


def runs(job: data.View, layers: Value) -> Value:
    """Whether the engine takes packets of this job with so many passes."""
    words = (job.mode > Mode.IMAGE) & (job.mode <= max(Mode))
    return words | ((job.mode == Mode.IMAGE) & (layers != 0))


def has_passes(job: data.View, layers: Value) -> Value:
    """Whether passes follow the packet."""
    return ((job.mode == Mode.IMAGE) | (job.mode == Mode.QUANTIZE_GRADIENTS)) & (layers != 0)


def is_whole(job: data.View, kept: Value, last: Value, *, port_bytes: int) -> Value:
    """Whether a beat of so many bytes is as it must be: of words only the last beat may be shorter, by whole
    words, and has at least one."""
    weights = (job.mode == Mode.MEASURE_WEIGHTS) | (job.mode == Mode.QUANTIZE_WEIGHTS)
    part = kept[0] | (weights & kept[1])
    return (job.mode == Mode.IMAGE) | (kept == port_bytes) | (last & ~part & (kept != 0))
