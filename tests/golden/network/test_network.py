"""Networks: shapes, the graph, and the exact message of everything that is refused."""

import re

import numpy as np
import pytest

from dorefa.golden import InputError, Layer, Network, Pool, Rescale


def conv(name="conv0", shape=(4, 3, 3, 2), **fields):
    fields = {"w_bits": 2, "a_bits": 2, "scale": np.float32(1)} | fields
    codes = fields.pop("codes", np.zeros(shape, np.uint8))
    return Layer(name=name, kind="conv", codes=codes, **fields)


def fc(inputs, name="fc", **fields):
    fields = {"codes": np.zeros((3, 1, 1, inputs), np.uint8), "w_bits": 1} | fields
    return Layer(name=name, kind="fc", scale=np.float32(1), **fields)


def network(*layers, shape=(5, 6, 2)):
    return Network(name="net", input_shape=shape, input_bits=8, layers=layers)


def refused(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


def test_shapes_of_a_network():
    pool = Pool(kind="max", kernel=(2, 3), stride=(2, 1), padding=(0, 1, 1, 0))
    first = conv(stride=(1, 2), padding=(1, 0, 2, 3), dilation=(2, 1), pool=pool)
    # The fully connected layer takes what is left, flattened.
    net = network(first, conv("conv1", (6, 1, 1, 2), groups=2), fc(36))
    assert net.shapes[0] == ((5, 6, 2), (4, 4, 4), (2, 3, 4))
    assert net.shapes[1] == ((2, 3, 4), (2, 3, 6), (2, 3, 6))
    assert net.shapes[2] == ((1, 1, 36), (1, 1, 3), (1, 1, 3))
    assert net.classes == 3


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "network net: layers is (); accepted: one or more Layer"),
        (
            [conv(), conv(shape=(4, 1, 1, 4))],
            "layer conv0: the name is used 2 times; accepted: each name once",
        ),
        (
            [conv(shape=(4, 3, 3, 1), groups=4)],
            "layer conv0: groups is 4; accepted: a divisor of the 2 input channels (2 = 0 x 4 + 2)",
        ),
        (
            [conv(shape=(4, 3, 3, 3))],
            "layer conv0: codes has 3 input channels per group; accepted: 2 (= 2 channels / 1 groups)",
        ),
        (
            [conv(dilation=(3, 1), padding=(1, 0, 0, 0))],
            "layer conv0: kernel covers 7 rows (= 3 x (3 - 1) + 1); "
            "accepted: at most 6 (= 1 + 5 + 0, padded input)",
        ),
        (
            [conv(pool=Pool(kind="max", kernel=(1, 5), stride=(1, 1)))],
            "layer conv0: pool kernel covers 5 columns (= 1 x (5 - 1) + 1); "
            "accepted: at most 4 (= 0 + 4 + 0, padded input)",
        ),
        (
            [conv(a_bits=None), fc(48)],
            "layer conv0: a_bits is None; accepted before the last layer: 1..8",
        ),
        ([conv()], "layer conv0: a_bits is 2; accepted for the last layer: None"),
        (
            [conv(), fc(40)],
            "layer fc: codes has 40 inputs; accepted: 48 (= 3 x 4 x 4)",
        ),
    ],
)
def test_refused_networks(layers, message):
    with refused(message):
        network(*layers)


def test_refused_network_parameters():
    with refused("network net: input_shape is (5, 6); accepted: 3 integers >= 1 (H, W, C)"):
        network(fc(30), shape=(5, 6))
    with refused("network net: input_bits is 9; accepted: an integer in 1..8"):
        Network(name="net", input_shape=(1, 1, 1), input_bits=9, layers=(fc(1),))
    with refused("network name is '\\n'; accepted: printable text, not empty"):
        Network(name="\n", input_shape=(1, 1, 1), input_bits=8, layers=(fc(1),))


def trunk(channels=4, scale=0.5):
    zeros = np.zeros(channels, np.int64)
    return Rescale(m=zeros, b=zeros, f=0, scale=np.float32(scale))


def same(name, inputs=4, **fields):
    """A 3x3 convolution that keeps the map, with a trunk."""
    fields = {"rescale": trunk(), "padding": (1, 1, 1, 1)} | fields
    return conv(name, (4, 3, 3, inputs), **fields)


def test_links_of_a_graph():
    pool = Pool(kind="average_codes", kernel=(5, 6), stride=(5, 6))
    net = network(
        same("stem", 2),
        same("side", a_bits=None),
        same("sum", source="stem", add="side"),
        same("image", 2, source="input", a_bits=None, add="side"),
        same("end", source="sum", add="image", pool=pool),
        fc(4, source=""),
    )
    assert net.links == (
        (-1, 255, 8, None, False),
        (0, 3, 2, None, True),
        (0, 3, 2, 1, False),
        (-1, 255, 8, 1, True),
        (2, 3, 2, 3, False),
        (4, 90, 7, None, False),
    )
    assert net.shapes[3] == ((5, 6, 2), (5, 6, 4), (5, 6, 4))
    assert net.layers[-1].source is None


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [conv(), fc(48, source="conv1")],
            "layer fc: source is 'conv1', which no layer is called; accepted: input, conv0",
        ),
        (
            [conv(source="fc"), fc(48)],
            "layer conv0: source is 'fc', which does not come before it; accepted: input",
        ),
        (
            [same("a", 2, add="b"), same("b"), fc(120)],
            "layer a: add is 'b', which does not come before it; accepted: ",
        ),
        (
            [same("a", 2, a_bits=None), same("b", source="a", add="a"), fc(120)],
            "layer b: source is 'a', whose a_bits is None; accepted: a layer with codes (a_bits 1..8)",
        ),
        (
            [same("a", 2, rescale=None), same("b", add="a"), fc(120)],
            "layer b: add is 'a', which has no rescale; accepted: a layer with a trunk",
        ),
        (
            [same("a", 2), same("b", padding=(0, 0, 0, 0), add="a"), fc(48)],
            "layer b: add is 'a', whose trunk has shape (5, 6, 4); accepted: (3, 4, 4)",
        ),
        (
            [same("a", 2, rescale=trunk(4, 0.25)), same("b", add="a"), fc(120)],
            "layer b: add is 'a', whose rescale scale is 0.25; accepted: 0.5, as here",
        ),
        (
            [same("a", 2), same("b", source="input", inputs=2), fc(120)],
            "layer a: no layer reads its codes; accepted: the source of a later layer",
        ),
        (
            [same("a", 2), same("b", 2, source="input", add="a"), fc(120)],
            "layer a: no layer reads its codes; accepted: the source of a later layer, or a_bits None",
        ),
        (
            [same("a", 2, a_bits=None), conv(source="input"), fc(48)],
            "layer a: no layer adds its trunk; accepted: the add of a later layer",
        ),
        (
            [conv(), fc(48, rescale=trunk(3))],
            "layer fc: rescale is given; accepted for the last layer: None",
        ),
    ],
)
def test_refused_graphs(layers, message):
    with refused(message):
        network(*layers)
