"""Sums with signs: every pattern is its sum and a constant, within its bounds."""

import numpy as np
import pytest

from dorefa.hw.pipeline.sums.patterns import PatternSums


@pytest.mark.parametrize("leaves, bits, outside", [(1, 8, 0), (2, 1, 0), (5, 8, 128), (7, 3, 4), (12, 2, 2)])
def test_patterns(leaves, bits, outside, rng):
    sums = PatternSums(leaves, bits, outside)
    patterns = rng.integers(-1, 2, (40, leaves))
    patterns[0], patterns[1:20] = 0, rng.choice([-1, 1], (19, leaves))
    codes = rng.integers(0, 1 << bits, (leaves, 300))
    codes[:, 0], codes[:, 1], codes[:, 2] = 0, (1 << bits) - 1, outside
    # The extremes of every pattern.
    codes = np.hstack([codes, (patterns > 0).T * ((1 << bits) - 1), (patterns < 0).T * ((1 << bits) - 1)])
    terms = [sums.add(pattern) for pattern in patterns.tolist()]
    words = sums.values(codes)
    for pattern, term in zip(patterns, terms, strict=True):
        if term is None:
            assert not pattern.any()
            continue
        span, word = sums.spans[term.number], words[term.number]
        assert (word.min(), word.max(), word[2]) == (span.low, span.high, span.idle)
        shown, span = ((1 << span.bits) - 1 - word, span.complement()) if term.minus else (word, span)
        assert (shown == pattern @ codes + span.offset).all()
        assert (shown.min(), shown.max(), shown[2]) == (span.low, span.high, span.idle)


def test_halves_are_shared():
    """A pattern and its negative are one sum; of five inputs 16 sums need 24 additions."""
    sums = PatternSums(5, 8)
    for pattern in np.ndindex(2, 2, 2, 2, 2):
        sums.add([2 * sign - 1 for sign in pattern])
    assert len(sums.nodes) == 2 + 2 + 4 + 16
    assert sums.cells == 4 * 9 + 4 * 10 + 16 * 11
