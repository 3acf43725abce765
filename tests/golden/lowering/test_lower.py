"""Thresholds against the layer's meaning in rational arithmetic, accumulator by accumulator."""

from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import BatchNorm, Layer, Network, Pool, lower
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.run.matmul import apply_thresholds


def network(layer, shape, input_bits):
    """`layer`, then a classifier that fits it."""
    size = layer.out_channels
    last = Layer(
        name="fc", kind="fc", codes=np.zeros((2, 1, 1, size), np.uint8), w_bits=1, scale=np.float32(1)
    )
    return Network(name="net", input_shape=shape, input_bits=input_bits, layers=(layer, last))


def layer_of(gamma, *, w_bits=1, a_bits=2, taps=3, encoding="bipolar", rng, **fields):
    """A 1x1 convolution with one output channel per gamma, statistics near its accumulators."""
    channels = len(gamma)
    fields.setdefault("scale", np.float32(0.37))
    fields.setdefault(
        "norm",
        BatchNorm(
            gamma=np.array(gamma, np.float32),
            beta=rng.uniform(0.2, 0.8, channels).astype(np.float32),
            mean=rng.uniform(-0.3, 0.3, channels).astype(np.float32),
            var=rng.uniform(0.1, 0.3, channels).astype(np.float32),
            eps=1e-5,
        ),
    )
    codes = rng.integers(0, 1 << w_bits, (channels, 1, 1, taps), dtype=np.uint8)
    return Layer(
        name="conv0", kind="conv", codes=codes, w_bits=w_bits, a_bits=a_bits, encoding=encoding, **fields
    )


def meaning(layer, channel, input_bits, total):
    """The code for sum(v * a) = total: conv, bias, norm, clip, quantize as they are defined."""
    scale = Fraction(float(layer.scale if layer.scale.shape == () else layer.scale[channel]))
    real = scale * total / (2**input_bits - 1)
    if layer.encoding == "bipolar":
        real /= 2**layer.w_bits - 1
    if layer.bias is not None:
        real += Fraction(float(layer.bias[channel]))
    if layer.norm is not None:
        norm = layer.norm
        sigma = Fraction(float(np.sqrt(np.float64(norm.var[channel]) + norm.eps)))
        real = Fraction(float(norm.gamma[channel])) * (real - Fraction(float(norm.mean[channel])))
        real = real / sigma + Fraction(float(norm.beta[channel]))
    return round((2**layer.a_bits - 1) * min(max(real, 0), 1))


def check(layer, input_bits, points=None):
    """All thresholds of the first layer against `meaning`, on all accumulators or many."""
    shape = (1, 1, layer.codes.shape[3])
    lowered = lower(network(layer, shape, input_bits)).layers[0]
    accumulators = np.arange(lowered.acc_min, lowered.acc_max + 1)
    if points is not None and len(accumulators) > points:
        near = np.concatenate([lowered.thresholds.ravel() + d for d in (-2, -1, 0, 1)])
        near = near.clip(lowered.acc_min, lowered.acc_max)
        step = len(accumulators) // points + 1
        accumulators = np.unique(np.concatenate((near, accumulators[::step], accumulators[-1:])))
    tiled = np.repeat(accumulators[:, None], layer.out_channels, axis=1)[None, None]
    codes = apply_thresholds(tiled, lowered.thresholds, lowered.inverted)[0, 0]
    for channel in range(layer.out_channels):
        complemented = (lowered.codes[channel] != layer.codes[channel]).any()
        for code, total in zip(codes[:, channel], accumulators.tolist(), strict=True):
            total = -total if complemented else total
            assert code == meaning(layer, channel, input_bits, total), (channel, total)
    return lowered


@pytest.mark.parametrize("a_bits", range(1, 9))
@pytest.mark.parametrize("w_bits", range(1, 9))
def test_all_widths(w_bits, a_bits, rng):
    layer = layer_of([0.3, -0.4, 0], w_bits=w_bits, a_bits=a_bits, rng=rng)
    lowered = check(layer, a_bits, points=100)
    assert lowered.thresholds.shape == (3, 2**a_bits - 1)
    assert (np.diff(lowered.thresholds, axis=1) >= 0).all()
    assert lowered.thresholds.min() >= lowered.acc_min
    assert lowered.thresholds.max() <= lowered.acc_max + 1


@pytest.mark.parametrize("encoding", list(Encoding))
def test_slopes_of_both_signs_and_zero(encoding, rng):
    gamma = [0.4, -0.4, 0, -2, 3, -0.01]
    layer = layer_of(gamma, w_bits=3, a_bits=3, encoding=encoding, rng=rng)
    lowered = check(layer, 2)
    negative = np.array(gamma) < 0
    if encoding == "bipolar":
        assert not lowered.inverted.any()
        assert np.array_equal(lowered.codes[negative], 7 - layer.codes[negative])
        assert np.array_equal(lowered.codes[~negative], layer.codes[~negative])
        assert all(slope >= 0 for slope in lowered.slope)
    else:
        assert np.array_equal(lowered.inverted, negative)
        assert np.array_equal(lowered.codes, layer.codes)


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_ties_round_to_even(bits, sign, encoding, rng):
    # One-bit weights, or unit divisors, and as many levels out as in: the slope is the scale.
    layer = layer_of(
        [1, 1],
        a_bits=bits,
        taps=30,
        encoding=encoding,
        norm=None,
        scale=np.float32(sign * 0.5),
        bias=np.array([0, 0.5], np.float32),
        rng=rng,
    )
    lowered = check(layer, bits)
    ties = [
        acc
        for acc in range(lowered.acc_min, lowered.acc_max + 1)
        if (lowered.slope[0] * acc + lowered.offset[0]) % 1 == Fraction(1, 2)
    ]
    assert len(ties) > 3


