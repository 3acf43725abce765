"""CIFAR-10's binary version."""

import numpy as np
import pytest

from dorefa.golden.data.cifar import read_batch
from dorefa.golden.errors import InputError

from ...data_support import cifar_bytes


def test_planes_become_channels(tmp_path):
    content = bytearray(2 * 3073)
    content[0], content[3073] = 3, 9
    # The second image: red at row 1, column 2; blue at row 31, column 0.
    content[3074 + 32 + 2], content[3074 + 2 * 1024 + 31 * 32] = 5, 7
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(content)
    images, labels = read_batch(path)
    assert images.shape == (2, 32, 32, 3) and images.dtype == np.uint8 and labels.tolist() == [3, 9]
    assert images[1, 1, 2].tolist() == [5, 0, 0] and images[1, 31, 0].tolist() == [0, 0, 7]
    assert images.sum(dtype=int) == 12


def test_random_batches(tmp_path, rng):
    images, labels = rng.integers(0, 256, (4, 32, 32, 3), np.uint8), rng.integers(0, 10, 4)
    path = tmp_path / "a.bin"
    path.write_bytes(cifar_bytes(images, labels))
    found = read_batch(path)
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "has 0 bytes; accepted: a batch of CIFAR-10, binary version: records of 3073 bytes"),
        (bytes(3072), "has 3072 bytes; accepted: a batch"),
        (bytes(2 * 3073 + 1), "has 6147 bytes; accepted: a batch"),
        (bytes(3073) + b"\x0a" + bytes(3072), "label 10 of image 1; accepted: 0..9"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_batch(path)
    assert str(error.value).startswith(f"{path}: {message}") and str(error.value).isprintable()
