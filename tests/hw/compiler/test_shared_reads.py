"""Sets of columns on their lines, and when reading them together pays."""

import dataclasses

import numpy as np
import pytest

from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.config.engine import EngineConfig

from ..engine.reader.reader_bench import integer_network
from ..engine.reader.reader_layers import draw_geometry


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
