"""Where maps and trunks lie: nothing that is still needed overlaps, nothing is wasted in a chain."""

import pytest

from dorefa.hw.compiler.map_layout import MapLayout, place, place_all


def draw_regions(rng, count):
    """Random sizes and lifetimes, in the order in which they come to life."""
    begins = sorted(rng.integers(0, count, count).tolist())
    lifetimes = [(begin, begin + int(rng.integers(0, 4))) for begin in begins]
    return rng.integers(1, 30, count).tolist(), lifetimes


def check_apart(sizes, lifetimes, placed, depth):
    for first, (at, size, (begin, end)) in enumerate(zip(placed, sizes, lifetimes, strict=True)):
        assert 0 <= at and at + size <= depth
        for other in range(first):
            if lifetimes[other][0] <= end and begin <= lifetimes[other][1]:
                below = placed[other] + sizes[other] <= at
                assert below or at + size <= placed[other], (first, other)


def test_what_lives_together_is_apart(rng):
    for _ in range(200):
        sizes, lifetimes = draw_regions(rng, int(rng.integers(1, 9)))
        depth, placed = place_all(sizes, lifetimes)
        check_apart(sizes, lifetimes, placed, depth)
        steps = range(max(end for _, end in lifetimes) + 1)
        alive = [
            sum(size for size, (begin, end) in zip(sizes, lifetimes, strict=True) if begin <= step <= end)
            for step in steps
        ]
        assert depth >= max(alive)
        assert place(sizes, lifetimes, max(alive) - 1) is None


def test_chain_needs_its_two_largest_neighbors(rng):
    """Every map is read by the next layer alone: the two ends of the memory take turns."""
    for _ in range(50):
        sizes = rng.integers(1, 100, int(rng.integers(2, 12))).tolist()
        lifetimes = [(max(0, n - 1), n) for n in range(len(sizes))]
        depth, placed = place_all(sizes, lifetimes)
        assert depth == max(a + b for a, b in zip(sizes, sizes[1:], strict=False))
        check_apart(sizes, lifetimes, placed, depth)


def test_low_regions_are_as_low_as_possible(rng):
    for _ in range(100):
        sizes, lifetimes = draw_regions(rng, 6)
        low = [int(rng.integers(6)), 0]
        depth, placed = place_all(sizes, lifetimes, low)
        check_apart(sizes, lifetimes, placed, depth)
        for number in low:
            begin, end = lifetimes[number]
            before = [
                (placed[other], placed[other] + sizes[other])
                for other in range(number)
                if lifetimes[other][0] <= end and begin <= lifetimes[other][1]
            ]
            fits = [
                at
                for at in range(placed[number] + 1)
                if all(behind <= at or at + sizes[number] <= first for first, behind in before)
            ]
            assert fits[0] == placed[number]


def test_no_room():
    assert place([3, 3], [(0, 1), (1, 2)], 5) is None
    assert place([3, 3], [(0, 1), (1, 2)], 6) == [0, 3]
    # The first is gone when the second comes.
    assert place([3, 3], [(0, 0), (1, 2)], 3) == [0, 0]


@pytest.mark.parametrize(
    "shape, blocks, channels, block_words, words",
    [
        ((3, 5, 7), 1, 7, 14, 14),  # 105 codes in words of 8
        ((3, 5, 7), 2, 4, 8, 16),  # 60 codes a block
        ((2, 2, 4), 2, 2, 1, 2),  # blocks that fill their words
        ((1, 1, 9), 9, 1, 1, 9),
    ],
)
def test_words(shape, blocks, channels, block_words, words):
    """Every block begins with a word."""
    layout = MapLayout(shape=shape, blocks=blocks, channels=channels)
    assert (layout.block_words(8), layout.words(8)) == (block_words, words)
    assert MapLayout.dense(shape) == MapLayout(shape=shape, blocks=1, channels=shape[2])


def test_channels_lie_behind_the_zeros_of_the_groups_before():
    layout = MapLayout(shape=(1, 1, 10), blocks=4, channels=3, filled=5)
    assert layout.places() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert MapLayout(shape=(1, 1, 5), blocks=2, channels=3).places() == [0, 1, 2, 3, 4]
