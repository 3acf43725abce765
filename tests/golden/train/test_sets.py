"""Sets that do not fit are refused."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.train.train import train
from dorefa.golden.zoo.architectures import DIGITS, find
from dorefa.golden.zoo.datasets import digits_sample

from .support import recipe_of


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (
            np.zeros((2, 20, 20, 1), np.uint8),
            np.zeros(2, np.uint8),
            "test set: images are uint8 (2, 20, 20, 1); accepted: uint8 (N, 28, 28, 1), N at least 1",
        ),
        (
            np.zeros((2, 28, 28, 1), np.float32),
            np.zeros(2, np.uint8),
            "test set: images are float32 (2, 28, 28, 1); accepted: uint8 (N, 28, 28, 1), N at least 1",
        ),
        (
            np.zeros((2, 28, 28, 1), np.uint8),
            np.zeros(3, np.uint8),
            "test set: labels are uint8 (3,); accepted: integers (2,), one per image",
        ),
        (
            np.zeros((2, 28, 28, 1), np.uint8),
            np.array([3, 10]),
            "test set: labels from 3 to 10; accepted: 0..9",
        ),
    ],
)
def test_bad_sets_are_refused(images, labels, message):
    good = digits_sample()
    with pytest.raises(InputError) as error:
        train(DIGITS, recipe_of(), good[0][:2], good[1][:2], test=(images, labels))
    assert str(error.value) == message


def test_codes_that_a_network_does_not_read_are_refused():
    small = replace(find("alexnet-fc"), layers=find("alexnet-fc").layers[2:])
    images = np.zeros((2, 6, 6, 256), np.uint8)
    images[1, 2, 3, 4] = 4
    with pytest.raises(InputError) as error:
        train(small, recipe_of(), images, np.zeros(2, np.uint8))
    assert str(error.value) == (
        "training set: images has the code 4 at (1, 2, 3, 4); accepted: 0..3 (2 bits)"
    )
