"""A data set from a folder, whichever kind of files it holds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..reading import reason, shown
from .arrays import ARRAYS
from .cifar import CIFAR10
from .idx import IDX
from .kind import Kind, Shape, Split, entries
from .png import PNG
from .svhn import ENLARGED_SIDE, SVHN, enlarge

KINDS = (IDX, ARRAYS, SVHN, CIFAR10, PNG)
# What a folder may hold, for messages and help.
ACCEPTED = "one data set: " + ", or ".join(map(str, KINDS))

_SHOWN = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Images uint8 (N, height, width, channels) and labels int64 (N,), for training and test."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_data(folder: str | Path, input_shape: Shape, classes: int) -> ImageSet:
    """The data set in `folder` or, where it holds none, in one of its direct subfolders.

    input_shape: (height, width, channels) that the network reads; classes: how many it tells apart. The
    digits of SVHN, 32x32, are enlarged for a network that reads 40x40, as in the paper; other images must
    have the network's shape. Raises InputError, which names folder or file, for no data set or several, for
    files that are missing, cannot be read, do not fit each other or do not fit the network.
    """
    folder = Path(folder)
    found = _data_sets(folder)
    if len(found) != 1:
        there = " and ".join(f"{kind.name} in {place}" for kind, place, _ in found) or _listing(folder)
        raise InputError(f"{folder}: holds {there}; accepted: {ACCEPTED}")
    kind, place, paths = found[0]
    missing = [names[0] for names, path in zip(kind.parts, paths, strict=True) if path is None]
    if missing:
        raise InputError(f"{place}: no {', '.join(missing)}; accepted: all of {kind}")
    train, test = kind.load([path for path in paths if path is not None])
    if kind is SVHN and input_shape == (ENLARGED_SIDE, ENLARGED_SIDE, 3):
        train, test = (replace(half, images=enlarge(half.images)) for half in (train, test))
    for half in (train, test):
        _check(half, input_shape, classes)
    return ImageSet(
        train_images=np.ascontiguousarray(train.images),
        train_labels=train.labels.astype(np.int64),
        test_images=np.ascontiguousarray(test.images),
        test_labels=test.labels.astype(np.int64),
    )


def data_files(folder: str | Path) -> Iterator[Path]:
    """The files that :func:`load_data` may read."""
    for _, _, paths in _data_sets(Path(folder)):
        for path in filter(None, paths):
            yield from path.glob("*/*") if path.is_dir() else [path]


def _data_sets(folder: Path) -> list[tuple[Kind, Path, list[Path | None]]]:
    """Of each kind of which there is something in `folder`, or else in its subfolders: where, and what. Parts
    of data sets do not count where there is a whole one below."""

    def within(places: list[Path]) -> list[tuple[Kind, Path, list[Path | None]]]:
        every = [(kind, place, kind.found(place)) for place in places for kind in KINDS]
        return [found for found in every if any(found[2])]

    try:
        here = within([folder])
        below = within([path for path in entries(folder, f"a folder with {ACCEPTED}") if path.is_dir()])
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({reason(error)}); accepted: a folder with {ACCEPTED}"
        ) from None
    if any(map(_whole, below)) and not any(map(_whole, here)):
        return below
    return here or below


def _whole(found: tuple[Kind, Path, list[Path | None]]) -> bool:
    return all(found[2])


def _listing(folder: Path) -> str:
    """What is in a folder, for a message."""
    names = [shown(path.name) for path in entries(folder, ACCEPTED)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more if names else "nothing"


def _check(half: Split, input_shape: Shape, classes: int) -> None:
    count, shape = len(half.images), half.images.shape[1:]
    if count == 0:
        raise InputError(f"{half.images_file}: holds no images; accepted: one or more")
    if half.labels.shape != (count,):
        raise InputError(
            f"{half.labels_file}: shape {half.labels.shape}; "
            f"accepted: ({count},), one label per image of {half.images_file.name}"
        )
    if shape != tuple(input_shape):
        sizes = ["x".join(map(str, size)) for size in (shape, input_shape)]
        raise InputError(f"{half.images_file}: images are {sizes[0]}; accepted by this network: {sizes[1]}")
    outside = (half.labels < 0) | (half.labels >= classes)
    if outside.any():
        first = int(np.argmax(outside))
        raise InputError(
            f"{half.labels_file}: label {half.labels[first]} of image {first}; "
            f"accepted by this network: 0..{classes - 1}"
        )
