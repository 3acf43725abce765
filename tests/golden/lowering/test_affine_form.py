"""The affine form: equal to the thresholds everywhere, minimal, proved, and refused by name."""

import dataclasses
import re

import numpy as np
import pytest

from dorefa.golden import InputError, Layer, Network, affine_form, lower, random_network
from dorefa.golden.lowering import affine_form as affine
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.run.matmul import apply_thresholds


def lowered(*, scale, bias=0.0, w_bits=1, in_bits=2, out_bits=2, taps=9, encoding="bipolar"):
    """One lowered layer of one channel without batch normalization, weights all at the top."""
    codes = np.full((1, 1, 1, taps), (1 << w_bits) - 1, np.uint8)
    layer = Layer(
        name="conv0",
        kind="conv",
        codes=codes,
        w_bits=w_bits,
        a_bits=out_bits,
        encoding=encoding,
        scale=np.float32(scale),
        bias=np.array([bias], np.float32),
    )
    last = Layer(name="fc", kind="fc", codes=np.zeros((2, 1, 1, 1), np.uint8), w_bits=1, scale=np.float32(1))
    net = Network(name="net", input_shape=(1, 1, taps), input_bits=in_bits, layers=(layer, last))
    return lower(net).layers[0]


def with_thresholds(thresholds, low, high):
    """A layer whose single channel has these thresholds on [low, high]."""
    layer = lowered(scale=1, out_bits=len(thresholds).bit_length())
    rows = np.array([thresholds], np.int64)
    return dataclasses.replace(layer, thresholds=rows, value_min=low, value_max=high)


def assert_equal(form, layer, limit=20_000):
    """Form and thresholds give the same codes on the whole range, or on `limit` points of it."""
    count = min(limit, layer.value_max - layer.value_min + 1)
    points = np.unique(np.linspace(layer.value_min, layer.value_max, count).astype(np.int64))
    accumulators = np.repeat(points[:, None], len(layer.codes), axis=1)[None, None]
    expected = apply_thresholds(accumulators, layer.thresholds, layer.inverted)
    assert np.array_equal(form.codes(accumulators, layer), expected)


@pytest.mark.parametrize("f", [0, 1, 4, 7])
@pytest.mark.parametrize("levels", [7, 31])
def test_ties_to_even_of_imported_layers(levels, f, rng):
    """Of which nobody knows slope and offset: odd levels begin one behind a tie."""
    for _ in range(20):
        b = int(rng.integers(-300, 300))
        total = np.arange(-300, 300) + b
        result = total >> f
        result -= (result % 2 == 1) & (result << f == total)
        counts = np.clip(result, 0, levels)
        thresholds = [int(np.argmax(counts >= level)) - 300 for level in range(1, levels + 1)]
        thresholds = [at if counts[-1] >= level else 300 for level, at in enumerate(thresholds, 1)]
        layer = dataclasses.replace(with_thresholds(thresholds, -300, 299), slope=None, offset=None)
        assert_equal(affine_form(layer, 32), layer)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_random_networks(encoding, seed):
    shifts = set()
    for draw in range(seed, seed + 12):
        network = lower(random_network(draw, encodings=(encoding,), allow_average=True))
        for layer in network.layers[:-1]:
            form = affine_form(layer, 32)
            assert_equal(form, layer, 3000)
            shifts.update(form.f.tolist())
    assert len(shifts) > 5


@pytest.mark.parametrize("out_bits", range(1, 9))
@pytest.mark.parametrize("in_bits", range(1, 9))
def test_all_widths_exhaustively(in_bits, out_bits):
    layer = lowered(scale=0.043, bias=0.1, w_bits=2, in_bits=in_bits, out_bits=out_bits)
    assert_equal(affine_form(layer, 32), layer)


def brute_force(thresholds, low, high):
    """Least f, then least m, of all forms with m <= 64, f <= 5 that equal the thresholds."""
    levels = len(thresholds)
    accumulators = np.arange(low, high + 1)
    expected = np.searchsorted(thresholds, accumulators, side="right")
    for f in range(6):
        limit = (64 + (levels + 1)) << f
        b = np.arange(-limit, limit)[:, None]
        for m in range(65):
            codes = np.clip((m * accumulators + b) >> f, 0, levels)
            if (codes == expected).all(axis=1).any():
                return m, f
    return None


def test_minimal_against_brute_force(rng):
    found = 0
    for _ in range(60):
        low, high = -int(rng.integers(1, 9)), int(rng.integers(1, 9))
        slope, offset = rng.uniform(0.05, 2), rng.uniform(-2, 4)
        # Thresholds of a line, some moved by one so that they are not always on any line.
        thresholds = np.ceil((np.arange(1, 4) - offset) / slope) + (rng.random(3) < 0.2)
        thresholds = np.sort(thresholds).clip(low, high + 1).astype(int).tolist()
        best = brute_force(thresholds, low, high)
        layer = with_thresholds(thresholds, low, high)
        form = affine._search(layer.thresholds[0], low, high)
        if best is None:
            assert form is None or form[2] > 5 or form[0] > 64, (thresholds, low, high)
            continue
        found += 1
        assert (form[0], form[2]) == best, (thresholds, low, high)
        assert_equal(affine_form(layer, 16), layer)
    assert found > 20


