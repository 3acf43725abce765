"""Folded staircases against the chain evaluated at every integer, and ranges against all inputs."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from dorefa.golden import Encoding, Pool
from dorefa.golden.lowering.fold import accumulator_ranges, fold, rounded_range, seen_range
from dorefa.golden.lowering.staircase import apply
from dorefa.golden.lowering.steps import Affine, Round

MODES = ("ROUND", "FLOOR", "HALF_UP")


def draw_chain(rng, channels):
    number = lambda: Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 8)))  # noqa: E731
    affine = Affine([number() for _ in range(channels)], [number() for _ in range(channels)])
    return affine, Round(str(rng.choice(MODES)), -int(rng.integers(0, 3)), int(rng.integers(1, 6)))


@pytest.mark.parametrize("trunk", [False, True])
@pytest.mark.parametrize("encoding", list(Encoding))
def test_counts_are_the_results_of_the_chain(encoding, trunk, rng):
    pool = Pool(kind="average", kernel=(1, 2), stride=(1, 2))
    for number in range(40):
        chain, channels = draw_chain(rng, 4), 4
        sums = [(-int(rng.integers(0, 20)), int(rng.integers(0, 20))) for _ in range(channels)]
        window = pool if number % 2 else None
        folded = fold(chain, encoding, sums, sums if trunk else None, window)
        low, high = folded.seen
        assert folded.thresholds.min() >= low and folded.thresholds.max() <= high + 1
        assert not (folded.negated & folded.inverted).any()
        assert not folded.negated.any() or encoding is Encoding.BIPOLAR and not trunk
        levels, last = folded.thresholds.shape[1], chain[-1]
        assert levels == (1 << (last.high - last.low).bit_length()) - 1
        area = 1 if window is None else 2
        for channel, (least, most) in enumerate(sums):
            for value in range(area * least, area * most + 1):
                seen = -value if folded.negated[channel] else value
                count = int((folded.thresholds[channel] <= seen).sum())
                count = levels - count if folded.inverted[channel] else count
                assert low <= seen <= high
                assert last.low + count == apply(chain, channel, Fraction(value)), (value, channel)


def test_without_a_quantizer_there_are_ranges_only():
    folded = fold(None, Encoding.BIPOLAR, [(-3, 2), (-1, 5)], None, None)
    assert folded.thresholds is None and not folded.inverted.any() and not folded.negated.any()
    fields = folded.fields()
    assert (fields["acc_min"], fields["acc_max"], fields["code_bits"]) == (-3, 5, None)
    assert (fields["value_min"], fields["value_max"]) == (-3, 5)


def test_only_an_average_sums_its_window():
    for kind, area in (("average", 6), ("average_codes", 1), ("max", 1)):
        assert seen_range([(-1, 2), (-3, 0)], Pool(kind=kind, kernel=(2, 3), stride=1)) == (
            -3 * area,
            2 * area,
        )


@pytest.mark.parametrize(("low", "high"), [(0, 3), (-2, 1), (-1, 0)])
def test_accumulator_ranges_are_reached(low, high, rng):
    values = rng.integers(-5, 6, (3, 1, 1, 3))
    inputs = np.array(list(product(range(low, high + 1), repeat=3)))
    sums = inputs @ values.reshape(3, -1).T
    expected = list(zip(sums.min(axis=0).tolist(), sums.max(axis=0).tolist(), strict=True))
    assert accumulator_ranges(values, low, high) == expected


def test_rounded_range_holds_every_result(rng):
    for _ in range(200):
        m, b, f = int(rng.integers(-40, 41)), int(rng.integers(-90, 91)), int(rng.integers(0, 5))
        least = -int(rng.integers(0, 30))
        ends = (least, least + int(rng.integers(0, 60)))
        results = [round(Fraction(m * acc + b, 1 << f)) for acc in range(ends[0], ends[1] + 1)]
        assert rounded_range(m, b, f, ends) == (min(results), max(results))
