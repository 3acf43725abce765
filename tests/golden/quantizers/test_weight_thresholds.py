"""golden.quantizers.weight_thresholds: the same codes as golden's quantizer, around every boundary."""

import re

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.weight_thresholds import floats, ordered, threshold_words, weight_thresholds

FLOAT = np.finfo(np.float32)
MAGNITUDES = [
    0.0,
    FLOAT.smallest_subnormal,
    7 * FLOAT.smallest_subnormal,
    FLOAT.tiny / 3,
    FLOAT.tiny,
    1e-20,
    0.013,
    0.5,
    1.0,
    3.7,
    9.3,
    20.0,
    1e10,
    FLOAT.max,
]


def codes_by(thresholds, w):
    """Codes by comparison."""
    return np.searchsorted(thresholds, ordered(w), side="right")


def test_ordered_floats():
    tiny = FLOAT.smallest_subnormal
    w = np.array([-FLOAT.max, -1, -tiny, -0.0, 0, tiny, 1, FLOAT.max], np.float32)
    order = ordered(w)
    assert order[2:6].tolist() == [-1, 0, 0, 1]
    assert (np.diff(order) >= 0).all()
    np.testing.assert_array_equal(floats(order), w)
    assert ordered(np.nextafter(np.float32(-1), np.float32(0))) == ordered(np.float32(-1)) + 1


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("largest", MAGNITUDES)
def test_codes_around_every_boundary(largest, bits, rng):
    greatest = np.float32(largest)
    thresholds = weight_thresholds(greatest, bits)
    assert thresholds.shape == ((1 << bits) - 1,) and (np.diff(thresholds) >= 0).all()
    top = int(ordered(greatest))
    order = (thresholds[:, np.newaxis] + np.arange(-40, 41)).ravel().clip(-top, top)
    order = np.concatenate([order, rng.integers(-top, top + 1, 200), [-top, 0]])
    w = np.concatenate([floats(order), np.array([-0.0, greatest], np.float32)])
    w = rng.permutation(w)
    np.testing.assert_array_equal(codes_by(thresholds, w), quantize_weights(w, bits)[0])


@pytest.mark.parametrize("bits", range(2, 9))
def test_codes_of_layers(bits, rng):
    for _ in range(4):
        w = (rng.standard_normal((40, 50)) * np.exp(rng.uniform(-8, 3))).astype(np.float32)
        thresholds = weight_thresholds(np.abs(w).max(), bits)
        # Every second one too: NumPy may compute what lies apart in another way.
        for part in (w, np.repeat(w, 2, axis=1)[:, ::2]):
            np.testing.assert_array_equal(codes_by(thresholds, part), quantize_weights(part, bits)[0])


def test_one_bit_is_the_sign():
    for largest in MAGNITUDES:
        assert weight_thresholds(np.float32(largest), 1).tolist() == [0]
    w = np.array([-0.0, 0.0, -FLOAT.smallest_subnormal], np.float32)
    assert codes_by(weight_thresholds(np.float32(1), 1), w).tolist() == [1, 1, 0]
    assert quantize_weights(w, 1)[0].tolist() == [1, 1, 0]


def test_all_zeros_have_the_middle_code():
    thresholds = weight_thresholds(np.float32(0), 3)
    assert thresholds.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_words_keep_the_order(rng):
    """A weight reaches a threshold exactly where its pattern, inverted below the sign of a negative one,
    reaches the word."""
    around = np.arange(-3, 4)
    order = np.concatenate([around, ordered(np.float32([1, -2.5])), rng.integers(-(1 << 30), 1 << 30, 50)])
    words = threshold_words(order).view(np.int32)
    w = np.append(floats(order), np.float32(-0.0))
    patterns = w.view(np.int32)
    inverted = np.where(patterns < 0, patterns ^ 0x7FFFFFFF, patterns)
    reached = inverted[:, np.newaxis] >= words
    np.testing.assert_array_equal(reached, ordered(w)[:, np.newaxis] >= order)


@pytest.mark.parametrize(
    "largest, bits, message",
    [
        (np.float32(1), 9, "weight_thresholds: bits is 9; accepted: an integer in 1..8"),
        (0.5, 2, "weight_thresholds: largest is 0.5; accepted: a finite np.float32 >= 0"),
        *(
            (
                np.float32(value),
                2,
                f"weight_thresholds: largest is np.float32({value}); accepted: a finite np.float32 >= 0",
            )
            for value in (-1.0, np.inf, np.nan)
        ),
    ],
)
def test_errors(largest, bits, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        weight_thresholds(largest, bits)
