"""Sets and architectures that cannot train are refused."""

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


@pytest.mark.parametrize(
    "name, message",
    [
        (
            "alexnet",
            "train: alexnet: layer conv1: groups is 2; accepted in training: 1",
        ),
        (
            "resnet18",
            "train: resnet18: layer conv1: pool is max with padding (1, 1, 1, 1); "
            "accepted in training: max without padding",
        ),
        (
            "alexnet-fc",
            "train: alexnet-fc reads codes of another network; accepted: images",
        ),
    ],
)
def test_architectures_without_a_backward_pass_are_refused(name, message):
    images, labels = digits_sample()
    with pytest.raises(InputError) as error:
        train(find(name), recipe_of(), images, labels)
    assert str(error.value) == message


def test_residual_layers_are_refused():
    images, labels = digits_sample()
    unpadded = replace(find("resnet18").layers[0], pool=None)
    architecture = replace(find("resnet18"), layers=(unpadded, *find("resnet18").layers[1:]))
    with pytest.raises(InputError) as error:
        train(architecture, recipe_of(), images, labels)
    assert str(error.value) == (
        "train: resnet18: layer conv2_1_shortcut: source is 'conv1'; accepted in training: None"
    )


def test_dilated_layers_are_refused():
    images, labels = digits_sample()
    conv1 = replace(DIGITS.layers[1], dilation=(2, 1))
    architecture = replace(DIGITS, layers=(DIGITS.layers[0], conv1, *DIGITS.layers[2:]))
    with pytest.raises(InputError) as error:
        train(architecture, recipe_of(), images, labels)
    assert str(error.value) == (
        "train: digits: layer conv1: dilation is (2, 1); accepted in training: (1, 1)"
    )
