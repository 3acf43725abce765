"""The rounding into a trunk that is closest to a layer's real values."""

import re
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import InputError, Layer, rescale_of


def refused(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


def layer(**fields):
    codes = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1) % 4
    parameters = {"codes": codes, "w_bits": 2, "scale": np.float32(0.3), "a_bits": 2}
    return Layer(name="conv0", kind="conv", **(parameters | fields))


@pytest.mark.parametrize("encoding", ["bipolar", "unsigned"])
@pytest.mark.parametrize("levels", [3, 147])
def test_rescale_of_is_the_closest(levels, encoding):
    scale = np.array([0.3, -0.007, 0], np.float32)
    bias = np.array([0.25, -3, 1e-9], np.float32)
    unit = 2.0**-9
    made = rescale_of(layer(scale=scale, bias=bias, encoding=encoding), levels, unit, bits=12)
    divisor = levels * (3 if encoding == "bipolar" else 1)
    gains = [Fraction(float(s)) / divisor / Fraction(unit) for s in scale]
    shifts = [Fraction(float(b)) / Fraction(unit) for b in bias]
    assert made.m.tolist() == [round(gain * 2**made.f) for gain in gains]
    assert made.b.tolist() == [round(shift * 2**made.f) for shift in shifts]
    # One more bit would not fit, as no factor was left out here.
    assert 1 << 15 <= np.abs(made.m).max() < 1 << 16
    assert (made.m % 2 == 1).any() or (made.b % 2 == 1).any()
    assert made.scale == np.float32(unit) and made.bits == 12


def test_rescale_of_leaves_out_common_factors_of_two():
    made = rescale_of(layer(scale=np.float32(0.75), encoding="unsigned"), 1, 0.5)
    assert (made.m.tolist(), made.b.tolist(), made.f) == ([3, 3, 3], [0, 0, 0], 1)
    made = rescale_of(layer(scale=np.float32(0), encoding="unsigned"), 1, 0.5)
    assert (made.m.tolist(), made.f) == ([0, 0, 0], 0)


def test_rescale_of_refuses_units_that_do_not_fit():
    with refused(
        "layer conv0: trunk scale is 1e-06, a step of the accumulator is 100000 of it and the "
        "bias at most 0; accepted: a scale with less than 65536 and less than 2^47"
    ):
        rescale_of(layer(scale=np.float32(0.3)), 1, 1e-6)
    with refused("layer conv0: trunk scale is 0; accepted: more than 0"):
        rescale_of(layer(), 1, 0)
