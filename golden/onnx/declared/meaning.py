"""The words of a declaration: what becomes of an attribute, an input or an output of an operator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..file.proto import PACKED

FLOATS = ("float32", "float64")
_PACKED = tuple(name for name, _ in PACKED.values())
INTEGERS = (*_PACKED, "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = (*FLOATS, *INTEGERS)
ANY = (*NUMBERS, "bool")


@dataclass(frozen=True)
class Honoured:
    """Computed as the format defines it, default included, or refused by the operator for its value."""


@dataclass(frozen=True)
class Only:
    """Refused unless it has the value `value`."""

    value: Any


@dataclass(frozen=True)
class Irrelevant:
    """Read by nobody, because no result depends on it."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """Refused wherever it is there."""

    accepted: str


@dataclass(frozen=True)
class Unread:
    """An output that may be there as long as nothing reads it."""

    accepted: str


Meaning = Honoured | Only | Irrelevant | Refused | Unread
HONOURED = Honoured()


def honoured(*names: str) -> dict[str, Meaning]:
    """Each of the names as Honoured."""
    return dict.fromkeys(names, HONOURED)


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What is understood of one operator, over all its versions; names are those of its schemas.

    types: element types that its inputs may have where they depend on the image; none where the operator
    makes constants only.
    """

    inputs: Mapping[str, Meaning]
    outputs: Mapping[str, Meaning]
    attributes: Mapping[str, Meaning] = field(default_factory=dict)
    types: tuple[str, ...] = NUMBERS

    def meanings(self) -> list[Meaning]:
        """Of every attribute, input and output."""
        return [*self.attributes.values(), *self.inputs.values(), *self.outputs.values()]
