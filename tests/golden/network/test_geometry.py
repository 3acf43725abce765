"""Geometry against windows that are listed one by one, and what the records make of it."""

import dataclasses
import re

import numpy as np
import pytest

from dorefa.golden import Geometry, InputError, Layer, Pool
from dorefa.golden.network.geometry import Windows
from dorefa.golden.zoo.architecture import LayerSpec


def draw(rng):
    pair = lambda high: tuple(int(size) for size in rng.integers(1, high, 2))  # noqa: E731
    padding = tuple(int(size) for size in rng.integers(0, 4, 4))
    return Geometry(kernel=pair(5), stride=pair(4), padding=padding, dilation=pair(4))


def windows(geometry, axis, size):
    """Pixels of every window along one axis of a map of `size`, found by trying."""
    before, after = geometry.padding[axis], geometry.padding[axis + 2]
    found = []
    start = -before
    while True:
        pixels = [start + geometry.dilation[axis] * place for place in range(geometry.kernel[axis])]
        if pixels[-1] >= size + after:
            return found
        found.append(pixels)
        start += geometry.stride[axis]


def test_windows_are_those_that_fit(rng):
    for _ in range(300):
        geometry, shape = draw(rng), tuple(int(size) for size in rng.integers(10, 20, 2))
        expected = [windows(geometry, axis, shape[axis]) for axis in (0, 1)]
        counts = geometry.output_size((*shape, 3))
        assert counts == (len(expected[0]), len(expected[1]))
        for axis in (0, 1):
            assert geometry.pixels(axis, counts[axis]).tolist() == expected[axis]
            assert geometry.start(axis, counts[axis] - 1) == expected[axis][-1][0]
            assert geometry.reach[axis] == expected[axis][0][-1] - expected[axis][0][0] + 1
        assert geometry.area == len(expected[0][0]) * len(expected[1][0])


def test_padding_goes_around_the_map(rng):
    maps = rng.integers(0, 9, (2, 3, 4, 5)).astype(np.uint8)
    geometry = Geometry(kernel=(1, 1), padding=(1, 2, 3, 4))
    padded = geometry.pad(maps, 7)
    assert padded.shape == (2, *geometry.padded(maps.shape[1:]), 5) == (2, 7, 10, 5)
    assert np.array_equal(padded[:, 1:4, 2:6], maps)
    assert padded.sum() == maps.sum() + 7 * (padded.size - maps.size)
    assert Geometry(kernel=(1, 1)).pad(maps) is maps


@pytest.mark.parametrize("padding", [(-1, 2, 1, -2), (-4, 2, 3, -4), (2, -5, -4, 4), (-3, 1, 2, -1)])
def test_negative_padding_cuts_off(padding, rng):
    """Pixels, and where these end those of the padding on the other side."""
    maps = rng.integers(0, 9, (2, 3, 4, 5)).astype(np.uint8)
    geometry = Windows(kernel=(1, 1), padding=padding)
    whole = np.pad(maps, ((0, 0), (9, 9), (9, 9), (0, 0)), constant_values=7)
    top, left, bottom, right = padding
    padded = geometry.pad(maps, 7)
    assert padded.shape[1:3] == geometry.padded(maps.shape[1:])
    assert np.array_equal(padded, whole[:, 9 - top : 12 + bottom, 9 - left : 13 + right])


def test_a_map_smaller_than_a_window_has_none():
    assert max(Geometry(kernel=(3, 3), dilation=(2, 2)).output_size((4, 4))) <= 0


def test_one_integer_stands_for_all_sides():
    geometry = Geometry(kernel=3, stride=2, padding=1, dilation=2)
    assert geometry == Geometry(kernel=(3, 3), stride=[2, 2], padding=(1, 1, 1, 1), dilation=(2, 2))
    assert Geometry(kernel=3).spacing == {
        "stride": (1, 1),
        "padding": (0, 0, 0, 0),
        "dilation": (1, 1),
        "groups": 1,
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel": (0, 1)}, "kernel h is 0; accepted: an integer >= 1"),
        ({"kernel": True}, "kernel is True; accepted: 2 integers >= 1 (h, w)"),
        ({"stride": (1, 2, 3)}, "stride is (1, 2, 3); accepted: 2 integers >= 1 (h, w)"),
        ({"stride": -1}, "stride h is -1; accepted: an integer >= 1"),
        ({"dilation": (1, 0.5)}, "dilation w is 0.5; accepted: an integer >= 1"),
        ({"padding": (1, 1)}, "padding is (1, 1); accepted: 4 integers >= 0 (top, left, bottom, right)"),
        ({"padding": (0, 0, 0, -1)}, "padding right is -1; accepted: an integer >= 0"),
        ({"groups": 0}, "groups is 0; accepted: an integer >= 1"),
    ],
)
def test_refused(fields, message):
    with pytest.raises(InputError, match=f"^{re.escape(f'geometry: {message}')}$"):
        Geometry(**({"kernel": (1, 1)} | fields))
    with pytest.raises(InputError, match=f"^{re.escape(f'layer c: {message}')}$"):
        LayerSpec(name="c", kind="conv", channels=1, **fields)


def conv(shape=(2, 3, 4, 2), **fields):
    return Layer(
        name="c", kind="conv", codes=np.zeros(shape, np.uint8), w_bits=1, scale=np.float32(1), **fields
    )


def test_a_layers_kernel_is_that_of_its_codes():
    layer = conv(padding=1, stride=2)
    assert (layer.kernel, layer.stride, layer.padding) == ((3, 4), (2, 2), (1, 1, 1, 1))
    changed = dataclasses.replace(layer, codes=np.zeros((2, 1, 5, 2), np.uint8))
    assert changed.kernel == (1, 5) and changed.spacing == layer.spacing
    with pytest.raises(TypeError, match="kernel"):
        conv(kernel=(3, 4))


def test_layers_of_one_geometry_differ_and_pools_do_not():
    first, second = conv(), conv()
    assert first == first and first != second and len({first, second}) == 2
    pools = [Pool(kind="max", kernel=2, stride=2) for _ in range(2)]
    assert pools[0] == pools[1] and len(set(pools)) == 1
    assert pools[0] != Pool(kind="max", kernel=2, stride=1)


def test_pools_have_no_dilation_and_no_groups():
    pool = Pool(kind="max", kernel=(2, 3), stride=(1, 2))
    assert (pool.dilation, pool.groups) == ((1, 1), 1)
    assert repr(pool) == "Pool(kernel=(2, 3), stride=(1, 2), padding=(0, 0, 0, 0), kind='max')"
    for field in ("dilation", "groups"):
        with pytest.raises(TypeError, match=field):
            Pool(kind="max", kernel=2, stride=2, **{field: 1})
    with pytest.raises(TypeError, match="stride"):
        Pool(kind="max", kernel=2)
