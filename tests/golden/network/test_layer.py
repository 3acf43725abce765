"""Layers: what is accepted, and the exact message of everything that is not."""

import re

import numpy as np
import pytest

from dorefa.golden import BatchNorm, InputError, Layer, Pool, Rescale


def conv(name="conv0", shape=(4, 3, 3, 2), **fields):
    fields = {"w_bits": 2, "a_bits": 2, "scale": np.float32(1)} | fields
    codes = fields.pop("codes", np.zeros(shape, np.uint8))
    return Layer(name=name, kind="conv", codes=codes, **fields)


def fc(inputs, name="fc", **fields):
    fields = {"codes": np.zeros((3, 1, 1, inputs), np.uint8), "w_bits": 1} | fields
    return Layer(name=name, kind="fc", scale=np.float32(1), **fields)


def norm(channels=4, **fields):
    ones = np.ones(channels, np.float32)
    parameters = {"gamma": ones, "beta": ones, "mean": ones, "var": ones, "eps": 0}
    return BatchNorm(**(parameters | fields))


def trunk(channels=4, scale=0.5):
    zeros = np.zeros(channels, np.int64)
    return Rescale(m=zeros, b=zeros, f=0, scale=np.float32(scale))


def same(name, inputs=4, **fields):
    """A 3x3 convolution that keeps the map, with a trunk."""
    fields = {"rescale": trunk(), "padding": (1, 1, 1, 1)} | fields
    return conv(name, (4, 3, 3, inputs), **fields)


def refused(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


def test_arrays_cannot_change_afterwards():
    codes = np.zeros((4, 3, 3, 2), np.uint8)
    layer = conv(codes=codes)
    codes[:] = 3
    assert layer.codes.max() == 0
    with pytest.raises(ValueError):
        layer.codes[:] = 1


BAD = np.array([0, 1, np.nan, 2], np.float32)
INFINITE = np.full((4, 3, 3, 2), np.inf, np.float32)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"w_bits": 9}, "layer conv0: w_bits is 9; accepted: an integer in 1..8"),
        ({"w_bits": True}, "layer conv0: w_bits is True; accepted: an integer in 1..8"),
        ({"a_bits": 0}, "layer conv0: a_bits is 0; accepted: an integer in 1..8"),
        ({"stride": (0, 1)}, "layer conv0: stride h is 0; accepted: an integer >= 1"),
        ({"stride": (2,)}, "layer conv0: stride is (2,); accepted: 2 integers >= 1 (h, w)"),
        ({"dilation": (1, 1.5)}, "layer conv0: dilation w is 1.5; accepted: an integer >= 1"),
        (
            {"padding": (0, 0, -1, 0)},
            "layer conv0: padding bottom is -1; accepted: an integer >= 0",
        ),
        ({"scale": 1.0}, "layer conv0: scale is a float; accepted: a NumPy float32 array"),
        (
            {"scale": np.ones(3, np.float32)},
            "layer conv0: scale has shape (3,); accepted: () or (4,)",
        ),
        ({"scale": np.float64(1)}, "layer conv0: scale has dtype float64; accepted: float32"),
        ({"scale": np.float32(np.nan)}, "layer conv0: scale is nan; accepted: finite numbers"),
        ({"bias": BAD}, "layer conv0: bias is nan at (2,); accepted: finite numbers"),
        (
            {"weight": INFINITE},
            "layer conv0: weight is inf at (0, 0, 0, 0); accepted: finite numbers",
        ),
        (
            {"weight": INFINITE[0]},
            "layer conv0: weight has shape (3, 3, 2); accepted: (4, 3, 3, 2)",
        ),
        (
            {"codes": np.full((4, 3, 3, 2), 4, np.uint8)},
            "layer conv0: codes has the code 4 at (0, 0, 0, 0); accepted: 0..3 (2 bits)",
        ),
        (
            {"codes": np.zeros((4, 3, 3), np.uint8)},
            "layer conv0: codes has shape (4, 3, 3); accepted: (Cout, Kh, Kw, Cin / groups), none of them 0",
        ),
        (
            {"codes": np.zeros((4, 3, 3, 2), int)},
            "layer conv0: codes has dtype int64; accepted: uint8",
        ),
        (
            {"encoding": "ternary"},
            "layer conv0: encoding is 'ternary'; accepted: bipolar, twos_complement, unsigned",
        ),
        (
            {"groups": 3},
            "layer conv0: groups is 3; accepted: a divisor of the 4 output channels (4 = 1 x 3 + 1)",
        ),
        ({"norm": norm(3)}, "layer conv0: norm has shape (3,); accepted: (4,)"),
        ({"norm": 1}, "layer conv0: norm is 1; accepted: a BatchNorm or None"),
        ({"pool": 2}, "layer conv0: pool is 2; accepted: a Pool or None"),
        (
            {"pool": Pool(kind="max", kernel=(2, 2), stride=(2, 2)), "a_bits": None},
            "layer conv0: pool is max with a_bits None; accepted: None",
        ),
    ],
)
def test_refused_layers(fields, message):
    with refused(message):
        conv(**fields)


def test_refused_names_and_fully_connected():
    with refused("layer name is ''; accepted: printable text, not empty"):
        conv("")
    with refused("layer a: kind is 'dense'; accepted: conv, fc"):
        Layer(name="a", kind="dense", codes=np.zeros((1, 1, 1, 1), np.uint8), w_bits=1, scale=np.float32(1))
    with refused("layer fc: stride is (2, 2); accepted for fc: (1, 1)"):
        fc(4, stride=(2, 2))
    with refused("layer fc: codes has shape (3, 2, 2, 1); accepted for fc: (Cout, 1, 1, H * W * C)"):
        fc(4, codes=np.zeros((3, 2, 2, 1), np.uint8))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": 3}, "layer a: source is 3; accepted: a layer's name or None"),
        ({"add": ("b",)}, "layer a: add is ('b',); accepted: a layer's name or None"),
        ({"rescale": None, "add": "b"}, "layer a: add is 'b' without rescale; accepted: None"),
        ({"rescale": 3}, "layer a: rescale is 3; accepted: a Rescale or None"),
        ({"rescale": trunk(3)}, "layer a: rescale has shape (3,); accepted: (4,)"),
        (
            {"a_bits": None, "norm": norm()},
            "layer a: norm with rescale and a_bits None; accepted: None",
        ),
        (
            {"a_bits": None, "pool": Pool(kind="max", kernel=(2, 2), stride=(2, 2))},
            "layer a: pool is max with a_bits None; accepted: None",
        ),
    ],
)
def test_refused_trunks(fields, message):
    with refused(message):
        same("a", **fields)


@pytest.mark.parametrize("name", ["input", "conv0.trunk"])
def test_names_that_mean_something_else(name):
    with refused(f"layer name is {name!r}; accepted: any but 'input', not ending in '.trunk'"):
        conv(name)
