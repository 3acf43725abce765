"""Archives of arrays: one .npz file of a JSON header and plain arrays, never a pickle.

The header is UTF-8 JSON as the uint8 array `header`; it has the `format` and `version` of what is held.
Loading trusts nothing: sizes are bounded before anything is unpacked.
"""

import io
import json
import os
import struct
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np

from . import npy
from .errors import InputError
from .files import PathName
from .reading import MAX_UNPACKED, opened, parse_json, reason, shown

# The record that ends a zip file: mark, numbers of disks and entries, size and place of the directory,
# length of a comment. Before it, the locator of what larger files have.
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP_LOCATOR = 20
# Bytes of a zip file's directory, for some 10,000 layers.
_MAX_DIRECTORY = 1 << 22


def packed(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The file of a header and its arrays: the same bytes for the same contents."""
    text = json.dumps(header, indent=1).encode()
    return packed_arrays({"header": np.frombuffer(text, np.uint8), **arrays})


def packed_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The `.npz` file of arrays: the same bytes for the same contents."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            _write_array(archive, name, array)
    return content.getvalue()


def _write_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array).reshape(array.shape), (1, 0))
    # ZipInfo's own time stamp is fixed (1980), unlike that of a name.
    info = zipfile.ZipInfo(f"{name}.npy")
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, buffer.getvalue())


def load(path: PathName, what: str) -> dict[str, np.ndarray]:
    """Name -> array of the file at `path`, `header` among them; `what` it should be, as "a network file", is
    for messages. Arrays are row-major uint8, float32 or int64, at most MAX_UNPACKED bytes together.

    InputError says what is wrong with the file.
    """
    with opened(path, f"{what} (.npz)", MAX_UNPACKED) as stream:
        return _read_arrays(path, stream, what)


def _read_arrays(path: PathName, stream: BinaryIO, what: str) -> dict[str, np.ndarray]:
    """Name -> array of a zip file of .npy files, unpacked only within MAX_UNPACKED."""
    try:
        _check_directory(stream)
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            _check_entries(path, entries, what)
            arrays = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                arrays[name] = _read_array(archive, entry, f"{path}: array {shown(name)[1:-1]}")
            return arrays
    except (InputError, MemoryError):
        raise
    # A damaged zip file raises whatever its first bad byte leads to.
    except Exception as error:
        raise InputError(
            f"{path}: is not {what} or is truncated ({reason(error)}); accepted: {what} (.npz)"
        ) from None


def _check_directory(stream: BinaryIO) -> None:
    """Refuses a zip file whose list of contents is large before anything is made of it."""
    stream.seek(0, os.SEEK_END)
    start = max(0, stream.tell() - _ZIP_LOCATOR - _ZIP_END.size)
    stream.seek(start)
    tail = stream.read()
    if len(tail) < _ZIP_END.size:
        raise ValueError("too short")
    mark, _, _, _, _, size, _, comment = _ZIP_END.unpack(tail[-_ZIP_END.size :])
    if mark != b"PK\x05\x06" or comment:
        raise ValueError("does not end as .npz does")
    if size > _MAX_DIRECTORY or tail.startswith(b"PK\x06\x07"):
        raise ValueError(f"its list of arrays has {size} bytes or more, accepted are {_MAX_DIRECTORY}")


def _check_entries(path: PathName, entries: list[zipfile.ZipInfo], what: str) -> None:
    """Refuses names and sizes that no file of ours has."""
    total = sum(entry.file_size for entry in entries)
    if total > MAX_UNPACKED:
        raise InputError(f"{path}: arrays unpack to {total} bytes; accepted: at most {MAX_UNPACKED}")
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise InputError(f"{path}: an array is there twice; accepted: each name once")
    if "header.npy" not in names:
        raise InputError(f"{path}: has no array 'header'; accepted: {what} (.npz) of this program")
    for entry in entries:
        # Other methods unpack as much at once as they like.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"{path}: {shown(entry.filename)} is compressed by method {entry.compress_type}; "
                "accepted: 0 (none) and 8 (deflate)"
            )


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> np.ndarray:
    """The array of one .npy file, its size checked before it is made."""
    accepted = "row-major uint8, float32 or int64"
    # In pieces: read at once, a member unpacks beyond the size that it claims.
    with archive.open(entry) as stream:
        header = npy.read_header(stream, where, accepted, MAX_UNPACKED)
        if header.fortran or header.dtype not in (np.uint8, np.float32, np.int64):
            order = "column-major " if header.fortran else ""
            raise InputError(f"{where} is {order}{header.dtype}; accepted: {accepted}")
        return npy.read_elements(stream, header, entry.file_size - header.length, where, accepted)


def header_of(array: np.ndarray, what: str, form: str, version: int) -> dict[str, Any]:
    """What the header says; InputError unless its format is `form`, of a version from 1 to `version`."""
    try:
        header = parse_json(array.tobytes())
    except ValueError as error:
        raise InputError(f"header is not JSON ({reason(error)}); accepted: JSON") from None
    if not isinstance(header, dict) or header.get("format") != form:
        raise InputError(f"header has no format {form!r}; accepted: {what}")
    found = header.get("version")
    if type(found) is not int or not 1 <= found <= version:
        raise InputError(f"version is {shown(found)}; accepted: 1..{version}")
    return header


def check_keys(entry: object, where: str, names: Iterable[str]) -> None:
    """Refuses an `entry` of a header, at `where`, that is no object with exactly the keys `names`."""
    if not isinstance(entry, dict):
        raise InputError(f"{where} is {shown(entry)}; accepted: an object")
    for name in sorted(set(entry) ^ set(names)):
        problem = "is missing" if name in names else "is unknown"
        raise InputError(f"{where}: {shown(name)[1:-1]} {problem}; accepted: {', '.join(names)}")


def take(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Removes an array and returns it; refuses an archive without it."""
    if name not in arrays:
        raise InputError(f"array {name} is missing; accepted: every array of the header")
    return arrays.pop(name)
