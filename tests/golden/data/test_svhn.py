"""SVHN's cropped digits, and their enlargement in fractions."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from dorefa.golden.data.svhn import enlarge, read_svhn
from dorefa.golden.errors import InputError

from ...data_support import MATLAB_HEADER, svhn_bytes, variable


def test_digits_are_read_with_10_as_0(tmp_path, rng):
    images = rng.integers(0, 256, (10, 32, 32, 3), np.uint8)
    labels = rng.permutation(10)
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(svhn_bytes(images, labels))
    found, found_labels = read_svhn(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(found_labels, labels)


X, Y = np.zeros((32, 32, 3, 2), np.uint8), np.array([[10.0], [1.0]])


def test_labels_may_be_stored_as_doubles(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(MATLAB_HEADER + variable("X", X) + variable("y", Y))
    assert read_svhn(path)[1].tolist() == [0, 1]


@pytest.mark.parametrize(
    "x, y, message",
    [
        (X.astype(np.float64), Y, "X is float64 of shape (32, 32, 3, 2)"),
        (X[..., 0], Y, "X is uint8 of shape (32, 32, 3)"),
        (X.transpose(3, 0, 1, 2), Y, "X is uint8 of shape (2, 32, 32, 3)"),
        (X, Y[:1], "y has shape (1, 1); accepted: (2, 1), one label per image of X"),
        (X, Y.T, "y has shape (1, 2); accepted: (2, 1)"),
        (X, Y - 1, "y is 0.0 for image 1; accepted: 1..10, 10 for the digit 0"),
        (X, Y + [[0], [0.5]], "y is 1.5 for image 1; accepted: 1..10"),
        (X, Y * [[1], [np.nan]], "y is nan for image 1; accepted: 1..10"),
        (X, (Y + 1).astype(np.uint8), "y is 11 for image 0; accepted: 1..10"),
    ],
)
def test_other_arrays_are_refused(tmp_path, x, y, message):
    path = tmp_path / "a.mat"
    path.write_bytes(MATLAB_HEADER + variable("X", x) + variable("y", y))
    with pytest.raises(InputError) as error:
        read_svhn(path)
    assert str(error.value).startswith(f"{path}: {message}") and str(error.value).isprintable()


def bilinear(image, size):
    """In fractions: pixels are unit squares, the middle of each is its value, between them it is linear."""
    old = len(image)

    def weights(index):
        center = (Fraction(index) + Fraction(1, 2)) * old / size - Fraction(1, 2)
        low = floor(center)
        for place, weight in ((low, 1 - (center - low)), (low + 1, center - low)):
            yield min(max(place, 0), old - 1), weight

    result = np.empty((size, size), np.uint8)
    for row in range(size):
        for column in range(size):
            value = sum(int(image[y, x]) * wy * wx for y, wy in weights(row) for x, wx in weights(column))
            result[row, column] = floor(value + Fraction(1, 2))
    return result


def test_enlarging_is_bilinear_with_halves_up(rng):
    images = rng.integers(0, 256, (2, 32, 32, 1), np.uint8)
    enlarged = enlarge(images)
    assert enlarged.dtype == np.uint8 and enlarged.shape == (2, 40, 40, 1)
    for image, found in zip(images, enlarged, strict=True):
        np.testing.assert_array_equal(found[..., 0], bilinear(image[..., 0], 40))


def test_enlarging_in_parts_is_the_same_for_each_image_and_channel(rng):
    images = rng.integers(0, 256, (70, 32, 32, 3), np.uint8)
    enlarged = enlarge(images)
    for index in (0, 63, 64, 69):
        for channel in range(3):
            alone = enlarge(images[index : index + 1, ..., channel : channel + 1])
            np.testing.assert_array_equal(enlarged[index, ..., channel], alone[0, ..., 0])
    assert (enlarge(np.full((1, 32, 32, 3), 255, np.uint8)) == 255).all()
