"""SVHN's cropped digits in MATLAB files, and their enlargement for the paper's networks."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from .kind import Kind, Split
from .matlab import read_matlab

_ACCEPTED = (
    "cropped digits of SVHN: X uint8 (32, 32, 3, N), y (N, 1) of 1..10, as MATLAB writes them (version 5)"
)
_SIDE = 32
# The paper enlarges the digits to this many rows and columns.
ENLARGED_SIDE = 40
# Images that are enlarged at once: they stay in the cache.
_CHUNK = 64


def read_svhn(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and labels uint8 (N,) of one file; the label of the digit 0, 10, becomes 0.

    Raises InputError that names the file for anything else.
    """
    arrays = read_matlab(path, ("X", "y"), _ACCEPTED)
    images, labels = arrays["X"], arrays["y"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (_SIDE, _SIDE, 3):
        raise InputError(f"{path}: X is {images.dtype} of shape {images.shape}; accepted: {_ACCEPTED}")
    if labels.shape != (images.shape[3], 1):
        raise InputError(
            f"{path}: y has shape {labels.shape}; accepted: ({images.shape[3]}, 1), one label per image of X"
        )
    good = np.isin(labels, np.arange(1, 11))
    if not good.all():
        first = int(np.argmin(good))
        raise InputError(
            f"{path}: y is {labels[first, 0]} for image {first}; accepted: 1..10, 10 for the digit 0"
        )
    return images.transpose(3, 0, 1, 2), (labels[:, 0] % 10).astype(np.uint8)


def enlarge(images: np.ndarray) -> np.ndarray:
    """Images uint8 (N, 32, 32, C) as (N, 40, 40, C): bilinear, halves rounded up, exact.

    Pixels are squares, so that pixel i of 40 has its center at 32 / 40 (i + 1/2) - 1/2 = (8 i - 1) / 10 of
    the 32; beyond the outer centers the outer pixels go on. With weights in tenths for rows and for columns
    the result is (sum of 100ths + 50) div 100. The paper names the sizes but no method.
    """
    place = 8 * np.arange(ENLARGED_SIDE) - 1
    low, share = place // 10, (place % 10).astype(np.uint16)
    first, second = np.clip([low, low + 1], 0, _SIDE - 1)
    result = np.empty((len(images), ENLARGED_SIDE, ENLARGED_SIDE, images.shape[3]), np.uint8)
    for start in range(0, len(images), _CHUNK):
        part = np.ascontiguousarray(images[start : start + _CHUNK]).astype(np.uint16)
        rows = share[:, None, None]
        part = part[:, first] * (10 - rows) + part[:, second] * rows
        columns = share[:, None]
        # At most 255 * 100 + 50: fits.
        part = part[:, :, first] * (10 - columns) + part[:, :, second] * columns
        result[start : start + _CHUNK] = (part + 50) // 100
    return result


def _load(paths: list[Path]) -> tuple[Split, Split]:
    return _split(paths[0]), _split(paths[1])


def _split(path: Path) -> Split:
    images, labels = read_svhn(path)
    return Split(images=images, labels=labels, images_file=path, labels_file=path)


SVHN = Kind(name="SVHN", parts=(("train_32x32.mat",), ("test_32x32.mat",)), load=_load)
