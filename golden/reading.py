"""Files from elsewhere: opened, unpacked and decoded within bounds, whatever is in them.

Every failure is an InputError of one line that names the file. Nothing here waits for ever or holds more
than it was told to.
"""

import json
import math
import os
import stat
import time
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, BinaryIO, NoReturn, Protocol

from .errors import InputError

# Bytes of a file, all of which may be in memory.
MAX_BYTES = 1 << 30
# Bytes of all arrays of a packed file together: AlexNet with codes and float weights has 310 million.
MAX_UNPACKED = 1 << 29
# Bytes of JSON: the header of 1,200 layers has one million. As objects they take up to 30 times as much.
MAX_JSON = 1 << 22
# Bytes of TOML, and characters of a line: a parameter takes some twenty. tomllib's time grows with the square
# of the parts of a dotted name, which cannot go on in another line.
_MAX_TOML, _MAX_TOML_LINE = 1 << 16, 400
# Seconds that a pipe may be silent.
PATIENCE = 3.0

_CHUNK = 1 << 20
_PACKED_CHUNK = 1 << 16
# Parts of one gzip file; bgzip makes one of every 64 KiB.
_MAX_MEMBERS = 1 << 14
# Forms of packed files -> what zlib calls them.
_WINDOWS = {"gzip": 31, "zlib": 15}
_SHOWN = 80


class Stream(Protocol):
    """What can be read from; fewer bytes than asked for do not mean the end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        ...


def shown(value: object) -> str:
    """`value` as a message of one line shows it: its repr, at most about 80 characters."""
    try:
        text = repr(value)
    except ValueError:  # more digits than Python converts
        if isinstance(value, int):
            return f"an integer of {value.bit_length()} bits"
        return f"a {type(value).__name__} with a huge integer"
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"
    text = text if text.isprintable() else ascii(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 20]}... ({len(text)} characters)"


def reason(error: Exception) -> str:
    """The first line of what an exception says, or its type: for messages of one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    line = (str(error).splitlines() or [""])[0]
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line[: 2 * _SHOWN])
    return line or type(error).__name__


@contextmanager
def opened(path: str | os.PathLike[str], accepted: str, limit: int = MAX_BYTES) -> Iterator[BinaryIO]:
    """The plain file or pipe at `path`, from its start and seekable; never more than `limit` bytes.

    InputError, which ends with what is `accepted`, for anything else, and for what the block raises as
    OSError or MemoryError.
    """
    try:
        with _open(path) as file:
            status = os.fstat(file.fileno())
            if stat.S_ISFIFO(status.st_mode):
                yield BytesIO(_pipe(path, file.fileno(), accepted, limit))
                return
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path}: is a device; accepted: {accepted}")
            if status.st_size > limit:
                raise InputError(
                    f"{path}: has {status.st_size} bytes; accepted: {accepted}, at most {limit} bytes"
                )
            yield file
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason(error)}); accepted: {accepted}") from None
    except MemoryError:
        raise InputError(f"{path}: does not fit into memory; accepted: {accepted}, or more memory") from None


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    """`path`, open for reading; a pipe without waiting for somebody to write into it."""
    try:
        return open(
            path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
        )
    except ValueError as error:  # a NUL in the name
        raise OSError(reason(error)) from None


def _pipe(path: str | os.PathLike[str], descriptor: int, accepted: str, limit: int) -> bytearray:
    """All that comes through a pipe, refused where nothing comes for PATIENCE seconds."""
    content = bytearray()
    while True:
        silent = time.monotonic() + PATIENCE
        while (part := _arrived(descriptor)) is None or not (part or content):
            if time.monotonic() > silent:
                raise InputError(
                    f"{path}: nothing came through this pipe for {PATIENCE:g} s; accepted: {accepted}"
                )
            time.sleep(0.01)
        content += part
        if len(content) > limit:
            raise InputError(f"{path}: has more than {limit} bytes; accepted: {accepted}, at most that")
        if not part:
            return content


def _arrived(descriptor: int) -> bytes | None:
    """What is in a pipe; nothing where nobody writes into it, None where they may yet."""
    try:
        return os.read(descriptor, _PACKED_CHUNK)
    except BlockingIOError:
        return None