def test_constant_channels_have_no_multiplier():
    for thresholds, code in (([-4, -4, -4], 3), ([6, 6, 6], 0), ([-4, -4, 6], 2)):
        form = affine_form(with_thresholds(thresholds, -4, 5), 1)
        assert [part.tolist() for part in (form.m, form.b, form.f, form.tie)] == [
            [0],
            [code],
            [0],
            [0],
        ]


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("scale", [0.5, 0.25, 1.5, 0.375])
@pytest.mark.parametrize("bias", [0, 0.5, -0.25])
def test_ties_need_the_tie_bit(bias, scale, bits):
    layer = lowered(scale=scale, bias=bias, in_bits=bits, out_bits=bits, taps=20)
    form = affine_form(layer, 16)
    assert_equal(form, layer)
    if scale in (0.5, 0.25) and bias == 0:
        assert form.tie.tolist() == [1]


def test_exact_form_of_ties():
    form = affine_form(lowered(scale=0.5), 16)
    # 3 z = acc / 2, floor(acc / 2 + 1/2): shift 1, multiplier 1, offset 1.
    assert [part.tolist() for part in (form.m, form.b, form.f, form.tie)] == [[1], [1], [1], [1]]


def test_no_overflow_with_wide_products():
    layer = lowered(scale=3e-5, w_bits=8, in_bits=8, out_bits=8, taps=4000)
    form = affine_form(layer, 48)
    assert int(form.f[0]) > 48 and layer.value_max * int(form.m[0]) > 1 << 53
    assert_equal(form, layer)
    form = affine.Affine(m=np.array([1 << 47]), b=np.array([0]), f=np.array([60]), tie=form.tie)
    accumulators = np.array([[layer.value_max]])
    assert form.codes(accumulators, layer) == min(255, layer.value_max << 47 >> 60)


@pytest.mark.parametrize("change", ["m + 1", "m - 1", "b + 2^f", "b - 2^f"])
def test_the_proof_finds_planted_errors(change, monkeypatch):
    layer = lowered(scale=0.0313, bias=0.01, w_bits=2, in_bits=8, out_bits=8, taps=40)
    m, b, f, tie = affine._search(layer.thresholds[0], layer.value_min, layer.value_max)
    wrong = {
        "m + 1": (m + 1, b, f, tie),
        "m - 1": (m - 1, b, f, tie),
        "b + 2^f": (m, b + (1 << f), f, tie),
        "b - 2^f": (m, b - (1 << f), f, tie),
    }[change]
    monkeypatch.setattr(affine, "_search", lambda *_: wrong)
    with pytest.raises(AssertionError, match="layer conv0 channel 0"):
        affine_form(layer, 32)


def test_the_proof_needs_the_tie_bit(monkeypatch):
    layer = lowered(scale=0.5)
    monkeypatch.setattr(affine, "_search", lambda *_: (1, 1, 1, 0))
    with pytest.raises(AssertionError, match="gives 1 at 1, not 0"):
        affine_form(layer, 32)


def refused(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


def test_refused():
    layer = lowered(scale=0.0313, bias=0.01, w_bits=2, in_bits=8, out_bits=8, taps=40)
    m = int(affine_form(layer, 32).m[0])
    affine_form(layer, m.bit_length())
    with refused(
        f"layer conv0 channel 0: the affine multiplier {m} needs {m.bit_length()} bits; "
        f"accepted: at most {m.bit_length() - 1} (mul_bits), or the threshold quantizer"
    ):
        affine_form(layer, m.bit_length() - 1)
    with refused("affine_form: mul_bits is 0; accepted: an integer in 1..62"):
        affine_form(layer, 0)
    # Ties at 2.5, 7.5 and 12.5 on a slope of 5 / 7: no line bends down, up and down.
    layer = lowered(scale=1, bias=-0.5, w_bits=3, in_bits=2, out_bits=4)
    with refused(
        "layer conv0 channel 0: no affine form with a shift of at most 63 bits equals the "
        "thresholds: slope 0.714285714, offset -7.5 are no binary fractions; "
        "accepted: the threshold quantizer"
    ):
        affine_form(layer, 32)
    # Taking the code from the top turns the direction of ties around.
    layer = lowered(scale=-0.5, bias=2, encoding="unsigned", taps=20)
    with pytest.raises(InputError, match="thresholds: ties and a negative slope; accepted"):
        affine_form(layer, 32)


def test_refuses_a_layer_without_codes():
    network = lower(random_network(1))
    with refused("layer fc: has no thresholds; accepted for the affine form: a layer with codes"):
        affine_form(network.layers[-1], 32)
