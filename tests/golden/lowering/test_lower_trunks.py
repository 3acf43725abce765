"""Lowering of residual trunks and pooled codes: ranges, thresholds, and what is refused."""

import re
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import BatchNorm, InputError, Layer, Network, Pool, Rescale, lower
from dorefa.golden.run.matmul import apply_thresholds


def residual(rng, pool=None):
    """Lowered shortcut, sum and classifier on 2x2 maps, with the float layer of the sum."""
    scale = np.float32(0.0625)
    codes = rng.integers(0, 4, (2, 4, 1, 1, 3), dtype=np.uint8)
    common = {"kind": "conv", "w_bits": 2}
    added = Rescale(m=np.array([4, 1, -2, 0]), b=np.array([3, -3, 0, 90]), f=1, scale=scale)
    own = Rescale(m=np.array([5, -3, 0, 2]), b=np.array([0, 7, -5, 1]), f=2, scale=scale)
    norm = BatchNorm(
        gamma=np.array([0.5, -0.25, 1, -2], np.float32),
        beta=rng.uniform(0.2, 0.8, 4).astype(np.float32),
        mean=rng.uniform(-1, 1, 4).astype(np.float32),
        var=rng.uniform(1, 3, 4).astype(np.float32),
        eps=1e-5,
    )
    side = Layer(name="side", codes=codes[0], scale=np.float32(7), rescale=added, **common)
    total = Layer(
        name="sum",
        codes=codes[1],
        source="input",
        rescale=own,
        add="side",
        norm=norm,
        a_bits=3,
        pool=pool,
        scale=np.float32(9),
        bias=np.full(4, 5, np.float32),
        **common,
    )
    size = 4 if pool else 16
    last = Layer(
        name="fc", kind="fc", codes=np.zeros((2, 1, 1, size), np.uint8), w_bits=1, scale=np.float32(1)
    )
    net = Network(name="net", input_shape=(2, 2, 3), input_bits=2, layers=(side, total, last))
    return lower(net), total


def acc_range(codes, channel):
    """Least and greatest sum of one channel for inputs of 2 bits."""
    values = 2 * codes[channel].astype(int) - 3
    return 3 * np.minimum(values, 0).sum(), 3 * np.maximum(values, 0).sum()


def trunk_range(layer, channel):
    rescale = layer.rescale
    m, b = int(rescale.m[channel]), int(rescale.b[channel])
    ends = [round(Fraction(m * int(acc) + b, 1 << rescale.f)) for acc in acc_range(layer.codes, channel)]
    return min(ends), max(ends)


@pytest.mark.parametrize("window", [None, (2, 2)])
def test_thresholds_of_a_trunk(window, rng):
    pool = window and Pool(kind="average", kernel=window, stride=window)
    lowered, layer = residual(rng, pool=pool)
    side, total, last = lowered.layers
    area = 4 if window else 1
    reached = [
        [sum(ends) for ends in zip(trunk_range(side, c), trunk_range(total, c), strict=True)]
        for c in range(4)
    ]
    assert total.value_min == area * min(low for low, _ in reached)
    assert total.value_max == area * max(high for _, high in reached)
    sums = [acc_range(layer.codes, c) for c in range(4)]
    assert (total.acc_min, total.acc_max) == (min(s[0] for s in sums), max(s[1] for s in sums))
    # Never complemented, although bipolar.
    assert np.array_equal(total.codes, layer.codes)
    assert total.inverted.tolist() == [False, True, False, True]
    values = np.arange(total.value_min, total.value_max + 1)
    tiled = np.repeat(values[:, None], 4, axis=1)[None, None]
    codes = apply_thresholds(tiled, total.thresholds, total.inverted)[0, 0]
    norm = layer.norm
    for channel in range(4):
        gamma, beta, mean, sigma = (
            Fraction(float(p[channel])) for p in (norm.gamma, norm.beta, norm.mean, norm.sigma)
        )
        for value, code in zip(values.tolist(), codes[:, channel].tolist(), strict=True):
            # The layer's own scale and bias do not count.
            real = gamma * (Fraction(value, 16 * area) - mean) / sigma + beta
            assert code == round(7 * min(max(real, 0), 1))
            assert 7 * real == total.slope[channel] * value + total.offset[channel]
    assert len(np.unique(codes)) > 4


