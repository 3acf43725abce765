"""Descriptions: what is accepted, and the exact message of everything that is not."""

import re

import numpy as np
import pytest

from dorefa.golden import BatchNorm, InputError, Layer, Network, Pool
from dorefa.golden.network import weight_values


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


@pytest.mark.parametrize("bits", range(1, 9))
def test_weight_values(bits):
    codes = np.arange(1 << bits, dtype=np.uint8)
    bipolar = [2 * q - (2**bits - 1) for q in range(1 << bits)]
    signed = [q - 2**bits if q >= 2 ** (bits - 1) else q for q in range(1 << bits)]
    assert weight_values(codes, bits, "bipolar").tolist() == bipolar
    assert weight_values(codes, bits, "twos_complement").tolist() == signed
    assert weight_values(codes, bits, "unsigned").tolist() == codes.tolist()


def test_arrays_cannot_change_afterwards():
    codes = np.zeros((4, 3, 3, 2), np.uint8)
    layer = conv(codes=codes)
    codes[:] = 3
    assert layer.codes.max() == 0
    with pytest.raises(ValueError):
        layer.codes[:] = 1


def test_sigma_is_the_float64_root():
    var = np.array([0, 0.1, 3], np.float32)
    eps = 1e-5
    sigma = norm(3, gamma=np.ones(3, np.float32), beta=var, mean=var, var=var, eps=eps).sigma
    assert sigma.tolist() == [float(np.float64(v) + eps) ** 0.5 for v in var]


BAD = np.array([0, 1, np.nan, 2], np.float32)
INFINITE = np.full((4, 3, 3, 2), np.inf, np.float32)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"w_bits": 9}, "layer conv0: w_bits is 9; accepted: an integer in 1..8"),
        ({"w_bits": True}, "layer conv0: w_bits is True; accepted: an integer in 1..8"),
        ({"a_bits": 0}, "layer conv0: a_bits is 0; accepted: an integer in 1..8"),
        ({"stride": (0, 1)}, "layer conv0: stride h is 0; accepted: an integer >= 1"),
        ({"stride": 2}, "layer conv0: stride is 2; accepted: 2 integers >= 1 (h, w)"),
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
            "layer conv0: codes has shape (4, 3, 3); "
            "accepted: (Cout, Kh, Kw, Cin / groups), none of them 0",
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
            "layer conv0: groups is 3; accepted: a divisor of the 4 output channels "
            "(4 = 1 x 3 + 1)",
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
        Layer(name="a", kind="dense", codes=np.zeros((1, 1, 1, 1), np.uint8), w_bits=1,
              scale=np.float32(1))  # fmt: skip
    with refused("layer fc: stride is (2, 2); accepted for fc: (1, 1)"):
        fc(4, stride=(2, 2))
    with refused(
        "layer fc: codes has shape (3, 2, 2, 1); accepted for fc: (Cout, 1, 1, H * W * C)"
    ):
        fc(4, codes=np.zeros((3, 2, 2, 1), np.uint8))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "min"}, "pool: kind is 'min'; accepted: max, average, average_codes"),
        ({"kernel": (0, 2)}, "pool: kernel h is 0; accepted: an integer >= 1"),
        (
            {"padding": (0, 2, 0, 0)},
            "pool: padding left is 2; accepted: less than the kernel 2",
        ),
        (
            {"kind": "average", "padding": (0, 0, 0, 1)},
            "pool: padding is (0, 0, 0, 1); accepted for average pooling: (0, 0, 0, 0)",
        ),
    ],
)
def test_refused_pools(fields, message):
    with refused(message):
        Pool(**({"kind": "max", "kernel": (2, 2), "stride": (2, 2)} | fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gamma": BAD}, "norm: gamma is nan at (2,); accepted: finite numbers"),
        ({"eps": float("inf")}, "norm: eps is inf; accepted: finite numbers"),
        ({"eps": "0"}, "norm: eps is '0'; accepted: a finite number"),
        (
            {"beta": np.ones(3, np.float32)},
            "norm: beta has shape (3,); accepted: one axis, as long as gamma (4,)",
        ),
        (
            {"var": np.array([1, 1, -1, 0], np.float32), "eps": 0.25},
            "norm: var + eps is -0.75 (= -1 + 0.25) in channel 2; accepted: more than 0",
        ),
    ],
)
def test_refused_norms(fields, message):
    with refused(message):
        norm(**fields)


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
            "layer conv0: groups is 4; accepted: a divisor of the 2 input channels "
            "(2 = 0 x 4 + 2)",
        ),
        (
            [conv(shape=(4, 3, 3, 3))],
            "layer conv0: codes has 3 input channels per group; "
            "accepted: 2 (= 2 channels / 1 groups)",
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
            [conv(a_bits=None)],
            "layer conv0: output is 3x4 pixels; accepted for the last layer: 1x1",
        ),
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
