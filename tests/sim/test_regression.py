"""Random graphs on random engines: every layer bit-exact, and as many cycles as predicted.

Each case is run twice: without stalls, where the predicted cycles must be the simulated ones, and with
random stalls on every port. 6 engines of their own, 4 that networks share and one that trains run in make
test or make test-long; ``pytest -m "slow or not slow"`` on this file runs 300 more. ``--seed`` moves on to
other cases. `bench/soak.py` runs thousands.
"""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files

from .regression import soak
from .regression.drawing import random_case, random_graph, random_options
from .regression.runs import Run, fault

# Cases on engines of their own, and {engine of the soak: its cases}: sizes that grow, depths alone, training.
ALONE, SHARED = range(6), {0: 4, 1: 4, 2: 4, 3: 4, soak.TRAINS - 1: 16}
RUNS = Run(), Run(stalls=30)


def check(seed):
    network, compiled, _ = random_case(seed)
    print(f"case {seed}: {compiled.config}")
    text = engine_files(compiled.config)["engine.v"]
    for run in RUNS:
        assert fault(network, compiled.config, run, seed=seed, text=text) is None


@pytest.mark.parametrize("case", ALONE)
def test_random_graph_on_random_engine(case, seed):
    check(1000 * seed + case)


@pytest.mark.parametrize(("number", "cases"), SHARED.items())
def test_an_engine_of_the_soak(number, cases, seed):
    task = soak.task_of(10_000 * seed + number) | {"cases": cases}
    result = soak.engine(None, task)
    print(f"engine {task['seed']}: {result['config']}")
    assert [case["fault"] for case in result["cases"]] == [None] * len(result["cases"])
    assert len(result["cases"]) > 1 and result["bins"]


def test_channels_that_fill_a_block_leave_zeros():
    """A sum of one of these once wrapped, and a layer with the activation-sum row saw its codes."""
    check(1031)


def test_pooling_that_leaves_out_columns_adds_no_trunk():
    """Its pixels would meet others of the trunk: refused, not computed."""
    draws = RawDraws(1_102_000)
    network, options = random_graph(1_102_000, draws), random_options(draws)
    with pytest.raises(InputError, match="layer block1_b: it adds a trunk, but pooling leaves out 2 of 3"):
        compile_network(network, fit(network, **options))


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [*(pytest.param(case, marks=pytest.mark.sample) for case in range(6, 8)), *range(8, 300)]
)
def test_more_random_graphs_on_random_engines(case, seed):
    check(1000 * seed + case)
