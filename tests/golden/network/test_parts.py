"""Pooling, batch normalization and the rounding into a trunk: limits and messages."""

import re

import numpy as np
import pytest

from dorefa.golden import BatchNorm, InputError, Layer, Pool, Rescale


def rescale(**fields):
    parameters = {
        "m": np.array([3, -4]),
        "b": np.array([0, 7]),
        "f": 2,
        "scale": np.float32(0.5),
    }
    return Rescale(**(parameters | fields))


def layer(**fields):
    codes = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1) % 4
    parameters = {"codes": codes, "w_bits": 2, "scale": np.float32(0.3), "a_bits": 2}
    return Layer(name="conv0", kind="conv", **(parameters | fields))


def refused(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


def test_limits_are_accepted():
    largest = rescale(
        m=np.array([(1 << 20) - 1, 1 - (1 << 20)]), f=31, bits=32, b=np.array([-(1 << 47), (1 << 47) - 1])
    )
    assert largest.trunk_range == (-(1 << 31), (1 << 31) - 1)
    assert rescale().bits == 16 and rescale().trunk_range == (-32768, 32767)
    assert rescale(f=0, bits=2).trunk_range == (-2, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"m": [1, 2]}, "rescale: m is a list; accepted: a NumPy int64 array"),
        ({"m": np.ones(2, np.int32)}, "rescale: m has dtype int32; accepted: int64"),
        ({"m": np.ones((2, 1), int)}, "rescale: m has shape (2, 1); accepted: (Cout,)"),
        ({"b": np.ones(3, int)}, "rescale: b has shape (3,); accepted: (2,)"),
        (
            {"m": np.array([5, 1 << 20])},
            "rescale: m is 1048576 in channel 1; accepted: -1048575..1048575",
        ),
        (
            {"b": np.array([-(1 << 47) - 1, 0])},
            "rescale: b is -140737488355329 in channel 0; accepted: -140737488355328..140737488355327",
        ),
        ({"f": 32}, "rescale: f is 32; accepted: an integer in 0..31"),
        ({"bits": 1}, "rescale: bits is 1; accepted: an integer in 2..32"),
        ({"scale": 0.5}, "rescale: scale is a float; accepted: a NumPy float32 array"),
        ({"scale": np.float32(0)}, "rescale: scale is 0.0; accepted: more than 0"),
        ({"scale": np.float32(np.inf)}, "rescale: scale is inf; accepted: finite numbers"),
    ],
)
def test_refused_rescales(fields, message):
    with refused(message):
        rescale(**fields)


def test_pools_of_codes():
    pool = Pool(kind="average_codes", kernel=(7, 7), stride=(7, 7))
    assert pool.area == 49
    made = layer(pool=pool)
    assert (made.levels, made.out_bits) == (147, 8)
    assert (layer().levels, layer().out_bits) == (3, 2)
    assert layer(a_bits=None).levels is layer(a_bits=None).out_bits is None
    average = Pool(kind="average", kernel=(7, 7), stride=(7, 7))
    assert (layer(pool=average).levels, layer(pool=average).out_bits) == (3, 2)
    with refused("layer conv0: pool sums 49 codes of 3 bits to 343, 9 bits; accepted: at most 8 bits"):
        layer(pool=pool, a_bits=3)
    with refused("pool: padding is (0, 1, 0, 0); accepted for average_codes pooling: (0, 0, 0, 0)"):
        Pool(kind="average_codes", kernel=(2, 2), stride=(2, 2), padding=(0, 1, 0, 0))


def norm(channels=4, **fields):
    ones = np.ones(channels, np.float32)
    parameters = {"gamma": ones, "beta": ones, "mean": ones, "var": ones, "eps": 0}
    return BatchNorm(**(parameters | fields))


def test_sigma_is_the_float64_root():
    var = np.array([0, 0.1, 3], np.float32)
    eps = 1e-5
    sigma = norm(3, gamma=np.ones(3, np.float32), beta=var, mean=var, var=var, eps=eps).sigma
    assert sigma.tolist() == [float(np.float64(v) + np.float64(np.float32(eps))) ** 0.5 for v in var]


BAD = np.array([0, 1, np.nan, 2], np.float32)


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