def read_up_to(stream: Stream, size: int) -> bytearray:
    """The next `size` bytes, or fewer where the stream ends: memory for what is there, not for `size`."""
    content = bytearray()
    while len(content) < size and (part := stream.read(min(_CHUNK, size - len(content)))):
        content += part
    return content


class Unpacked:
    """What a file of the `form` gzip or zlib holds, as a :class:`Stream`; OSError where it is damaged.

    Never more in memory than is asked for, unlike in Python's gzip, which also reads a name in the header
    byte by byte.
    """

    def __init__(self, file: BinaryIO, form: str = "gzip") -> None:
        self._file, self._form = file, form
        self._inflate, self._members = zlib.decompressobj(_WINDOWS[form]), 1

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        while True:
            if self._inflate.eof:
                packed = self._inflate.unused_data or self._file.read(_PACKED_CHUNK)
                if not packed:
                    return b""
                self._next_member()
            else:
                packed = self._inflate.unconsumed_tail or self._file.read(_PACKED_CHUNK)
            try:
                part = self._inflate.decompress(packed, size)
            except zlib.error as error:
                raise OSError(f"{self._form}: {reason(error)}") from None
            if part:
                return part
            if not packed and not self._inflate.eof:
                raise OSError(f"{self._form}: the file ends too early")

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise OSError(f"{self._form}: more than {_MAX_MEMBERS} parts")
        self._inflate = zlib.decompressobj(_WINDOWS[self._form])


def unpacked(file: BinaryIO) -> Stream:
    """`file` (at its start) itself, or what it holds where it begins as gzip does."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return Unpacked(file) if packed else file


def read_bytes(path: str | os.PathLike[str], accepted: str, limit: int = MAX_BYTES) -> bytearray:
    """The content of the file at `path`, at most `limit` bytes."""
    with opened(path, accepted, limit) as file:
        return read_up_to(file, limit)


def read_text(path: str | os.PathLike[str], accepted: str, limit: int) -> str:
    """The UTF-8 text in the file at `path`, at most `limit` bytes."""
    content = read_bytes(path, accepted, limit)
    try:
        return _text(content)
    except ValueError as error:
        raise InputError(f"{path}: no UTF-8 text: {reason(error)}; accepted: {accepted}") from None


def _text(content: bytes | bytearray) -> str:
    text = content.decode()
    if text.startswith("\ufeff"):
        raise ValueError("begins with a byte order mark; UTF-8 needs none")
    return text


def read_toml(path: str | os.PathLike[str], accepted: str) -> dict[str, Any]:
    """What the TOML file at `path` says."""
    text = read_text(path, accepted, _MAX_TOML)
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _MAX_TOML_LINE:
            raise InputError(
                f"{path}: line {number} has {len(line)} characters; accepted: {accepted}, "
                f"at most {_MAX_TOML_LINE}"
            )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: not TOML: nested too deeply; accepted: {accepted}") from None
    except ValueError as error:
        raise InputError(f"{path}: not TOML: {reason(error)}; accepted: {accepted}") from None


def read_json(path: str | os.PathLike[str], accepted: str) -> Any:
    """What the JSON file at `path` says, see :func:`json_of`."""
    return json_of(path, read_bytes(path, accepted, MAX_JSON), accepted)


def json_of(path: str | os.PathLike[str], content: bytes | bytearray, accepted: str) -> Any:
    """What JSON, the `content` of the file at `path`, says; InputError where it is none, see
    :func:`parse_json`."""
    try:
        return parse_json(content)
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {reason(error)}; accepted: {accepted}") from None


def parse_json(content: bytes | bytearray) -> Any:
    """What JSON in UTF-8 says; ValueError for what is none, is larger than MAX_JSON, or is understood
    differently by others: integers of more than 64 bits, NaN and infinity, a name twice in an object."""
    if len(content) > MAX_JSON:
        raise ValueError(f"{len(content)} bytes, more than {MAX_JSON}")
    try:
        return json.loads(
            _text(content),
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(1 << 63) <= int(digits) < 1 << 64:
        raise ValueError(f"the integer {shown(digits)[1:-1]} has more than 64 bits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"the number {shown(digits)[1:-1]} is too large for 64 bits")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the name {shown(name)} is there twice in an object")
        result[name] = value
    return result
