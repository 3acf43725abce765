"""Images and labels as NumPy arrays in `.npy` files."""

from pathlib import Path

import numpy as np

from .. import npy
from ..errors import InputError
from .kind import Kind, Split

_IMAGES = "uint8 images (N, height, width, channels) or (N, height, width) as .npy"
_LABELS = "integer labels (N,) as .npy"


def _load(paths: list[Path]) -> tuple[Split, Split]:
    return _split(*paths[:2]), _split(*paths[2:])


def _split(images_file: Path, labels_file: Path) -> Split:
    images = npy.load(images_file, _IMAGES)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise InputError(f"{images_file}: is {images.dtype} of shape {images.shape}; accepted: {_IMAGES}")
    labels = npy.load(labels_file, _LABELS)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise InputError(f"{labels_file}: is {labels.dtype} of shape {labels.shape}; accepted: {_LABELS}")
    if images.ndim == 3:
        images = images[..., np.newaxis]
    return Split(images=images, labels=labels, images_file=images_file, labels_file=labels_file)


ARRAYS = Kind(
    name=".npy arrays",
    parts=tuple((f"{half}_{what}.npy",) for half in ("train", "test") for what in ("images", "labels")),
    load=_load,
)
