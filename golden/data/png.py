"""Folders of PNG files, one folder a class."""

import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..reading import MAX_UNPACKED, read_bytes, reason
from .kind import Kind, Shape, Split, entries

_ACCEPTED = "PNG of 8 bits, gray or RGB, without palette and alpha"
_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
# Color type in the header -> channels.
_CHANNELS = {0: 1, 2: 3}
# Bytes and pixels of one file.
_MAX_BYTES, _MAX_PIXELS = 1 << 26, 1 << 24


def read_classes(
    folder: Path, classes: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images uint8 (N, H, W, 1 or 3), labels int64 (N,) and classes from `folder`/CLASS/*.png.

    classes: the names of all classes in the order of their labels; None takes the folders that are there,
    sorted by name as text. Names that begin with a dot are passed over. Images of one size, gray or RGB.
    Raises InputError that names file or folder for anything else, and where Pillow is not installed.
    """
    accepted = f"a folder for each class, {folder}/CLASS/*.png"
    there = entries(folder, accepted)
    if not there:
        raise InputError(f"{folder}: holds nothing; accepted: {accepted}")
    names = [path.name for path in there] if classes is None else list(classes)
    for path in there:
        if path.name not in names:
            raise InputError(f"{path}: no class of the training images; accepted: {', '.join(names)}")
    files = [(file, names.index(path.name)) for path in there for file in _class_files(path, accepted)]
    images = np.empty((0, 0, 0, 0), np.uint8)
    for index, (file, _) in enumerate(files):
        shape, content = _header(file)
        if index == 0:
            if len(files) * shape[0] * shape[1] * shape[2] > MAX_UNPACKED:
                claim = f"{len(files)} images of {_size(shape)}"
                raise InputError(f"{file}: {claim}; accepted: at most {MAX_UNPACKED} bytes in all")
            images = np.empty((len(files), *shape), np.uint8)
        if shape != images.shape[1:]:
            raise InputError(
                f"{file}: is {_size(shape)}; accepted: {_size(images.shape[1:])}, as {files[0][0]}"
            )
        images[index] = _pixels(file, content).reshape(shape)
    return images, np.array([label for _, label in files]), names


def _class_files(folder: Path, accepted: str) -> list[Path]:
    files = entries(folder, accepted)
    for file in files:
        if file.suffix.lower() != ".png":
            raise InputError(f"{file}: no name of an image; accepted: names ending in .png")
    if not files:
        raise InputError(f"{folder}: holds no images; accepted: one .png or more")
    return files


def _header(file: Path) -> tuple[Shape, bytearray]:
    """Shape (height, width, channels) that a PNG file claims, and its content."""
    content = read_bytes(file, _ACCEPTED, _MAX_BYTES)
    if content[: len(_START)] != _START or len(content) < len(_START) + 10:
        raise InputError(f"{file}: begins with {bytes(content[:16])!r}; accepted: {_ACCEPTED}")
    width, height, bits, color = struct.unpack_from(">IIBB", content, len(_START))
    if bits != 8 or color not in _CHANNELS:
        raise InputError(f"{file}: has {bits} bits and color type {color}; accepted: {_ACCEPTED}")
    if not 0 < height * width <= _MAX_PIXELS:
        raise InputError(f"{file}: claims {height}x{width} pixels; accepted: 1 to {_MAX_PIXELS} of them")
    return (height, width, _CHANNELS[color]), content


def _pixels(file: Path, content: bytearray) -> np.ndarray:
    image = _pillow(file)
    try:
        with image.open(BytesIO(content), formats=("PNG",)) as opened:
            return np.asarray(opened)
    # Damaged files raise many types.
    except Exception as error:
        raise InputError(f"{file}: damaged PNG: {reason(error)}; accepted: {_ACCEPTED}") from None


def _pillow(file: Path) -> Any:
    """Pillow's module of images."""
    try:
        from PIL import Image
    except ImportError:
        raise InputError(
            f"{file}: reading it needs the package pillow, which is not installed; "
            "accepted: after `pip install dorefa[png]`"
        ) from None
    return Image


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _load(paths: list[Path]) -> tuple[Split, Split]:
    train, test = paths
    images, labels, classes = read_classes(train)
    half = Split(images=images, labels=labels, images_file=train, labels_file=train)
    images, labels, _ = read_classes(test, classes)
    return half, Split(images=images, labels=labels, images_file=test, labels_file=test)


PNG = Kind(name="PNG folders", parts=(("train",), ("test",)), load=_load, others=", in each CLASS/*.png")
