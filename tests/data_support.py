"""Small data sets in all the forms that training reads."""

import struct
import zlib

import numpy as np

# Stored types and classes of MATLAB: the class is that of the type where it is not double.
_MATLAB = {"uint8": (2, 9), "int16": (3, 10), "uint16": (4, 11), "int32": (5, 12), "float64": (9, 6)}


def idx_bytes(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write_idx(folder, arrays, *, separator="-", suffix="", pack=bytes):
    """train and test images (N, H, W) and labels, `pack`ed."""
    parts = [(half, kind) for half in ("train", "t10k") for kind in ("images", "labels")]
    folder.mkdir(parents=True, exist_ok=True)
    for (half, kind), array in zip(parts, arrays, strict=True):
        name = f"{half}-{kind}{separator}idx{3 if kind == 'images' else 1}-ubyte{suffix}"
        (folder / name).write_bytes(pack(idx_bytes(array)))


def write_arrays(folder, arrays):
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{half}_{kind}" for half in ("train", "test") for kind in ("images", "labels")]
    for name, array in zip(names, arrays, strict=True):
        np.save(folder / f"{name}.npy", array)


def element(kind, content):
    """An element of a MATLAB file: small, or padded to 8 bytes."""
    if len(content) <= 4:
        return struct.pack("<HH4s", kind, len(content), content)
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def variable(name, array, *, flags=None, sizes=None):
    """A variable of numbers, not compressed; `flags` and `sizes` instead of the array's."""
    kind, matlab_class = _MATLAB[array.dtype.name]
    sizes = array.shape if sizes is None else sizes
    content = (
        element(6, struct.pack("<II", matlab_class if flags is None else flags, 0))
        + element(5, struct.pack(f"<{len(sizes)}i", *sizes))
        + element(1, name.encode())
        + element(kind, array.tobytes(order="F"))
    )
    return struct.pack("<II", 14, len(content)) + content


def compressed(content):
    packed = zlib.compress(content)
    return struct.pack("<II", 15, len(packed)) + packed


MATLAB_HEADER = b"MATLAB 5.0 MAT-file, of a test".ljust(116) + bytes(8) + b"\0\1IM"


def svhn_bytes(images, labels):
    """What MATLAB makes of images (N, 32, 32, 3) and labels 0..9."""
    y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    variables = variable("X", images.transpose(1, 2, 3, 0)), variable("y", y, flags=6)
    return MATLAB_HEADER + b"".join(map(compressed, variables))


def write_svhn(folder, arrays):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train_32x32.mat").write_bytes(svhn_bytes(*arrays[:2]))
    (folder / "test_32x32.mat").write_bytes(svhn_bytes(*arrays[2:]))


def cifar_bytes(images, labels):
    return b"".join(
        bytes([label]) + image.transpose(2, 0, 1).tobytes()
        for image, label in zip(images, labels, strict=True)
    )


def write_cifar(folder, arrays):
    """Images (N, 32, 32, 3), the training ones in five files."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = zip(np.array_split(arrays[0], 5), np.array_split(arrays[1], 5), strict=True)
    for number, part in enumerate(parts, 1):
        (folder / f"data_batch_{number}.bin").write_bytes(cifar_bytes(*part))
    (folder / "test_batch.bin").write_bytes(cifar_bytes(*arrays[2:]))


def png_bytes(image, *, bits=8, color=None, size=None):
    """An image (H, W, 1 or 3) as PNG; `bits`, `color` and `size` (width, height) are what its header says."""
    height, width, channels = image.shape

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    color = {1: 0, 3: 2}[channels] if color is None else color
    header = struct.pack(">IIBBBBB", *(size or (width, height)), bits, color, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in image)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def write_png(folder, arrays, names="0123456789"):
    for half, images, labels in (("train", *arrays[:2]), ("test", *arrays[2:])):
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / half / names[label]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{index:04}.png").write_bytes(png_bytes(image))


def random_arrays(rng, shape, train=10, test=5, classes=10):
    """Images and labels for training and test; the first `classes` training labels are all of them."""
    labels = [rng.integers(0, classes, count, np.uint8) for count in (train, test)]
    labels[0][:classes] = np.arange(classes)[:train]
    images = [rng.integers(0, 256, (count, *shape), np.uint8) for count in (train, test)]
    return images[0], labels[0], images[1], labels[1]
