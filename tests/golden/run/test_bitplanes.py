"""Bit planes: packing, the paper's dot product, and equality with the matrix product."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.run import bitplanes, matmul


@pytest.mark.parametrize("length", [1, 7, 63, 64, 65, 130])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_pack_and_unpack(bits, length, rng):
    codes = rng.integers(0, 1 << bits, (2, 3, length), dtype=np.uint8)
    planes = bitplanes.pack(codes, bits)
    assert planes.shape == (bits, 2, 3, -(-length // 64)) and planes.dtype == np.uint64
    assert np.array_equal(bitplanes.unpack(planes, length), codes)
    for bit in range(bits):
        word = sum(int(codes[1, 2, k] >> bit & 1) << k for k in range(min(length, 64)))
        assert int(planes[bit, 1, 2, 0]) == word


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("a_bits", range(1, 9))
@pytest.mark.parametrize("w_bits", range(1, 9))
def test_dot_of_all_widths(w_bits, a_bits, encoding, rng):
    weights = rng.integers(0, 1 << w_bits, (3, 70), dtype=np.uint8)
    codes = rng.integers(0, 1 << a_bits, (5, 70), dtype=np.uint8)
    weights[0], codes[0] = (1 << w_bits) - 1, (1 << a_bits) - 1
    weights[1] = 0
    result = bitplanes.dot(bitplanes.pack(weights, w_bits), bitplanes.pack(codes, a_bits), encoding)
    values = encoding.values(weights, w_bits).astype(int)
    assert result.dtype == np.int64
    assert np.array_equal(result, codes.astype(int) @ values.T)


@pytest.mark.parametrize("length", [1, 63, 64, 70])
@pytest.mark.parametrize("a_bits", range(1, 9))
@pytest.mark.parametrize("w_bits", range(1, 9))
def test_xnor_of_all_widths(w_bits, a_bits, length, rng):
    weights = rng.integers(0, 1 << w_bits, (3, length), dtype=np.uint8)
    codes = rng.integers(0, 1 << a_bits, (5, length), dtype=np.uint8)
    weights[0], codes[0], weights[1] = (1 << w_bits) - 1, (1 << a_bits) - 1, 0
    result = bitplanes.dot_xnor(bitplanes.pack(weights, w_bits), bitplanes.pack(codes, a_bits))
    values = Encoding.BIPOLAR.values(weights, w_bits).astype(int)
    assert result.dtype == np.int64
    assert np.array_equal(result, codes.astype(int) @ values.T)


@pytest.mark.parametrize(
    ("encoding", "a_signed", "found"),
    [
        ("unsigned", False, "unsigned codes and unsigned weights"),
        ("bipolar", True, "signed codes and bipolar weights"),
    ],
)
def test_xnor_of_other_operands_is_refused(encoding, a_signed, found):
    codes = np.zeros((1, 1, 1, 1), np.uint8)
    with pytest.raises(InputError) as caught:
        bitplanes.convolve(
            codes, codes, a_bits=1, w_bits=1, encoding=Encoding(encoding), a_signed=a_signed, xnor=True
        )
    assert str(caught.value) == f"convolve: XNOR of {found}; accepted: unsigned codes and bipolar weights"


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("w_bits", [1, 2, 3])
def test_every_pair_of_codes(w_bits, encoding):
    weights = np.arange(1 << w_bits, dtype=np.uint8)[:, None]
    codes = np.arange(8, dtype=np.uint8)[:, None]
    result = bitplanes.dot(bitplanes.pack(weights, w_bits), bitplanes.pack(codes, 3), encoding)
    values = encoding.values(weights[:, 0], w_bits)
    assert result.tolist() == [[int(a) * int(v) for v in values] for a in codes[:, 0]]


def test_rows_are_split_for_memory(monkeypatch, rng):
    weights = bitplanes.pack(rng.integers(0, 4, (3, 70), dtype=np.uint8), 2)
    codes = bitplanes.pack(rng.integers(0, 4, (11, 70), dtype=np.uint8), 2)
    whole = bitplanes.dot(weights, codes, "bipolar")
    monkeypatch.setattr(bitplanes, "_CHUNK", 4 * 3 * 2)
    assert np.array_equal(bitplanes.dot(weights, codes, "bipolar"), whole)
    assert np.array_equal(bitplanes.dot_xnor(weights, codes), whole)


def test_convolutions_agree_on_random_geometries(rng):
    for _ in range(120):
        groups = int(rng.integers(1, 4))
        inner, outer = int(rng.integers(1, 30)), int(rng.integers(1, 5))
        kernel = rng.integers(1, 5, 2)
        dilation = rng.integers(1, 4, 2)
        padding = tuple(int(p) for p in rng.integers(0, 5, 4))
        extent = dilation * (kernel - 1) + 1
        sizes = [
            max(1, int(extent[axis]) - padding[axis] - padding[axis + 2] + int(rng.integers(0, 6)))
            for axis in (0, 1)
        ]
        w_bits, a_bits = (int(bits) for bits in rng.integers(1, 9, 2))
        encoding = Encoding(rng.choice(list(Encoding)))
        shape = (2, *sizes, groups * inner)
        codes = rng.integers(0, 1 << a_bits, shape, dtype=np.uint8)
        shape = (groups * outer, *kernel, inner)
        weights = rng.integers(0, 1 << w_bits, shape, dtype=np.uint8)
        geometry = {
            "stride": tuple(int(s) for s in rng.integers(1, 4, 2)),
            "padding": padding,
            "dilation": tuple(int(d) for d in dilation),
            "groups": groups,
        }
        planes = bitplanes.convolve(
            codes, weights, a_bits=a_bits, w_bits=w_bits, encoding=encoding, **geometry
        )
        sums = matmul.convolve(codes, encoding.values(weights, w_bits), **geometry)
        assert np.array_equal(planes, sums), geometry
        if encoding == Encoding.BIPOLAR:
            planes = bitplanes.convolve(
                codes, weights, a_bits=a_bits, w_bits=w_bits, encoding=encoding, xnor=True, **geometry
            )
            assert np.array_equal(planes, sums), geometry
