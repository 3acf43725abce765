"""dorefa.hw.compiler.merged_groups: merged channel groups compute the same codes in fewer cycles."""

import math
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.cycles import predict
from dorefa.hw.compiler.merged_groups import merge, merged
from dorefa.hw.compiler.needs import needs
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit

from ..engine.compiled_networks import draw_compiled
from ..engine.engine_bench import Bench, beats_of, check_cycles, compare
from ..separable import separable


def divisors(number):
    return [count for count in range(1, number + 1) if number % count == 0]


@pytest.mark.parametrize("encoding", ["twos_complement", "unsigned", "bipolar"])
def test_every_count_computes_the_same(encoding, rng, seed):
    for inner, outputs, w_bits in ((1, 1, 1), (1, 2, 3), (3, 1, 7)):
        integer = separable(rng, encoding, inner=inner, outputs=outputs, w_bits=w_bits)
        images = random_images(integer, 3, seed)
        expected = run_integer(integer, images)
        layer = integer.layers[1]
        for count in divisors(12):
            made = merge(layer, count)
            assert made.groups * count == 12
            # Its own products, and zeros for those of its neighbors.
            assert (made.values != 0).sum() == (layer.values != 0).sum()
            assert made.values.shape == (12 * outputs, 3, 3, count * inner)
            layers = (integer.layers[0], made, integer.layers[2])
            found = run_integer(with_layers(integer, layers), images)
            for name, values in expected.items():
                np.testing.assert_array_equal(found[name], values, err_msg=f"{name}, {count} groups")


def with_layers(integer, layers):
    return type(integer)(
        name=integer.name, input_shape=integer.input_shape, input_bits=integer.input_bits, layers=layers
    )


def groups_of(integer, config, limits=None):
    return [layer.groups for layer in merged(integer, config, limits).layers]