def test_a_tie_goes_to_the_even_code():
    codes = np.ones((1, 1, 1, 2), np.uint8)
    layer = Layer(name="conv0", kind="conv", codes=codes, w_bits=1, a_bits=2, scale=np.float32(0.5))
    lowered = lower(network(layer, (1, 1, 2), 2)).layers[0]
    # 3 z = acc / 2: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2.
    assert lowered.thresholds.tolist() == [[2, 3, 6]]
    assert (lowered.slope, lowered.offset) == ([Fraction(1, 2)], [0])


def test_saturation():
    codes = np.ones((3, 1, 1, 2), np.uint8)
    bias = np.array([-9e30, 9e30, 0.5], np.float32)
    layer = Layer(
        name="conv0", kind="conv", codes=codes, w_bits=1, a_bits=2, bias=bias, scale=np.float32(1e-30)
    )
    lowered = lower(network(layer, (1, 1, 2), 2)).layers[0]
    assert (lowered.acc_min, lowered.acc_max) == (0, 6)
    assert lowered.thresholds.tolist() == [[7, 7, 7], [0, 0, 0], [0, 0, 7]]


def test_accumulator_range_is_reached():
    codes = np.array([[0, 7, 7, 7], [7, 0, 0, 7]], np.uint8).reshape(2, 1, 1, 4)
    layer = Layer(name="conv0", kind="conv", codes=codes, w_bits=3, a_bits=1, scale=np.float32(1))
    lowered = lower(network(layer, (1, 1, 4), 4)).layers[0]
    assert (lowered.acc_min, lowered.acc_max) == (-14 * 15, 21 * 15)


def test_average_pooling_divides_the_slope():
    pool = Pool(kind="average", kernel=(2, 3), stride=(2, 3))
    codes = np.ones((1, 1, 1, 2), np.uint8)
    layer = Layer(name="conv0", kind="conv", codes=codes, w_bits=1, a_bits=2, pool=pool, scale=np.float32(1))
    last = Layer(name="fc", kind="fc", codes=np.zeros((2, 1, 1, 1), np.uint8), w_bits=1, scale=np.float32(1))
    net = Network(name="net", input_shape=(2, 3, 2), input_bits=4, layers=(layer, last))
    lowered = lower(net).layers[0]
    assert lowered.slope == [Fraction(3, 15 * 6)]
    assert (lowered.acc_min, lowered.acc_max) == (0, 2 * 15)
    assert (lowered.value_min, lowered.value_max) == (0, 2 * 15 * 6)


def test_last_layer():
    codes = np.array([[0, 3], [3, 0]], np.uint8).reshape(2, 1, 1, 2)
    norm = BatchNorm(
        gamma=np.array([-2, 1], np.float32),
        beta=np.array([1, 0], np.float32),
        mean=np.array([0.5, 0], np.float32),
        var=np.array([4, 1], np.float32),
        eps=0,
    )
    layer = Layer(
        name="fc",
        kind="fc",
        codes=codes,
        w_bits=2,
        scale=np.float32(0.5),
        norm=norm,
        bias=np.array([0.25, 0.125], np.float32),
    )
    net = Network(name="net", input_shape=(1, 2, 1), input_bits=8, layers=(layer,))
    lowered = lower(net).layers[0]
    # Never complemented: its accumulators are the result.
    assert np.array_equal(lowered.codes, codes)
    assert lowered.logit_scale.tolist() == [-0.5 / (3 * 255), 0.5 / (3 * 255)]
    assert lowered.logit_bias.tolist() == [1.25, 0.125]
    assert lowered.thresholds is lowered.out_bits is lowered.slope is lowered.offset is None
    assert (lowered.in_shape, lowered.out_shape) == ((1, 1, 2), (1, 1, 2))
    assert (lowered.acc_min, lowered.acc_max) == (-3 * 255, 3 * 255)


def test_macs_leave_out_pixels_that_no_pool_reads():
    def macs(pool, shape=(7, 7, 3)):
        layer = Layer(
            name="conv0",
            kind="conv",
            codes=np.zeros((4, 3, 3, 3), np.uint8),
            w_bits=1,
            a_bits=1,
            scale=np.float32(1),
            pool=pool,
        )
        size = 4 * (5 if pool is None else (5 - 2) // pool.stride[0] + 1) ** 2
        last = Layer(
            name="fc", kind="fc", codes=np.zeros((2, 1, 1, size), np.uint8), w_bits=1, scale=np.float32(1)
        )
        net = Network(name="net", input_shape=shape, input_bits=8, layers=(layer, last))
        return lower(net).layers[0].macs

    per_pixel = 4 * 27
    assert macs(None) == 25 * per_pixel
    assert macs(Pool(kind="max", kernel=(2, 2), stride=(2, 2))) == 16 * per_pixel
    assert macs(Pool(kind="max", kernel=(2, 2), stride=(3, 3))) == 16 * per_pixel
    assert macs(Pool(kind="max", kernel=(2, 2), stride=(1, 1))) == 25 * per_pixel
