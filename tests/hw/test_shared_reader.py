"""Columns that share reads: patches of random layers against NumPy windows."""

import numpy as np
import pytest

from .reader_bench import integer_network, run
from .test_window_reader import draw_geometry


@pytest.mark.parametrize("case", range(300, 332))
def test_random_layers(case, seed):
    rng = np.random.default_rng([seed, case])
    shape, in_shape, fields = draw_geometry(rng)
    integer = integer_network(rng, shape, in_shape, int(rng.integers(1, 4)), **fields)
    fetch = int(rng.choice([8, 16]))
    sizes = {
        "lanes": fetch * int(rng.integers(1, 5)), "fetch": fetch, "cols": int(rng.integers(2, 7)),
        "slots": int(rng.choice([2, 4])), "in_address": int(rng.integers(0, 5)),
        "spare": int(rng.integers(0, 3)), "slow": float(rng.choice([0, 0.5])),
    }  # fmt: skip
    print(shape, in_shape, fields, sizes)
    run(integer, rng=rng, column_reads="shared", **sizes)