def test_fields_of_a_graph(rng):
    pool = Pool(kind="average_codes", kernel=(2, 2), stride=(2, 2))
    lowered, layer = residual(rng, pool=pool)
    side, total, last = lowered.layers
    assert [(x.source, x.add, x.trunk) for x in lowered.layers] == [
        (-1, None, True),
        (-1, 0, False),
        (1, None, False),
    ]
    assert [(x.a_bits, x.levels) for x in lowered.layers] == [(2, 3), (2, 3), (5, 28)]
    assert [(x.code_bits, x.out_bits) for x in lowered.layers] == [(None, None), (3, 5), (None, None)]
    assert total.rescale is layer.rescale
    assert side.thresholds is side.slope is side.logit_scale is side.logit_bias is None
    assert total.logit_scale is None and last.rescale is None
    assert total.thresholds.shape == (4, 7)
    # A weight of +-1 stands for +-1 / 28 of the sum of codes.
    assert last.logit_scale.tolist() == [1 / 28] * 2
    assert (last.acc_min, last.acc_max) == (-4 * 28, 0)


def test_a_kept_trunk_needs_the_pixels_that_pooling_leaves_out():
    rescale = Rescale(m=np.ones(4, np.int64), b=np.zeros(4, np.int64), f=0, scale=np.float32(1))
    codes = np.zeros((4, 1, 1, 4), np.uint8)
    pool = Pool(kind="max", kernel=(1, 1), stride=(3, 3))
    common = {"kind": "conv", "codes": codes, "w_bits": 1, "a_bits": 1, "scale": np.float32(1)}
    last = Layer(name="fc", kind="fc", codes=codes[:2], w_bits=1, scale=np.float32(1))

    def macs(add):
        layers = (
            Layer(name="a", pool=pool, rescale=rescale, **common),
            # Its padding makes a map as large as the trunk of a.
            Layer(
                name="b",
                padding=(1, 1, 1, 1),
                rescale=rescale,
                add=add,
                pool=Pool(kind="max", kernel=(3, 3), stride=(3, 3)),
                **common,
            ),
            last,
        )
        net = Network(name="net", input_shape=(3, 3, 4), input_bits=1, layers=layers)
        return lower(net).layers[0].macs

    assert macs(None) == 1 * 16
    assert macs("a") == 9 * 16


def refused(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


def test_trunks_that_leave_their_bits_are_refused(rng):
    # Three weights of +-3 on inputs up to 3: with m = 2^f every trunk value is the sum itself.
    codes = np.full((2, 1, 1, 3), 3, np.uint8)
    codes[1] = 0

    def layers(m, bits, added=(0, 0)):
        side, own = (
            Rescale(m=np.array(m), b=np.array([0, 0]), f=2, scale=np.float32(1), bits=bits)
            for m, bits in ((added, 16), (m, bits))
        )
        common = {"kind": "conv", "codes": codes, "w_bits": 2, "scale": np.float32(1)}
        return Network(
            name="net",
            input_shape=(1, 1, 3),
            input_bits=2,
            layers=(
                Layer(name="side", rescale=side, **common),
                Layer(name="sum", rescale=own, add="side", source="input", a_bits=1, **common),
                Layer(name="fc", kind="fc", codes=codes[:, :, :, :2], w_bits=2, scale=np.float32(1)),
            ),
        )

    assert lower(layers((4, 4), 6)).layers[1].value_max == 27
    with refused("layer sum channel 0: its trunk reaches 0..27; accepted: -16..15 (rescale bits 5)"):
        lower(layers((4, 4), 5))
    with refused("layer sum channel 1: its trunk reaches -27..0; accepted: -16..15 (rescale bits 5)"):
        lower(layers((2, 4), 5))
    with refused(
        "layer sum channel 1: its trunk with side added reaches -54..0; accepted: -32..31 (rescale bits 6)"
    ):
        lower(layers((4, 4), 6, (0, 4)))
    # A negative factor turns a range around: -7..0 and 0..27, 0..7 and -27..0 (-27 / 4 is -6.75).
    lowered = lower(layers((4, 4), 6, (-1, -1))).layers[1]
    assert (lowered.value_min, lowered.value_max) == (-27, 27)
