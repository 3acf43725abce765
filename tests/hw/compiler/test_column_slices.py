"""Shared reads counted bit by bit, and the sets of columns on their lines."""

import dataclasses

import numpy as np
import pytest

from dorefa.hw.compiler.column_slices import ColumnSlices
from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.config.engine import EngineConfig

from ..engine.reader.reader_bench import integer_network
from ..engine.reader.reader_layers import draw_geometry


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


def read_of(rng):
    """A random layer's geometry on columns that share reads."""
    shape, in_shape, fields = draw_geometry(rng)
    fetch = int(rng.choice([8, 16]))
    config = EngineConfig(
        lanes=fetch * int(rng.integers(1, 5)),
        rows=1,
        quant=1,
        cols=int(rng.integers(2, 7)),
        fetch_bits=fetch,
        column_reads="shared",
    )
    return PassGeometry.of(integer_network(rng, shape, in_shape, 2, **fields).layers[0], config)


@pytest.mark.parametrize("case", range(30))
def test_sets(case, seed):
    """Columns of a set are read together as far as they stand on one line."""
    rng = np.random.default_rng([seed, case])
    geometry = read_of(rng)
    slices, cols, width = geometry.shared_reads.slices, geometry.cols, geometry.computed[1]
    print(geometry.layer.codes.shape, geometry.layer.in_shape, slices)
    total = 0
    for number in range(geometry.sets):
        pixels = range(number * cols, min((number + 1) * cols, geometry.pixels))
        groups = {}
        for column, pixel in enumerate(pixels):
            groups.setdefault(pixel // width if slices.spacing else pixel, []).append(column)
        steps = [slices.steps(columns[0], columns[-1] + 1) for columns in groups.values()]
        assert geometry.set_steps(number) == tuple(map(sum, zip(*steps, strict=True)))
        total += sum(step for step, _ in steps)
    assert geometry.read_steps == geometry.groups * total


def test_columns_share_where_it_takes_fewer_steps(seed):
    """Never more steps than one column after another in the same reader; overlapping windows take fewer."""
    rng = np.random.default_rng(seed)
    shares = 0
    for _ in range(60):
        geometry = read_of(rng)
        apart, _ = dataclasses.replace(geometry.shared_reads.slices, spacing=0).steps(0, 1)
        apart *= geometry.pixels * geometry.groups
        assert geometry.read_steps <= apart
        assert (geometry.read_steps < apart) == (geometry.shared_reads.slices.spacing > 0)
        shares += geometry.shared_reads.slices.spacing > 0
    assert 10 < shares < 60
