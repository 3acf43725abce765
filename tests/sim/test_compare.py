"""dorefa.sim.compare: decoding of the feature memory, and naming what differs."""

from types import SimpleNamespace

import numpy as np
import pytest

from dorefa.sim.compare import MAX_MISMATCHES, Comparison, decode
from dorefa.sim.design import layer_rows


def encode(codes, layer, config):
    """Both banks of a feature memory that holds `codes`, the rest random; straight from the
    definition, one bit at a time."""
    rng = np.random.default_rng(0)
    row_bits = config.out_bits * config.fetch_bits
    banks = rng.integers(0, 2, (2, 64, row_bits)).astype(np.uint8)
    for element, code in enumerate(codes.reshape(-1).tolist()):
        word = layer.out_address + element // config.fetch_bits
        for plane in range(config.out_bits):
            bit = plane * config.fetch_bits + element % config.fetch_bits
            banks[word % 2, word >> 1, bit] = code >> plane & 1
    return np.packbits(banks, axis=2, bitorder="little")


@pytest.mark.parametrize("address", [0, 1, 6, 7])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (2, 4, 16), (1, 1, 17)])
@pytest.mark.parametrize("fetch, planes", [(8, 1), (16, 3), (32, 8)])
def test_decode_inverts_the_layout(rng, address, shape, fetch, planes):
    config = SimpleNamespace(fetch_bits=fetch, out_bits=planes)
    layer = SimpleNamespace(out_address=address, out_shape=shape)
    codes = rng.integers(0, 1 << planes, shape).astype(np.uint8)
    memory = encode(codes, layer, config)
    rows = [
        bank[first : first + count]
        for bank, (first, count) in zip(memory, layer_rows(layer, config), strict=True)
    ]
    assert (decode(rows, layer, config) == codes).all()


def test_first_wrong_element_is_named():
    comparison = Comparison()
    expected = np.zeros((2, 3, 4), np.uint8)
    got = expected.copy()
    got[1, 2, 3] = 4
    comparison.add("conv1", 7, expected, got)
    assert comparison.count == 1
    assert str(comparison.mismatches[0]) == (
        "layer conv1, image 7, y 1, x 2, channel 3, plane 2: expected 0, got 4"
    )


def test_results_are_compared_by_class():
    comparison = Comparison()
    comparison.add("fc", 0, np.array([5, -3, 9]), np.array([5, -4, 9]))
    (mismatch,) = comparison.mismatches
    assert (mismatch.channel, mismatch.expected, mismatch.got) == (1, -3, -4)
    assert mismatch.plane == 0
    assert set(mismatch.as_dict()) >= {"layer", "image", "y", "x", "channel", "expected", "got"}


def test_all_are_counted_and_the_first_kept():
    comparison = Comparison()
    for image in range(3):
        comparison.add("a", image, np.zeros((4, 4, 1)), np.ones((4, 4, 1)))
    assert comparison.count == 48
    assert len(comparison.mismatches) == MAX_MISMATCHES
    assert comparison.mismatches[-1].image == 1


def test_equal_values_are_no_mismatch(rng):
    comparison = Comparison()
    codes = rng.integers(0, 4, (3, 3, 5))
    comparison.add("a", 0, codes, codes.copy())
    assert (comparison.count, comparison.mismatches) == (0, [])
