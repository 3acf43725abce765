"""Arrays of numbers in MATLAB files of version 5, compressed or not.

SciPy reads more of it, but a damaged file can make it (1.17) read beyond its tables: the process ends.
"""

import math
import struct
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import numpy as np

from ..errors import InputError
from ..npy import MAX_RANK
from ..reading import MAX_UNPACKED, Stream, Unpacked, opened, read_up_to, shown

_HEADER, _VERSION = 128, b"\0\1IM"
# Types of elements: numbers as they are stored, and what holds others.
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "<i2",
    4: "<u2",
    5: "<i4",
    6: "<u4",
    7: "<f4",
    9: "<f8",
    12: "<i8",
    13: "<u8",
}
_NAME, _SIZES, _FLAGS, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
# Classes of arrays that are numbers, double to uint64, and the flag of complex ones.
_CLASSES, _COMPLEX = range(6, 16), 0x800
_MAX_NAME, _MAX_VARIABLES = 63, 64


class _Tag(NamedTuple):
    """What stands in front of an element: its type, its bytes, and, where it is small, the element itself."""

    kind: int
    length: int
    small: bytes | None


def read_matlab(path: str | Path, names: Collection[str], accepted: str) -> dict[str, np.ndarray]:
    """The arrays called `names` in the MATLAB file at `path`, {name: array in the types that are stored}.

    Other variables are passed over. InputError, which names the file and what is `accepted`, for what is no
    MATLAB file of version 5 (little endian), for variables that are
    missing, no real numbers, or larger than 512 MiB, and for damaged files.
    """
    found: dict[str, np.ndarray] = {}
    with opened(path, accepted, MAX_UNPACKED) as file:
        try:
            _check_header(file)
            for stream in _variables(file):
                _read_variable(stream, names, found)
        except ValueError as error:
            raise InputError(f"{path}: {error}; accepted: {accepted}") from None
    for name in names:
        if name not in found:
            raise InputError(f"{path}: no variable {name}; accepted: {accepted}")
    return found


def _check_header(file: BinaryIO) -> None:
    header = bytes(read_up_to(file, _HEADER))
    if header[-4:] != _VERSION or len(header) < _HEADER:
        raise ValueError(f"is no MATLAB file of version 5, little endian: begins with {shown(header[:20])}")


def _variables(file: BinaryIO) -> Iterator[Stream]:
    """A stream for each variable, from its matrix on."""
    for _ in range(_MAX_VARIABLES):
        tag = _tag(file)
        if tag is None:
            return
        if tag.small is not None or tag.kind not in (_MATRIX, _COMPRESSED):
            raise ValueError(f"has an element of type {tag.kind} where a variable is due")
        content = read_up_to(file, tag.length)
        if len(content) < tag.length:
            _truncated(f"a variable claims {tag.length} bytes and {len(content)} are there")
        if tag.kind == _MATRIX:
            yield BytesIO(content)
            continue
        stream = Unpacked(BytesIO(content), "zlib")
        inner = _tag(stream)
        if inner is None or inner.small is not None or inner.kind != _MATRIX:
            raise ValueError("has a compressed element that is no variable")
        yield stream
    raise ValueError(f"has more than {_MAX_VARIABLES} variables")


def _read_variable(stream: Stream, names: Collection[str], found: dict[str, np.ndarray]) -> None:
    """Puts the variable in `stream` into `found` if it is one of `names`."""
    flags = struct.unpack("<II", _element(stream, _FLAGS, 8, "flags of a variable", whole=True))[0]
    sizes = _element(stream, _SIZES, 4 * MAX_RANK, "sizes of a variable")
    name = _element(stream, _NAME, _MAX_NAME, "name of a variable").decode("latin-1")
    if name not in names:
        return
    if name in found:
        raise ValueError(f"variable {name} is there twice")
    if flags & 0xFF not in _CLASSES or flags & _COMPLEX:
        raise ValueError(f"variable {name} is no array of real numbers")
    if len(sizes) % 4:
        raise ValueError(f"variable {name} has sizes of {len(sizes)} bytes")
    found[name] = _array(stream, name, struct.unpack(f"<{len(sizes) // 4}i", sizes))


def _array(stream: Stream, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array of `shape`, stored first axis fastest."""
    tag = _tag(stream)
    if tag is None or tag.kind not in _NUMBERS:
        raise ValueError(f"variable {name} has no numbers" + (f" but type {tag.kind}" if tag else ""))
    dtype = np.dtype(_NUMBERS[tag.kind])
    # An axis of length 0 does not make the others possible.
    if min(shape, default=0) < 0 or math.prod(max(size, 1) for size in shape) * dtype.itemsize > MAX_UNPACKED:
        raise ValueError(
            f"variable {name} claims shape {shown(shape)}, at most {MAX_UNPACKED} bytes are read"
        )
    needed = math.prod(shape) * dtype.itemsize
    if tag.length != needed:
        raise ValueError(
            f"variable {name} has {tag.length} bytes and shape {shape} of {dtype} needs {needed}"
        )
    content = read_up_to(stream, needed) if tag.small is None else tag.small
    if len(content) < needed:
        _truncated(f"{needed} bytes are due in variable {name} and {len(content)} are there")
    # Its end too: a compressed variable has its checksum there.
    padding = -needed % 8 if tag.small is None else 0
    if len(read_up_to(stream, padding + 1)) > padding:
        raise ValueError(f"has bytes left over behind variable {name}")
    return np.frombuffer(content, dtype).reshape(shape[::-1]).T


def _element(stream: Stream, kind: int, limit: int, what: str, whole: bool = False) -> bytes:
    """The bytes of the next element, of type `kind` and at most (or, if `whole`, exactly) `limit` bytes."""
    tag = _tag(stream)
    if tag is None or tag.kind != kind:
        raise ValueError(f"has no {what}" + (f" but type {tag.kind}" if tag else ""))
    if tag.length > limit or (whole and tag.length < limit):
        raise ValueError(
            f"has {tag.length} bytes of {what}, {'as many as' if whole else 'at most'} {limit} are read"
        )
    if tag.small is not None:
        return tag.small
    content = bytes(read_up_to(stream, tag.length + -tag.length % 8))
    if len(content) < tag.length:
        _truncated(f"{tag.length} bytes of {what} are due and {len(content)} are there")
    return content[: tag.length]


def _tag(stream: Stream) -> _Tag | None:
    """The next tag, or None at the end."""
    content = bytes(read_up_to(stream, 8))
    if not content:
        return None
    if len(content) < 8:
        _truncated(f"8 bytes are due in front of an element and {len(content)} are there")
    kind, size = struct.unpack("<II", content)
    if kind >> 16 == 0:
        return _Tag(kind, size, None)
    kind, size = kind & 0xFFFF, kind >> 16
    if size > 4:
        raise ValueError(f"has a small element of {size} bytes, at most 4 fit")
    return _Tag(kind, size, content[4 : 4 + size])


def _truncated(what: str) -> NoReturn:
    raise ValueError(f"truncated: {what}")
