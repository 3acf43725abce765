"""Pooling windows by their definition, and the order in which pixels leave the drain."""

import itertools
from dataclasses import dataclass

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool

from ...support import draw_layer, network


@dataclass(frozen=True)
class Axis:
    """`size` pixels, `kernel` and `stride` of the windows, padding `before` and `behind`."""

    size: int
    kernel: int = 1
    stride: int = 1
    before: int = 0
    behind: int = 0

    @property
    def spans(self):
        """First and last pixel of every window, as far as they exist."""
        count = (self.size + self.before + self.behind - self.kernel) // self.stride + 1
        starts = [window * self.stride - self.before for window in range(count)]
        return [(max(0, at), min(self.size, at + self.kernel) - 1) for at in starts]

    @property
    def computed(self):
        """Pixels up to the end of the last window."""
        return self.spans[-1][1] + 1

    @property
    def accepted(self):
        """Whether every window ends at a pixel of its own."""
        ends = [end for _, end in self.spans]
        return len(set(ends)) == len(ends)

    @property
    def overlap(self):
        """Most windows that are open at the same pixel."""
        return max(sum(begin <= pixel <= end for begin, end in self.spans) for pixel in range(self.size))


def axes(sizes, kernels, strides):
    """Every axis with these sizes, kernels and strides that pooling is defined for."""
    for size, kernel, stride in itertools.product(sizes, kernels, strides):
        for before, behind in itertools.product(range(kernel), repeat=2):
            if size + before + behind >= kernel:
                yield Axis(size, kernel, stride, before, behind)


def draw_axis(rng, size, *, kernel=4, stride=4, padding=True):
    """A random axis of at most `size` pixels that the engine accepts."""
    while True:
        kernel_size = int(rng.integers(1, kernel + 1))
        before, behind = (int(rng.integers(0, kernel_size)) if padding else 0 for _ in range(2))
        drawn = Axis(
            int(rng.integers(1, size + 1)), kernel_size, int(rng.integers(1, stride + 1)), before, behind
        )
        if drawn.size + before + behind >= kernel_size and drawn.accepted:
            return drawn


def axis_place(axis, pixel, slots, rng):
    """(first, slot, closes) of a pixel; what no window looks at is random."""
    first, slot, closes = int(rng.integers(1 << slots)), int(rng.integers(slots)), 0
    for window, (begin, end) in enumerate(axis.spans):
        mask = 1 << window % slots
        if begin <= pixel <= end:
            first = first | mask if pixel == begin else first & ~mask
        if pixel == end:
            slot, closes = window % slots, 1
    return first, slot, closes


def check_axis_place(axis, pixel, slots, first, slot, closes):
    """That what the engine says of a pixel is right wherever a window looks at it."""
    ends = [window for window, (_, end) in enumerate(axis.spans) if end == pixel]
    assert closes == len(ends), (axis, pixel)
    assert not ends or slot == ends[0] % slots, (axis, pixel)
    for window, (begin, end) in enumerate(axis.spans):
        if begin <= pixel <= end:
            assert first >> window % slots & 1 == (pixel == begin), (axis, pixel, window)


def closes_both(rows, columns, pixel):
    """Whether a window ends at `pixel` (y, x)."""
    return all(
        any(end == place for _, end in axis.spans) for axis, place in zip((rows, columns), pixel, strict=True)
    )


def raster_sets(rows, columns, cols):
    """The computed pixels (y, x) in sets of `cols`."""
    pixels = list(itertools.product(range(rows.computed), range(columns.computed)))
    return [pixels[first : first + cols] for first in range(0, len(pixels), cols)]


def pooled_network(rng, rows, columns, *, channels=1, kind="max", groups=1):
    """An integer network whose first layer, a 1x1 convolution, pools along these axes."""
    pool = Pool(
        kind=kind,
        kernel=(rows.kernel, columns.kernel),
        stride=(rows.stride, columns.stride),
        padding=(rows.before, columns.before, rows.behind, columns.behind),
    )
    body = draw_layer(rng, "conv", (channels, 1, 1, 1), a_bits=1, pool=pool, groups=groups)
    inputs = len(rows.spans) * len(columns.spans) * channels
    last = draw_layer(rng, "fc", (1, 1, 1, inputs), a_bits=None, kind="fc")
    return lower(network((rows.size, columns.size, groups), 1, body, last))
