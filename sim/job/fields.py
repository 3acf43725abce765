"""Files of named fields: what Python and the benches in other processes tell each other.

Eight bytes that say what it is, a version, then per field: length of the name, name, length of the contents,
contents; the last field is ``end``. Lengths and numbers are 64 bits, little endian. The C++ harness reads and
writes the same (``sim/verilator/harness_fields.h``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .errors import SimulationError

MAGIC = b"dorefa\r\n"
VERSION = 1
_END = "end"

Value = bytes | str | int | Iterable[int]
Field = tuple[str, Value]


def encode(value: Value) -> bytes:
    """Contents of a field: bytes as they are, text, one number or several."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return np.asarray([value] if isinstance(value, int) else list(value), "<u8").tobytes()


def write(fields: Iterable[Field]) -> bytes:
    """The file of (name, value) pairs, in this order; a name may come again."""
    parts = [MAGIC, struct.pack("<Q", VERSION)]
    for name, value in (*fields, (_END, b"")):
        for part in (name.encode(), encode(value)):
            parts += [struct.pack("<Q", len(part)), part]
    return b"".join(parts)


class Fields:
    """The fields of a file, by their names.

    `what` names the file in messages. Raises :class:`SimulationError` for a file of another kind or version,
    for one that is truncated and for a field that is asked for and not there.
    """

    def __init__(self, data: bytes, what: str) -> None:
        self._what = what
        self._fields: dict[str, list[bytes]] = {}
        if len(data) < 16 or not data.startswith(MAGIC):
            raise SimulationError(f"{what}: no file of fields")
        (version,) = struct.unpack_from("<Q", data, 8)
        if version != VERSION:
            raise SimulationError(f"{what} has version {version}; accepted: {VERSION}")
        name, at = "the head", 16
        while name != _END:
            own, at = self._part(data, at, name)
            name = own.decode()
            value, at = self._part(data, at, name)
            self._fields.setdefault(name, []).append(value)

    @classmethod
    def read(cls, path: Path, what: str) -> Fields:
        """The fields of the file at `path`."""
        return cls(path.read_bytes(), what)

    def _part(self, data: bytes, at: int, place: str) -> tuple[bytes, int]:
        """The bytes at this place behind their length, and where they end."""
        (size,) = struct.unpack_from("<Q", data, at) if at + 8 <= len(data) else (len(data),)
        if at + 8 + size > len(data):
            raise SimulationError(f"{self._what} is truncated after {place}")
        return data[at + 8 : at + 8 + size], at + 8 + size

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def every(self, name: str) -> list[bytes]:
        """Contents of all fields of this name, in order; none where there is none."""
        return self._fields.get(name, [])

    def contents(self, name: str, number: int = 0) -> bytes:
        """Contents of a field, of several of this name the one with this number."""
        found = self.every(name)
        if number >= len(found):
            which = "no" if not found else f"{len(found)} of {number + 1}"
            raise SimulationError(f"{self._what} has {which} field {name}")
        return found[number]

    def text(self, name: str) -> str:
        """A field that is text."""
        return self.contents(name).decode()

    def numbers(self, name: str, number: int = 0) -> list[int]:
        """A field of numbers."""
        return np.frombuffer(self.contents(name, number), "<u8").tolist()

    def number(self, name: str, number: int = 0) -> int:
        """A field of one number."""
        found = self.numbers(name, number)
        if len(found) != 1:
            raise SimulationError(f"field {name} of the {self._what} has {len(found)} numbers; accepted: 1")
        return found[0]

    def packets(self, name: str, number: int = 0) -> list[bytes]:
        """Field `name` cut to the lengths in the field NAME_bytes."""
        data, packets, at = self.contents(name, number), [], 0
        for size in self.numbers(f"{name}_bytes", number):
            packets.append(data[at : at + size])
            at += size
        return packets


def join_packets(name: str, packets: Iterable[bytes]) -> list[Field]:
    """The two fields that :meth:`Fields.packets` reads."""
    packets = list(packets)
    return [(f"{name}_bytes", list(map(len, packets))), (name, b"".join(packets))]
