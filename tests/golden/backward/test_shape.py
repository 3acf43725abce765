"""Shapes of convolutions in training: what follows from them, what is refused."""

from dataclasses import replace

import pytest

from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.errors import InputError

LAYER = ConvolutionShape(
    name="conv",
    in_shape=(8, 7, 6),
    channels=4,
    kernel=(3, 2),
    stride=(2, 1),
    padding=(1, 0, 1, 0),
    groups=2,
    w_bits=1,
    a_bits=2,
    g_bits=6,
)


def test_sizes():
    assert LAYER.out_shape == (4, 6, 4) and LAYER.weights_shape == (4, 3, 2, 3)
    assert not LAYER.covers_map
    assert hash(LAYER) == hash(replace(LAYER)) and replace(LAYER, kernel=3).kernel == (3, 3)


def test_a_fully_connected_layer_is_one_pixel():
    layer = replace(LAYER, kernel=(8, 7), padding=0, groups=1, stride=3)
    assert layer.covers_map and layer.out_shape == (1, 1, 4)
    pixel = layer.on_one_pixel()
    assert pixel.in_shape == (1, 1, 336) and pixel.weights_shape == (4, 1, 1, 336)
    assert pixel.covers_map and pixel.out_shape == (1, 1, 4)
    assert not replace(layer, padding=(0, 0, 0, 1)).covers_map


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel": 0}, "layer conv: kernel h is 0; accepted: an integer >= 1"),
        ({"in_shape": (8, 7)}, "layer conv: in_shape is (8, 7); accepted: 3 integers >= 1 (H, W, C)"),
        ({"channels": 0}, "layer conv: channels is 0; accepted: an integer >= 1"),
        ({"w_bits": 9}, "layer conv: w_bits is 9; accepted: an integer in 1..8"),
        ({"a_bits": 0}, "layer conv: a_bits is 0; accepted: an integer in 1..8"),
        ({"g_bits": 32}, "layer conv: g_bits is 32; accepted: an integer in 1..8"),
        ({"channels": 3}, "layer conv: channels is 3; accepted: multiples of groups = 2"),
        ({"in_shape": (8, 7, 5)}, "layer conv: in_shape C is 5; accepted: multiples of groups = 2"),
        (
            {"dilation": (2, 8)},
            "layer conv: windows of 5 x 9 pixels on a padded map of 10 x 7; accepted: windows that fit",
        ),
    ],
)
def test_what_is_no_convolution_is_refused(fields, message):
    with pytest.raises(InputError) as caught:
        replace(LAYER, **fields)
    assert str(caught.value) == message
