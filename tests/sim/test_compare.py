"""dorefa.sim.compare: naming what differs."""

import numpy as np

from dorefa.sim.compare import MAX_MISMATCHES, Comparison


def test_first_wrong_element_is_named():
    comparison = Comparison()
    expected = np.zeros((2, 3, 4), np.uint8)
    got = expected.copy()
    got[1, 2, 3] = 4
    comparison.add("conv1", 7, expected, got)
    assert comparison.count == 1
    assert str(comparison.mismatches[0]) == (
        "layer conv1, image 7, y 1, x 2, channel 3, plane 2: expected 0, got 4"
    )


def test_results_are_compared_by_class():
    comparison = Comparison()
    comparison.add("fc", 0, np.array([5, -3, 9]), np.array([5, -4, 9]))
    (mismatch,) = comparison.mismatches
    assert (mismatch.channel, mismatch.expected, mismatch.got) == (1, -3, -4)
    assert mismatch.plane == 0
    assert set(mismatch.as_dict()) >= {"layer", "image", "y", "x", "channel", "expected", "got"}


def test_all_are_counted_and_the_first_kept():
    comparison = Comparison()
    for image in range(3):
        comparison.add("a", image, np.zeros((4, 4, 1)), np.ones((4, 4, 1)))
    assert comparison.count == 48
    assert len(comparison.mismatches) == MAX_MISMATCHES
    assert comparison.mismatches[-1].image == 1


def test_equal_values_are_no_mismatch(rng):
    comparison = Comparison()
    codes = rng.integers(0, 4, (3, 3, 5))
    comparison.add("a", 0, codes, codes.copy())
    assert (comparison.count, comparison.mismatches) == (0, [])
