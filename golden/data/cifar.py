"""The binary version of CIFAR-10: records of a label and a planar image."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..reading import MAX_UNPACKED, read_bytes
from .kind import Kind, Split

_SIDE, _CHANNELS, _CLASSES = 32, 3, 10
_RECORD = 1 + _CHANNELS * _SIDE * _SIDE
_ACCEPTED = f"a batch of CIFAR-10, binary version: records of {_RECORD} bytes, label and 32x32 RGB image"


def read_batch(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and labels uint8 (N,), 0..9, of one file of the binary version.

    A record is a byte with the label and 3,072 with the image: all of red, row by row, of green, of blue.
    Raises InputError that names the file for anything else.
    """
    content = read_bytes(path, _ACCEPTED, MAX_UNPACKED)
    if not content or len(content) % _RECORD:
        raise InputError(
            f"{path}: has {len(content)} bytes; accepted: {_ACCEPTED}, one or more, none cut off"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0]
    if labels.max() >= _CLASSES:
        first = int(np.argmax(labels >= _CLASSES))
        raise InputError(f"{path}: label {labels[first]} of image {first}; accepted: 0..{_CLASSES - 1}")
    planes = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return planes.transpose(0, 2, 3, 1), labels


def _load(paths: list[Path]) -> tuple[Split, Split]:
    return _split(paths[:-1]), _split(paths[-1:])


def _split(paths: list[Path]) -> Split:
    images, labels = zip(*map(read_batch, paths), strict=True)
    return Split(
        images=np.concatenate(images),
        labels=np.concatenate(labels),
        images_file=paths[0],
        labels_file=paths[0],
    )


CIFAR10 = Kind(
    name="CIFAR-10, binary version",
    parts=(*((f"data_batch_{number}.bin",) for number in range(1, 6)), ("test_batch.bin",)),
    load=_load,
)
