"""Shared reads counted bit by bit."""

import numpy as np

from dorefa.hw.compiler.column_slices import ColumnSlices


def draw_slices(rng):
    fetch = int(rng.choice([8, 16]))
    return ColumnSlices(
        run_bits=int(rng.integers(1, 60)),
        spacing=int(rng.choice([0, rng.integers(1, 50)])),
        runs=int(rng.integers(1, 6)),
        cols=int(rng.integers(2, 7)),
        lanes=fetch * int(rng.integers(1, 5)),
        fetch_bits=fetch,
    )


def packed(slices, first, behind):
    """(steps, whether a column needs another one) of a part for some columns: every column writes one piece
    a step, also the last one, which may not be whole."""
    fetch = slices.fetch_bits
    steps, held, owed = 0, dict.fromkeys(range(first, behind), 0), set()
    for run in range(slices.runs):
        bits = {column: range(slices.first(column), slices.last(column) + 1) for column in held}
        begin, end = bits[first][0] // fetch, bits[behind - 1][-1] // fetch
        for step in range(begin, end + 1):
            steps += 1
            owed.clear()  # written now: such a column has no more bits
            for column in held:
                window = range(step * fetch, (step + 1) * fetch)
                taken = [bit for bit in window if bit in bits[column]]
                held[column] += len(taken)
                filled = held[column] >= fetch
                held[column] -= fetch * filled
                ends = run == slices.runs - 1 and bits[column][-1] in taken
                if ends and filled and held[column]:
                    owed.add(column)
    return steps, bool(owed)


def test_steps(seed):
    rng = np.random.default_rng(seed)
    flushes = set()
    for _ in range(200):
        slices = draw_slices(rng)
        segments = [(p, p + 1) for p in range(slices.cols)]
        if slices.spacing:
            segments = [(p, q) for p in range(slices.cols) for q in range(p + 1, slices.cols + 1)]
        for first, behind in segments:
            steps, owed = packed(slices, first, behind)
            flush = slices.flush[behind - 1]
            assert flush == owed
            assert slices.steps(first, behind) == (steps + flush, slices.clear_from > 0)
            flushes.add(flush)
    assert flushes == {False, True}


def test_ends_of_parts(seed):
    rng = np.random.default_rng(seed)
    for _ in range(200):
        slices = draw_slices(rng)
        bits = slices.runs * slices.run_bits
        last_word = bits % slices.lanes or slices.lanes
        pieces = -(-last_word // slices.fetch_bits)
        assert slices.tail == bits % slices.fetch_bits
        assert slices.clear_from == (pieces if pieces < slices.lanes // slices.fetch_bits else 0)
