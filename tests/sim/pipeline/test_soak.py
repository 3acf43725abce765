"""Random networks as pipelines, every layer compared, with exact times: five in make test, twenty with
make test-long, and all 200 of one seed by `python bench/soak.py --architecture pipeline`."""

import pytest

from ..regression import pipelines

WIDTHS = ["weight_bits", "activation_bits"]
LATER = (pytest.mark.slow, pytest.mark.sample)
CASES = [*range(5), *(pytest.param(number, marks=LATER) for number in range(5, 20))]


@pytest.mark.parametrize("number", CASES)
def test_a_pipeline_of_the_soak(number, seed):
    result = pipelines.pipeline(None, pipelines.task_of(10_000 * seed + number))
    print(f"pipeline {result['seed']}: {result['config']}")
    assert [case["fault"] for case in result["cases"]] == [None]
    assert result["bins"]


@pytest.mark.slow
def test_the_draws_of_a_seed_hit_every_bin():
    """All 64 pairs of widths of weights and activations among them."""
    coverage = pipelines.coverage()
    for number in range(10_000, 10_000 + pipelines.ALL_BINS):
        coverage.add_names(pipelines.drawn(None, pipelines.task_of(number))["bins"])
    assert coverage.missing() == []
    pairs = [each for each in coverage.counts if [point for point, _ in each.values] == WIDTHS]
    assert len(pairs) == 64
