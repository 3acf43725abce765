"""Handwritten digits: IDX files, the full MNIST set, and the shipped 1,000 test images."""

import math
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..npy import MAX_RANK
from ..reading import MAX_UNPACKED, Stream, opened, read_up_to, unpacked

_PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_SAMPLE = Path(__file__).parent / "data" / "digits-sample.npz"
_IDX_UINT8 = 8
_ACCEPTED = "an IDX file, plain or compressed with gzip"


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Images uint8 (N, height, width, channels) and labels uint8 (N,), for training and test."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


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
    if element_type != _IDX_UINT8:
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


def load_mnist(directory: str | Path) -> ImageSet:
    """The MNIST set from its four IDX files in `directory` or in one of its direct subfolders.

    Names may be written train-images-idx3-ubyte or train-images.idx3-ubyte, with or without .gz.
    Raises InputError for a missing file (listing the names looked for) and for files that do not
    fit each other.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"{directory}: no such folder; needed: one with the four MNIST IDX files")
    folders = [directory, *sorted(entry for entry in directory.iterdir() if entry.is_dir())]
    for folder in folders:
        found = [path for part in _PARTS if (path := _find(folder, part)) is not None]
        if len(found) == len(_PARTS):
            break
    else:
        best = max(([_find(folder, part) for part in _PARTS] for folder in folders), key=_count)
        missing = [part for part, path in zip(_PARTS, best, strict=True) if path is None]
        names = ", ".join(_names(part)[0] for part in missing)
        raise InputError(
            f"{directory}: no {names} here or one folder below; "
            "accepted: '-' or '.' before idx, with or without .gz"
        )
    train_images, train_labels = _pair(found[0], found[1])
    test_images, test_labels = _pair(found[2], found[3])
    return ImageSet(
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
    )


@cache
def digits_sample() -> tuple[np.ndarray, np.ndarray]:
    """The first 1,000 MNIST test images, uint8 (1000, 28, 28, 1), and labels, uint8 (1000,).

    They ship with the package; source and licence are in data/README.md. Read-only arrays.
    """
    with np.load(_SAMPLE, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


def _names(part: str) -> list[str]:
    rank = 3 if part.endswith("images") else 1
    plain = [f"{part}-idx{rank}-ubyte", f"{part}.idx{rank}-ubyte"]
    return plain + [name + ".gz" for name in plain]


def _find(folder: Path, part: str) -> Path | None:
    paths = (folder / name for name in _names(part))
    return next((path for path in paths if path.is_file()), None)


def _count(found: list[Path | None]) -> int:
    return sum(path is not None for path in found)


def _pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3:
        raise InputError(f"{images_path}: rank {images.ndim}; needed: 3 (images, rows, columns)")
    if labels.shape != images.shape[:1]:
        raise InputError(
            f"{labels_path}: shape {labels.shape}; "
            f"needed: ({len(images)},), one label per image of {images_path.name}"
        )
    return images[..., np.newaxis], labels
