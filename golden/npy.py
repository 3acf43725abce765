"""Arrays in the form of `.npy`: what the header claims must be there before anything is made of it."""

import io
import math
import os
import warnings
from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .reading import MAX_BYTES, Stream, opened, read_up_to, reason, shown

MAX_RANK = 8

# Longer ones are for records only.
_MAX_HEADER = 4096
# Version -> bytes of the header's length, and its parser.
_VERSIONS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}


@dataclass(frozen=True)
class Header:
    """shape, element type and order of an array; `length`: bytes of the header itself."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    length: int

    @property
    def bytes(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def load(path: str | os.PathLike[str], accepted: str) -> np.ndarray:
    """The array in the `.npy` file at `path`, read-only: numbers, and nothing behind them."""
    with opened(path, accepted, MAX_BYTES) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        header = read_header(file, f"{path}:", accepted, MAX_BYTES)
        return read_elements(file, header, size - header.length, f"{path}:", accepted)


def read_header(stream: Stream, where: str, accepted: str, limit: int) -> Header:
    """The header at the start of `stream`, of an array of numbers of at most `limit` bytes.

    InputError, which begins with `where` (as "x.npy:") and ends with what is `accepted`, for anything else.
    """
    start = bytes(read_up_to(stream, 8))
    if start[:6] != b"\x93NUMPY" or len(start) < 8:
        raise InputError(f"{where} does not begin as .npy does but with {start!r}; accepted: {accepted}")
    version = (start[6], start[7])
    if version not in _VERSIONS:
        raise InputError(f"{where} is .npy of version {version[0]}.{version[1]}; accepted: {accepted}")
    digits, parse = _VERSIONS[version]
    size = read_up_to(stream, digits)
    length = int.from_bytes(size, "little")
    if length > _MAX_HEADER:
        raise InputError(
            f"{where} has a header of {length} bytes, more than {_MAX_HEADER}; accepted: {accepted}"
        )
    text = read_up_to(stream, length)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser of Python, about headers that are none
            shape, fortran, dtype = parse(io.BytesIO(size + text))
    # The header is a Python literal from elsewhere: its parser raises many types.
    except Exception as error:
        raise InputError(
            f"{where} has a header that is damaged ({reason(error)}); accepted: {accepted}"
        ) from None
    header = Header(shape, dtype, fortran, len(start) + len(size) + len(text))
    _check(header, where, accepted, limit)
    return header


def _check(header: Header, where: str, accepted: str, limit: int) -> None:
    shape, dtype = header.shape, header.dtype
    if dtype.kind not in "biufc":
        raise InputError(f"{where} is {shown(str(dtype))[1:-1]}, no number; accepted: {accepted}")
    if len(shape) > MAX_RANK or any(type(size) is not int or size < 0 for size in shape):
        raise InputError(
            f"{where} has shape {shown(shape)}; accepted: {accepted}, "
            f"of at most {MAX_RANK} axes, none negative"
        )
    # An axis of length 0 does not make the others possible.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > limit:
        raise InputError(
            f"{where} claims shape {shown(shape)} of {dtype}; accepted: {accepted}, at most {limit} bytes"
        )


def read_elements(stream: Stream, header: Header, there: int, where: str, accepted: str) -> np.ndarray:
    """The array of `header`, read-only, from the rest of `stream`, which has `there` bytes."""
    content = read_up_to(stream, header.bytes) if there == header.bytes else b""
    if there != header.bytes or len(content) != header.bytes:
        raise InputError(
            f"{where} shape {header.shape} of {header.dtype} is {header.bytes} bytes and {there} are there; "
            f"accepted: {accepted}"
        )
    array = np.frombuffer(content, header.dtype)
    array = array.reshape(header.shape[::-1]).T if header.fortran else array.reshape(header.shape)
    array.setflags(write=False)
    return array
