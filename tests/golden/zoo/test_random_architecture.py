"""Random architectures: repeatable, valid, and of every kind."""

from collections import Counter

import pytest

from dorefa.golden.train.recipe import Recipe
from dorefa.golden.zoo.random_architecture import random_architecture


def test_a_seed_gives_the_same_architecture(seed):
    assert random_architecture(seed) == random_architecture(seed) != random_architecture(seed + 1)


@pytest.mark.parametrize("a_bits", [1, 2, 3, 4, 32])
def test_all_of_them_are_networks_that_train(seed, a_bits):
    for number in range(seed, seed + 30):
        architecture = random_architecture(number)
        recipe = Recipe(w_bits=1, a_bits=a_bits, g_bits=4, epochs=1, seed=0)
        outline = recipe.outline(architecture)
        assert outline.classes == 5 and 2 <= len(outline.layers) <= 12


def test_every_kind_of_layer_occurs(seed):
    found = Counter()
    for number in range(seed, seed + 60):
        for spec in random_architecture(number).layers:
            found["groups"] += spec.groups > 1
            found["strides"] += spec.stride != (1, 1)
            found["dilation"] += spec.dilation != (1, 1)
            found["padded pooling"] += spec.pool is not None and any(spec.pool.padding)
            found[spec.pool and spec.pool.kind] += 1
            found["global"] += spec.global_pool
            found["norm behind"] += spec.positive_slopes
            found["plain"] += not spec.norm and spec.codes
            found["shortcut"] += spec.add is not None and spec.add.endswith("shortcut")
            found["identity"] += spec.add is not None and spec.add.endswith("b")
            found["third term"] += spec.name.endswith("c")
    assert len(found) == 14 and min(found.values()) >= 3, found
