"""Rows as sums of a graph: what each root counts, what it costs, and the search."""

import numpy as np
import pytest

from dorefa.golden import lower
from dorefa.golden.errors import InputError
from dorefa.golden.zoo import catalog
from dorefa.hw.pipeline.sums.graph import Node, SumGraph
from dorefa.hw.pipeline.sums.search import RowSearch

FORMS = pytest.mark.parametrize(
    "leaf_bits, absorbs", [(1, True), (2, True), (1, False), (2, False), (8, False)]
)


def counts(graph, roots):
    """How often each leaf is in each root."""
    return graph.values(roots, np.eye(graph.leaves, dtype=np.int64))


@FORMS
@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize("evaluations", [0, 40])
def test_roots_are_the_rows(leaf_bits, absorbs, total, evaluations, rng):
    for _ in range(12):
        rows = rng.integers(0, 2, rng.integers(1, (14, 40))).astype(np.int8)
        rows[rng.random(len(rows)) < 0.1] = 0
        turns = total and bool(rng.integers(2))
        sums = RowSearch(rows, leaf_bits, absorbs, total, turns).run(evaluations, seed=3)
        assert (counts(sums.graph, sums.roots) == rows ^ sums.flipped[:, None]).all()
        assert turns or not sums.flipped.any()
        if total:
            assert (counts(sums.graph, [sums.total]) == 1).all()
        assert sorted(row for group in sums.groups for row in group) == list(range(len(rows)))


@FORMS
def test_bounds_hold_what_codes_make(leaf_bits, absorbs, rng):
    rows = rng.integers(0, 2, (9, 33)).astype(np.int8)
    sums = RowSearch(rows, leaf_bits, absorbs, False, False).run(0, seed=1)
    graph = sums.graph
    for number in graph.live(sums.roots):
        most = counts(graph, [number]).sum() * ((1 << leaf_bits) - 1)
        assert graph.bounds[number] == most
        # A carry is read or there is none: what is added has room.
        assert graph.width(number) <= graph.adder_bits(number) + 1


def test_a_pair_of_two_bit_leaves_takes_the_carry():
    graph = SumGraph(3, 2, absorbs=True)
    number = graph.add(0, (1, 2))
    assert (graph.bounds[number], graph.adder_bits(number), graph.takes_carry(number)) == (9, 3, True)
    assert graph.cells([number]) == 4  # three slots, and one that reads the carry and hands the next one in
    assert graph.add(0, (1, 2)) == number


def test_search_is_deterministic_and_never_worse(rng):
    rows = rng.integers(0, 2, (16, 60)).astype(np.int8)
    first, *others = (RowSearch(rows, 2, True, True, True).run(count, 5) for count in (200, 200, 0))
    assert first.roots == others[0].roots and first.groups == others[0].groups
    assert first.cells <= others[1].cells
    for count in range(1, 40):
        assert RowSearch(rows, 2, True, True, True).run(count, count).cells <= others[1].cells


# Cells of the sums of digits-small, all positive weights or all negative ones, and the sum of all inputs.
@pytest.mark.parametrize(
    "layer, leaf_bits, most, first",
    [(1, 2, 3273, 3449), (1, 1, 1808, 1894), (2, 2, 6039, 6445), (2, 1, 3467, 3770)],
)
def test_trained_layers(layer, leaf_bits, most, first):
    values = lower(catalog.load("digits-small", net_w=1, net_a=2)).layers[layer].values
    rows = (values.reshape(len(values), -1) > 0).astype(np.int8)
    search = RowSearch(rows, leaf_bits, absorbs=True, total=True, turns=True)
    assert search.run(0, 1).cells == first
    assert search.run(1500, 1).cells <= most


def test_a_graph_that_is_not_its_rows_is_found(monkeypatch, rng):
    """A node that forgets its carry-in."""
    terms = Node.terms
    monkeypatch.setattr(Node, "terms", lambda node: list(terms(node))[:2])
    rows = rng.integers(0, 2, (4, 40)).astype(np.int8)
    with pytest.raises(AssertionError, match="a graph of sums is not its rows"):
        RowSearch(rows, 1, absorbs=True, total=False, turns=False).run(0, 1)


def test_wide_digits_are_not_absorbed():
    with pytest.raises(InputError, match="leaf_bits is 3; accepted where pairs are absorbed: 1, 2"):
        SumGraph(4, 3, absorbs=True)
