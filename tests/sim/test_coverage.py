"""The coverage of random cases: what CI runs hits what it claims, and gaps are found."""

import contextlib
import io

import pytest

from dorefa.golden import lower, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit

from .regression import bins, soak
from .regression.bins import Bin, Waiver, declared
from .regression.coverage import Coverage, hits
from .regression.drawing import random_case
from .regression.facts import case_facts, run_facts
from .regression.runs import Run
from .test_regression import ALONE, RUNS, SHARED

# The cases of make test and make test-long with their own seed; another --seed has other cases, of which
# nothing is claimed.
SEED = 1


def sample():
    """Coverage of what test_regression.py simulates, by drawing and compiling alone."""
    coverage = Coverage()
    for number in ALONE:
        _, compiled, _ = random_case(1000 * SEED + number)
        for facts in case_facts(compiled, RUNS):
            coverage.add(facts)
    for number, cases in SHARED.items():
        task = soak.task_of(10_000 * SEED + number) | {"cases": cases}
        coverage.add_names(soak.drawn(None, task)["bins"])
    return coverage


@pytest.fixture(scope="module")
def sampled():
    with contextlib.redirect_stdout(io.StringIO()):
        return sample()


def test_the_sample_hits_every_bin_of_every_point_that_it_claims(sampled):
    missing = {str(each) for each in sampled.missing() if len(each.values) == 1}
    assert missing == {f"{point} {value}" for point, values in bins.LATER.items() for value in values}
    assert list(sampled.faults()) == []


def test_a_bin_that_nobody_reaches_is_reported(sampled):
    planted = Bin((("columns", 5),))
    coverage = Coverage(table=[*declared(), planted])
    coverage.add_names(sampled.names())
    assert planted in coverage.missing()
    assert "| columns | 1 | 0 | 0 | 0 (5) |" in coverage.lines()


def test_hits_that_are_waived_or_unknown_are_reported():
    coverage = Coverage(waivers=(Waiver({"columns": (2,)}, "planted"),))
    for columns in (1, 2, 7):
        coverage.add({"columns": {columns}})
    assert list(coverage.faults()) == [
        "columns 2: hit 1 times, but waived: planted",
        "columns 7: hit 1 times, but not declared",
    ]
    with pytest.raises(AssertionError, match=r"bins that nobody declared: \['columns 9'\]"):
        coverage.add_names({"columns 9": 1})


def test_the_tables_name_points_that_are_declared():
    assert {point for cross in bins.CROSSES for point in cross} <= bins.POINTS.keys()
    assert len({str(each) for each in declared()}) == len([*declared()])
    for waiver in bins.WAIVERS:
        assert waiver.because and any(waiver.covers(dict(each.values)) for each in declared()), waiver
    for point, values in bins.LATER.items():
        assert {*values} <= {*bins.POINTS[point]}


def test_crosses_are_hit_by_the_facts_of_one_layer():
    facts = {"columns": {2}, "engines": {1, 3}}
    assert {str(each) for each in hits(facts, [("columns", "engines"), ("columns", "weights")])} == {
        "columns 2",
        "engines 1",
        "engines 3",
        "columns 2, engines 1",
        "columns 2, engines 3",
    }


def test_facts_of_a_known_network():
    network = lower(random_network(5, w_bits=2, a_bits=3, conv_layers=2, max_macs=20_000, max_size=8))
    compiled = compile_network(network, fit(network, lanes=16, rows=4, cols=3, weights="stream"))
    first, *_, last = case_facts(compiled, [Run(stalls=85, latency=50, reset_after=10_000)])
    layer = network.layers[0]
    assert first["weight_bits"] == {2} and first["code_bits"] == {3} and last["code_bits"] == set()
    assert last["kernel"] == {"fully connected"} and first["columns"] == {3}
    assert first["stride"] == {str(layer.stride[0]) if len({*layer.stride}) == 1 else "unequal"}
    assert first["stalls"] == {"many"} and first["latency"] == {"long"} and first["reset"] == {"computing"}
    assert set(first) == {point for point in bins.POINTS if not point.startswith("job")}


@pytest.mark.parametrize(
    ("run", "point", "value"),
    [
        (Run(), "reset", "none"),
        (Run(reset_after=20), "reset", "loading"),
        (Run(reset_after=21), "reset", "computing"),
        (Run(stalls=5), "stalls", "few"),
        (Run(stalls=30), "stalls", "some"),
        (Run(latency=3), "latency", "short"),
        (Run(through_port=True), "loading", "host port"),
    ],
)
def test_facts_of_a_run(run, point, value):
    assert run_facts(run, load=20, streams=True)[point] == {value}
    assert run_facts(run, load=20, streams=False)["latency"] == set()


@pytest.mark.slow
def test_the_soak_of_5000_networks_hits_every_bin():
    """By drawing and compiling alone."""
    coverage, networks, number = Coverage(), 0, 10_000 * SEED
    while networks < 5000:
        task = soak.task_of(number)
        with contextlib.redirect_stdout(io.StringIO()):
            result = soak.drawn(None, task)
        coverage.add_names(result["bins"])
        networks += 0 if task["training"] else len(result["cases"])
        number += 1
    assert coverage.missing() == [] and list(coverage.faults()) == []
