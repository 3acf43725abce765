"""Draws from the raw stream: pinned values, ranges."""

import numpy as np

from dorefa.golden.random.draws import RawDraws


def test_the_stream_is_pcg64():
    raw = np.random.PCG64(7).random_raw(3)
    draws = RawDraws(7)
    assert draws.integer(10, 19) == 10 + int(raw[0]) % 10
    assert draws.codes((1,), 3).tolist() == [int(raw[1]) >> 61]
    assert draws.reals((1,), -1, 3).tolist() == [-1 + 4 * ((int(raw[2]) >> 11) / 2**53)]


def test_ranges():
    draws = RawDraws(1)
    assert {draws.integer(-1, 2) for _ in range(100)} == {-1, 0, 1, 2}
    assert {draws.pick("abc") for _ in range(100)} == {"a", "b", "c"}
    assert {draws.chance(3) for _ in range(100)} == {False, True}
    codes = draws.codes((20, 30), 4)
    assert codes.shape == (20, 30) and set(codes.flat) == set(range(16))
    reals = draws.reals((50, 2), 0.5, 0.75)
    assert reals.shape == (50, 2) and (reals >= 0.5).all() and (reals < 0.75).all()
    assert draws.codes((), 8).shape == ()
