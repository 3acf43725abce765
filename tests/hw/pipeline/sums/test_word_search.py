"""Sums of whole codes: what words are, how deep sums become, what a search finds."""

import numpy as np
import pytest

from dorefa.hw.pipeline.sums import word_search
from dorefa.hw.pipeline.sums.word_search import find_word_sums, signed_digits
from dorefa.hw.pipeline.sums.words import Term, WordGraph


def word_values(graph, leaves):
    """The words of all leaves and nodes, as they are added."""
    words = list(leaves)
    for number, node in enumerate(graph.nodes, graph.leaves):
        y = words[node.y]
        if node.minus:
            y = (1 << graph.spans[node.y].bits) - graph.joins(node) - y
        words.append(words[node.x] + (y << node.shift))
        assert words[-1].min() >= 0 and words[-1].max() <= graph.spans[number].high
    return words


def drawn(rng, shape, bits):
    half = 1 << (bits - 1)
    return rng.integers(-half, half, shape) * (rng.random(shape) < 0.8)


@pytest.mark.parametrize("w_bits, a_bits", [(1, 8), (2, 1), (4, 3), (8, 1), (8, 8)])
def test_words_are_their_sums_and_constants(w_bits, a_bits, rng):
    values = drawn(rng, (8, 12), w_bits)
    sums = find_word_sums(values, a_bits, 0, 1)
    top = (1 << a_bits) - 1
    leaves = np.hstack([rng.integers(0, top + 1, (12, 200)), (values > 0).T * top, (values < 0).T * top])
    found, words = sums.graph.values(sums.roots, leaves), word_values(sums.graph, leaves)
    assert (found == values @ leaves).all()
    for root, own in zip(sums.roots, found, strict=True):
        if root is None:
            assert not own.any()
            continue
        span, sign = sums.graph.spans[root.number], -1 if root.minus else 1
        assert (words[root.number] == (sign * own >> root.shift) + span.offset).all()


@pytest.mark.parametrize("inputs", [1, 2, 3, 7, 8, 9, 40])
def test_no_sum_is_deeper_than_it_has_to_be(inputs, rng):
    values = drawn(rng, (10, inputs), 6)
    digits = max(sum(len(list(signed_digits(weight))) for weight in row) for row in values.tolist())
    assert find_word_sums(values, 7, 0, 1).level <= (max(1, digits) - 1).bit_length()


def test_words_side_by_side_cost_nothing():
    graph = WordGraph(2, 3)
    roots = [graph.add(Term(0, 0, False), Term(1, 3, False)), graph.add(Term(0, 1, True), Term(1, 4, False))]
    assert graph.cells(roots) == 0 and [graph.spans[root.number].level for root in roots] == [0, 0]
    leaves = np.array([[0, 5, 7], [7, 6, 0]])
    assert (graph.values(roots, leaves) == [leaves[0] + 8 * leaves[1], 16 * leaves[1] - 2 * leaves[0]]).all()


def test_more_evaluations_are_never_worse(rng):
    values = drawn(rng, (12, 20), 5)
    cells = [find_word_sums(values, 6, evaluations, 1).cells for evaluations in (0, 400, 2000)]
    assert cells == sorted(cells, reverse=True)


def test_the_same_weights_give_the_same_sums(rng):
    values = drawn(rng, (12, 20), 5)
    first = find_word_sums(values, 6, 800, 3)
    word_search._found.cache_clear()
    again = find_word_sums(values, 6, 800, 3)
    assert again is not first and (again.roots, again.graph.nodes) == (first.roots, first.graph.nodes)


def test_pairs_that_are_counted_part_by_part(rng, monkeypatch):
    values = drawn(rng, (12, 40), 5)
    whole = find_word_sums(values, 6, 0, 1)
    monkeypatch.setattr(word_search, "_MOST_PAIRS", 500)
    word_search._found.cache_clear()
    parts = find_word_sums(values, 6, 0, 1)
    word_search._found.cache_clear()
    assert parts.level == whole.level and whole.cells < parts.cells < 1.5 * whole.cells