def test_the_fewest_cycles(rng):
    """Where nothing but the array binds: pixels x G/m x ceil(m K / lanes) x ceil(m N / rows) x W x A."""
    taken = set()
    for _ in range(20):
        groups = int(rng.choice([6, 8, 12, 16]))
        inner, outputs = (int(rng.integers(1, 4)) for _ in range(2))
        integer = separable(rng, groups=groups, inner=inner, outputs=outputs, w_bits=4, a_bits=4)
        lanes, rows = int(rng.choice([16, 32, 48])), int(rng.choice([4, 8, 16]))
        config = fit(integer, lanes=lanes, rows=rows, quant=4, fetch_bits=16, plane_groups=1)

        def work(count, groups=groups, inner=inner, outputs=outputs, lanes=lanes, rows=rows):
            steps = -(-9 * inner * count // lanes) * -(-outputs * count // rows)
            return groups // count * steps

        compiled = compile_network(integer, config)
        found = compiled.layers[1]
        assert found.bound == 16 * 16 * work(found.merged_groups)
        if found.bound_by == "array":
            assert work(found.merged_groups) == min(map(work, divisors(groups)))
            taken.add(found.merged_groups)
    assert len(taken) > 2


def test_products_are_those_of_the_layer_as_given(rng):
    integer = separable(rng)
    compiled = compile_network(integer, fit(integer, lanes=32, rows=16))
    layer = compiled.layers[1]
    assert layer.merged_groups > 1
    assert layer.binary_ops == 16 * 12 * 9 * 2 * 2
    assert compiled.network is integer


def test_shares_explain_the_bound(rng):
    """Utilization within the bound is exactly the product of what works."""
    merges = 0
    for number in range(12):
        if number % 3:
            compiled = draw_compiled(rng)
        else:
            integer = separable(rng, ("bipolar", "unsigned")[number % 2], outputs=int(rng.integers(1, 4)))
            compiled = compile_network(
                integer,
                fit(integer, encoding="any", w_bits=4, weights=str(rng.choice(["onchip", "stream"])), cols=2),
            )
        for layer, given in zip(compiled.layers, compiled.network.layers, strict=True):
            pool = given.pool
            gaps = pool is not None and any(
                stride > kernel for stride, kernel in zip(pool.stride, pool.kernel, strict=True)
            )
            capacity = layer.bound * compiled.config.binary_ops_per_cycle
            share = math.prod(layer.shares.values())
            # Pixels in the gaps of pooling windows are computed, and are no operations of the layer.
            assert gaps or share == Fraction(layer.binary_ops, capacity)
            assert all(0 < part <= 1 for part in layer.shares.values())
            merges += layer.merged_groups > 1
    assert merges


def test_bipolar_weights_become_twos_complement_where_the_engine_takes_it(rng):
    integer = separable(rng, "bipolar")
    sizes = {"lanes": 32, "rows": 16}
    assert fit(integer, **sizes).encoding == "bipolar"
    assert groups_of(integer, fit(integer, **sizes)) == [1, 12, 1]
    # 2 bits wide already: nothing is left for the third.
    assert groups_of(integer, fit(integer, encoding="any", **sizes)) == [1, 12, 1]
    config = fit(integer, encoding="any", w_bits=3, **sizes)
    made = merged(integer, config).layers[1]
    assert (made.encoding, made.w_bits) == ("twos_complement", 3)
    assert made.groups < 12
    assert merged(integer, config).layers[0] is integer.layers[0]


def test_layers_with_a_trunk_keep_their_groups(rng):
    kept = 0
    while not kept:
        integer = lower(
            random_network(
                int(rng.integers(1 << 31)), residual=True, encodings=("unsigned",), max_macs=20_000
            )
        )
        made = merged(integer, fit(integer, lanes=64, rows=16))
        for layer, given in zip(made.layers, integer.layers, strict=True):
            if given.rescale is not None:
                assert layer is given
                kept += given.groups > 1


@pytest.mark.parametrize("name", ["weight_depth", "patch_depth"])
def test_depths_that_are_given_suffice(name, rng):
    """Fewer groups are merged where memories are smaller, and no engine is refused for merging."""
    # The reader binds layers of 1 bit: longer runs pay, although they make more words.
    integer = separable(rng, groups=16, inner=3, outputs=4, size=1, w_bits=1, a_bits=1)
    sizes = {"lanes": 32, "rows": 4, "fetch_bits": 8, "plane_groups": 1, "quant": 1}
    free = fit(integer, **sizes)
    unmerged = needs(integer, free, schedule(integer, free))[name].least
    counts = []
    for depth in range(getattr(free, name), unmerged - 1, -1):
        config = fit(integer, **sizes, **{name: depth})
        assert getattr(config, name) == depth
        compiled = compile_network(integer, config)
        counts.append(compiled.layers[1].merged_groups)
        # What an engine is sized for is what it then runs.
        limits = {*sizes, name}
        assert counts[-1] == 16 // groups_of(integer, config, limits)[1]
    print(name, counts)
    assert counts == sorted(counts, reverse=True) and len(set(counts)) > 1
    with pytest.raises(InputError, match=f"accepted: {name} of at least"):
        compile_network(integer, free.replace(**{name: unmerged // 2}))


def test_an_engine_runs_what_it_was_sized_for(rng):
    """All depths are limits then, and the same groups are merged."""
    for _ in range(10):
        integer = separable(
            rng,
            str(rng.choice(["unsigned", "bipolar"])),
            inner=int(rng.integers(1, 4)),
            outputs=int(rng.integers(1, 4)),
            w_bits=int(rng.integers(1, 4)),
        )
        sizes = {
            "lanes": int(rng.integers(8, 70)),
            "rows": int(rng.integers(4, 20)),
            "encoding": "any",
            "w_bits": 4,
            "weights": str(rng.choice(["onchip", "stream"])),
        }
        config = fit(integer, **sizes)
        assert groups_of(integer, config) == groups_of(integer, config, sizes)
        compile_network(integer, config)


# Layer, engine, and what becomes of the 12 or 16 groups: how many are one, and in how many passes.
CASES = {
    "depthwise": ({}, {"lanes": 32, "rows": 16}, (12, 1)),
    "depthwise of 4 bits": ({"w_bits": 4, "a_bits": 4, "groups": 16}, {"lanes": 36, "rows": 6}, (4, 1)),
    "columns": ({}, {"lanes": 64, "rows": 8, "cols": 3}, (12, 1)),
    "grouped": (
        {"inner": 3, "outputs": 2, "encoding": "unsigned"},
        {"lanes": 33, "rows": 5, "cols": 2},
        (4, 1),
    ),
    "bipolar": (
        {"encoding": "bipolar", "w_bits": 1},
        {"lanes": 40, "rows": 12, "encoding": "any", "w_bits": 2},
        (12, 1),
    ),
    "streamed": ({"outputs": 2}, {"lanes": 32, "rows": 4, "weights": "stream"}, (3, 1)),
    "wide port": ({"inner": 2}, {"lanes": 40, "rows": 16, "weights": "stream", "port_bytes": 8}, (12, 1)),
    "blocks": (
        {"groups": 16, "w_bits": 4, "size": 2, "image": 64},
        {"lanes": 16, "rows": 4, "weights": "stream", "weight_depth": 48},
        (4, 2),
    ),
    "engines": ({"w_bits": 4}, {"lanes": 24, "rows": 4, "quant": 2, "engines": 3}, (12, 1)),
    "affine": ({"a_bits": 5}, {"lanes": 32, "rows": 16, "quantizer": "affine"}, (3, 1)),
}


@pytest.mark.parametrize("case", CASES)
def test_on_the_engine(case, rng, seed):
    """Every code, every result and every cycle."""
    fields, sizes, expected = CASES[case]
    integer = separable(rng, **fields)
    config = fit(integer, **sizes)
    compiled = compile_network(integer, config)
    layer = compiled.layers[1]
    assert (layer.merged_groups, len(layer.passes)) == expected
    images = random_images(integer, 2, seed)
    outcome = Bench(compiled, rng).run([beats_of(image, config.port_bytes) for image in images], 2)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


def test_fewer_cycles_than_without(rng):
    """The same engine, told to compute the groups one by one."""
    integer = separable(rng, groups=32, w_bits=4, a_bits=4)
    config = fit(integer, lanes=64, rows=32)
    layer = compile_network(integer, config).layers[1]
    before = predict(integer, schedule(integer, config), config)[1].cycles
    assert layer.merged_groups == 32
    # 32 words of 9 products, or 5 of 64.
    assert 6 * layer.cycles < before
