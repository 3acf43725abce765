"""IDX, the files of MNIST."""

import math
import struct
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..npy import MAX_RANK
from ..reading import MAX_UNPACKED, Stream, opened, read_up_to, unpacked
from .kind import Kind, Split

_UINT8 = 8
_ACCEPTED = "an IDX file, plain or compressed with gzip"


def read_idx(path: str | Path) -> np.ndarray:
    """The uint8 array in an IDX file, plain or compressed with gzip (told by its content).

    IDX: two zero bytes, element type (8 = unsigned byte), rank, one big-endian 32-bit length per
    axis, then the elements, last axis fastest. Raises InputError that names the file when it
    cannot be read, is not IDX, has another element type, is truncated or has bytes left over.
    """
    with opened(path, _ACCEPTED, MAX_UNPACKED) as file:
        content = unpacked(file)
        shape = _idx_shape(path, content)
        elements, header = read_up_to(content, math.prod(shape)), 4 + 4 * len(shape)
        needed = f"needed: {header + math.prod(shape)} for shape {shape}"
        if len(elements) < math.prod(shape):
            raise InputError(f"{path}: truncated: {header + len(elements)} bytes; {needed}")
        if content.read(1):
            raise InputError(f"{path}: has bytes left over; {needed}")
    return np.frombuffer(elements, np.uint8).reshape(shape)


def _idx_shape(path: str | Path, content: Stream) -> tuple[int, ...]:
    """Lengths of the axes from the header of an IDX file."""
    start = bytes(read_up_to(content, 4))
    if len(start) < 4 or start[:2] != b"\0\0":
        raise InputError(
            f"{path}: not an IDX file: starts with {start.hex() or 'nothing'}; needed: 0000 08 and rank"
        )
    element_type, rank = start[2], start[3]
    if element_type != _UINT8:
        raise InputError(f"{path}: IDX element type 0x{element_type:02x}; needed: 0x08, unsigned bytes")
    if not 1 <= rank <= MAX_RANK:
        raise InputError(f"{path}: IDX rank {rank}; accepted: 1 to {MAX_RANK}")
    lengths = read_up_to(content, 4 * rank)
    if len(lengths) < 4 * rank:
        raise InputError(
            f"{path}: truncated in the IDX header: {4 + len(lengths)} bytes; needed: {4 + 4 * rank}"
        )
    shape = struct.unpack(f">{rank}I", lengths)
    # An axis of length 0 does not make the others possible.
    if math.prod(max(length, 1) for length in shape) > MAX_UNPACKED:
        raise InputError(f"{path}: claims shape {shape}; accepted: at most {MAX_UNPACKED} elements")
    return shape


def _load(paths: list[Path]) -> tuple[Split, Split]:
    return _split(*paths[:2]), _split(*paths[2:])


def _split(images_file: Path, labels_file: Path) -> Split:
    images, labels = read_idx(images_file), read_idx(labels_file)
    if images.ndim != 3:
        raise InputError(f"{images_file}: rank {images.ndim}; needed: 3 (images, rows, columns)")
    return Split(
        images=images[..., np.newaxis], labels=labels, images_file=images_file, labels_file=labels_file
    )


def _names(part: str, rank: int) -> tuple[str, ...]:
    plain = [f"{part}-idx{rank}-ubyte", f"{part}.idx{rank}-ubyte"]
    return (*plain, *(name + ".gz" for name in plain))


IDX = Kind(
    name="IDX",
    parts=tuple(
        _names(f"{half}-{what}", rank)
        for half in ("train", "t10k")
        for what, rank in (("images", 3), ("labels", 1))
    ),
    load=_load,
    others=", '-' or '.' before idx, with or without .gz",
)
