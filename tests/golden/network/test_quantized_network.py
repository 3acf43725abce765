"""One line for a network and for a layer, in float and in integers."""

import numpy as np
import pytest

from dorefa.golden import Encoding, Layer, Network, lower, random_network
from dorefa.golden.zoo import catalog


def test_the_line_of_a_network():
    network = catalog.load("digits")
    assert repr(network) == "Network('digits', 28x28x1 -> 10, 6 layers, W1/8 A2)"
    assert repr(lower(network)) == "IntegerNetwork('digits', 28x28x1 -> 10, 6 layers, W1/8 A2)"


def test_the_line_of_a_layer():
    conv, *_, last = catalog.load("digits").layers
    assert repr(conv) == "Layer('conv0', conv 5x5, 1 -> 16 channels, W1 bipolar, max pool 2x2, A2)"
    assert repr(last) == "Layer('fc1', fc, 128 -> 10 channels, W8 bipolar)"
    integer = lower(catalog.load("digits")).layers[0]
    assert repr(integer) == "IntegerLayer('conv0', conv 5x5, 1 -> 16 channels, W1 bipolar, max pool 2x2, A2)"


def test_a_network_of_one_layer():
    codes = np.zeros((3, 1, 1, 4), np.uint8)
    layer = Layer(name="fc", kind="fc", codes=codes, w_bits=2, scale=np.float32(1), encoding="unsigned")
    network = Network(name="one", input_shape=(2, 1, 2), input_bits=1, layers=(layer,))
    assert repr(network) == "Network('one', 2x1x2 -> 3, 1 layer, W2)"


@pytest.mark.parametrize("draw", range(20))
def test_lines_are_short(draw):
    network = random_network(draw, residual=draw % 2 == 0, encodings=tuple(Encoding), allow_average=True)
    for form in (network, lower(network)):
        assert len(repr(form)) < 100 and repr(form).isprintable()
        assert all(len(repr(layer)) < 140 and repr(layer).isprintable() for layer in form.layers)
        assert str(form) == repr(form)
