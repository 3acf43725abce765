"""The registers of a board whose network is a pipeline, at the places of those of an engine that mean the
same: nothing is set and nothing is loaded, so there are few."""

from __future__ import annotations

from .register import WORD_BITS, Access, Field, Register
from .registers import REGISTERS, VERSION

PIPELINE_IDENTITY = 0x444F5250


def _register(name: str, meaning: str, *fields: Field) -> Register:
    return Register(name=name, address=REGISTERS[name].address, meaning=meaning, fields=fields)


def _field(
    name: str, access: Access, meaning: str, *, lsb: int = 0, width: int = WORD_BITS, reset: int = 0
) -> Field:
    return Field(name=name, lsb=lsb, width=width, access=access, meaning=meaning, reset=reset)


_TABLE = (
    _register(
        "identity",
        "what answers",
        _field(
            "identity",
            Access.CONSTANT,
            "DORP in ASCII, the highest byte first",
            reset=PIPELINE_IDENTITY,
        ),
    ),
    _register(
        "version",
        "version of the table",
        _field("version", Access.CONSTANT, "version of this map", reset=VERSION),
    ),
    _register(
        "status",
        "what the pipeline does, and what went wrong since it was cleared",
        _field("busy", Access.READ_ONLY, "an image is on its way", width=1),
        _field("length", Access.CLEAR, "an image had another length and was dropped", lsb=1, width=1),
    ),
    _register(
        "cycles",
        "how long an image takes",
        _field(
            "cycles", Access.READ_ONLY, "cycles of the last image, from its first pixel to its last result"
        ),
    ),
)
PIPELINE_REGISTERS: dict[str, Register] = {register.name: register for register in _TABLE}
# Address bits that tell them apart.
PIPELINE_BITS = max(register.address for register in PIPELINE_REGISTERS.values()).bit_length()
