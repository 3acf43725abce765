"""The digits that ship with the package."""

import numpy as np

from dorefa.golden.zoo.datasets import digits_sample


def test_shipped_sample_is_the_start_of_the_test_set():
    images, labels = digits_sample()
    assert images.shape == (1000, 28, 28, 1) and images.dtype == np.uint8
    assert labels.shape == (1000,) and labels.dtype == np.uint8
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(labels).tolist() == [85, 126, 116, 107, 110, 87, 87, 99, 89, 94]
    assert not images.flags.writeable
