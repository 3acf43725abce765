# amaranth: UnusedElaboratable=no
"""Windows over slots: every geometry, digits, gaps, images back to back and blank ones."""

import numpy as np
import pytest

from dorefa.golden.network.geometry import Windows
from dorefa.hw.pipeline.slots.raster import Raster, cropped
from dorefa.hw.pipeline.slots.window import Window

from ...support import simulate
from ..windows import geometry, slots_of, windows_of


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits, digit", [(1, 1), (2, 2), (3, 1), (5, 2), (3, 4)])
def test_windows(signed, bits, digit, rng):
    for case in range(6):
        shape = tuple(rng.integers(1, 7, 2).tolist())
        alone = Windows(kernel=(1, 1), stride=tuple(rng.integers(1, 4, 2).tolist()))
        raster = Raster(shape, alone if case == 5 else geometry(rng, shape))
        channels = int(rng.integers(1, 4))
        window = Window(raster, channels, bits, digit_bits=digit, signed=signed)
        assert raster.problem() is None
        assert case < 5 or window.latency == (digit < bits)
        images = rng.integers(0, 1 << bits, (3, *shape, channels))
        # Blank slots only push out what is there: as many as complete the last window, or more.
        blanks = raster.lead + int(rng.integers(0, 5)) if case % 2 else None
        slots = list(slots_of(images, case % 3 == 0, window.steps, rng, blanks))
        found = run(window, slots, bits, digit)
        assert len(found) >= 3 * np.prod(raster.outputs)
        values = np.array([codes for empty, codes in found if not empty])
        assert (values == windows_of(images, raster.geometry, signed, bits)).all(), (shape, raster.geometry)


def run(window, slots, bits, digit):
    """(empty, codes) of every window that is emitted."""
    found, codes = [], None
    numbers = len(window.x) // digit

    async def testbench(ctx):
        nonlocal codes
        ports = (window.step, window.first_digit, window.emitted, window.empty, window.x)
        for slot in [*slots, None]:
            ctx.set(window.i.valid, isinstance(slot, tuple))
            ctx.set(window.i.restart, slot == "restart" if isinstance(slot, str) else 0)
            if isinstance(slot, tuple):
                word, blank = slot
                ctx.set(window.i.word, sum(int(code) << (bits * at) for at, code in enumerate(word)))
                ctx.set(window.i.blank, blank)
            _, _, step, first_digit, emitted, empty, word = await ctx.tick().sample(*ports)
            if step:
                digits = np.array([word >> (digit * at) & ((1 << digit) - 1) for at in range(numbers)])
                if first_digit:
                    codes = np.zeros(numbers, int)
                codes = (codes << digit) + digits
            if emitted:
                assert step
                found.append((bool(empty), codes))

    simulate(window, testbench, limit=len(slots) + 2)
    return found


def test_padding_that_makes_more_pixels_than_come():
    raster = Raster((4, 4), Windows(kernel=(1, 3), padding=(1, 1, 0, 1)))
    assert raster.problem() == (
        "padding of 1 and 0 rows around windows of 1 makes more pixels than come; accepted: "
        "less than 1 in all"
    )


def test_windows_above_the_map():
    """Padding in front that holds whole windows, with rows cut off behind."""
    raster = Raster((4, 4), Windows(kernel=(1, 1), padding=(2, 0, -2, 0)))
    assert raster.problem() == (
        "padding of 2 and -2 rows around windows of 1 makes more pixels than come; accepted: "
        "less than 1 in all"
    )


@pytest.mark.parametrize(
    "kernel, padding, shape, kept, left",
    [
        ((3, 3), (1, 1, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ((5, 1), (2, 0, 2, 0), (2, 3), (3, 1), (1, 0, 1, 0)),
        ((3, 3), (1, 1, 1, 1), (4, 4), (3, 3), (1, 1, 1, 1)),
        ((1, 1), (2, 0, 0, 0), (1, 1), (1, 1), None),
    ],
)
def test_rows_that_are_always_padding_are_left_out(kernel, padding, shape, kept, left):
    stride = (3, 1) if left is None else (1, 1)
    whole = Windows(kernel=kernel, padding=padding, stride=stride)
    made, _ = cropped(whole, shape)
    assert made.kernel == kept
    assert left is None or made.padding == left
    assert made.output_size(shape) == whole.output_size(shape)
