"""Handwritten digits: IDX files, the full MNIST set, and the shipped 1,000 test images."""

import gzip
import math
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import InputError

_PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_SAMPLE = Path(__file__).parent / "data" / "digits-sample.npz"
_IDX_UINT8 = 8


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
    path = Path(path)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if len(content) < 4 or content[:2] != b"\0\0":
        start = content[:4].hex() or "nothing"
        raise InputError(f"{path}: not an IDX file: starts with {start}; needed: 0000 08 and rank")
    element_type, rank = content[2], content[3]
    if element_type != _IDX_UINT8:
        raise InputError(f"{path}: IDX element type 0x{element_type:02x}; needed: 0x08, unsigned bytes")
    header = 4 + 4 * rank
    if len(content) < header:
        raise InputError(f"{path}: truncated in the IDX header: {len(content)} bytes; needed: {header}")
    shape = [int(n) for n in np.frombuffer(content, ">u4", rank, 4)]
    size = header + math.prod(shape)
    if len(content) != size:
        problem = "truncated" if len(content) < size else "has bytes left over"
        raise InputError(f"{path}: {problem}: {len(content)} bytes; needed: {size} for shape {tuple(shape)}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


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
