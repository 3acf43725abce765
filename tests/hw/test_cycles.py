"""The cycle model: what it must say by construction. Equality with simulation: test_engine."""

import numpy as np
import pytest

from dorefa.golden.lowering import lower
from dorefa.golden.network import Pool
from dorefa.golden.random_network import random_network
from dorefa.hw import program
from dorefa.hw.compiler import compile_network
from dorefa.hw.cycles import predict
from dorefa.hw.geometry import LayerGeometry
from dorefa.hw.sizing import fit

from .engine_bench import Bench, beats_of, check_cycles, compare
from .support import draw_layer, network


def test_order_and_bounds(rng):
    for _ in range(15):
        integer = lower(random_network(int(rng.integers(1 << 31)), max_macs=20_000))
        config = fit(
            integer, quantizer="thresholds", cols=int(rng.integers(1, 4)),
            rows=int(rng.integers(1, 9)),
        )  # fmt: skip
        predicted = predict(integer.layers, config)
        assert [layer.name for layer in predicted] == [layer.name for layer in integer.layers]
        for said, layer in zip(predicted, integer.layers, strict=True):
            geometry = LayerGeometry.of(layer, config)
            work = geometry.patches * geometry.tiles * geometry.tile_cycles
            assert said.bound == geometry.bound <= work <= said.cycles
            assert said.bound_by in ("array", "window reader", "drain")


def chain(rng, channels, *, w_bits, in_bits, **fields):
    body = draw_layer(
        rng, "conv", (channels, 3, 3, 4), w_bits=w_bits, a_bits=2, padding=(1, 1, 1, 1), scale=0.05,
        bias=np.full(channels, 0.4, np.float32), **fields,
    )  # fmt: skip
    return lower(
        network(
            (4, 4, 4), in_bits, body,
            draw_layer(rng, "fc", (3, 1, 1, 16 * channels), a_bits=None, kind="fc"),
        )
    )  # fmt: skip


CASES = {
    # 36 products in 2 words, 8 x 4 plane pairs: 64 steps per patch of 6 copies.
    "array": ({"channels": 4, "w_bits": 8, "in_bits": 4},
              {"lanes": 18, "rows": 4, "quant": 4, "fetch_bits": 8}),
    # Two steps per patch, copied for two columns.
    "window reader": ({"channels": 4, "w_bits": 1, "in_bits": 1},
                      {"lanes": 18, "rows": 4, "cols": 2, "quant": 4, "fetch_bits": 8}),
    # Sixteen accumulators of each column leave one by one.
    "drain": ({"channels": 16, "w_bits": 1, "in_bits": 1},
              {"lanes": 36, "rows": 16, "cols": 2, "quant": 1, "fetch_bits": 32}),
}  # fmt: skip


@pytest.mark.parametrize("bound_by", CASES)
def test_what_binds(bound_by, rng):
    """In a long layer the cycles of a patch are those of the slowest part, and simulated so."""
    layer_fields, sizes = CASES[bound_by]
    integer = chain(rng, **layer_fields)
    config = fit(integer, **sizes)
    said = predict(integer.layers, config)[0]
    assert said.bound_by == bound_by
    geometry = LayerGeometry.of(integer.layers[0], config)
    steady = {
        "array": geometry.tile_cycles * geometry.tiles,
        "window reader": config.cols * geometry.copy_steps[0],
        "drain": config.cols * geometry.pixel_groups,
    }
    assert steady[bound_by] == max(steady.values())
    # What is left is filling and emptying the pipeline once.
    overhead = said.cycles - geometry.patches * steady[bound_by]
    assert 0 < overhead < 120
    compiled = compile_network(integer, config)
    images = rng.integers(0, 1 << layer_fields["in_bits"], (1, 4, 4, 4)).astype(np.uint8)
    outcome = Bench(compiled, rng).run([beats_of(images[0], 1)], 1)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


@pytest.mark.parametrize("cols", [1, 2, 3])
@pytest.mark.parametrize("slots", [2, 8])
def test_last_codes_at_every_place_of_a_word(cols, slots, rng):
    """The final flush costs a cycle only where the last codes begin another word."""
    flushed = set()
    for channels in (3, 5, 6):
        body = draw_layer(
            rng, "conv", (channels, 1, 1, 3), scale=0.4,
            bias=np.full(channels, 0.4, np.float32),
            pool=Pool(kind="max", kernel=(1, 2), stride=(1, 1)),
        )  # fmt: skip
        outputs = 3 * 2 * channels
        last = draw_layer(rng, "fc", (2, 1, 1, outputs), a_bits=None, kind="fc")
        integer = lower(network((3, 3, 3), 2, body, last))
        config = fit(
            integer, lanes=11, rows=4, cols=cols, quant=4, fetch_bits=8, patch_slots=slots
        )
        geometry = LayerGeometry.of(integer.layers[0], config)
        count = geometry.last_rows
        flushed.add((outputs - count) % 8 + count > 8)
        compiled = compile_network(integer, config)
        images = rng.integers(0, 4, (1, 3, 3, 3)).astype(np.uint8)
        outcome = Bench(compiled, rng).run([beats_of(images[0], 1)], 1)
        compare(compiled, images, outcome)
        check_cycles(compiled, outcome)
    assert flushed == {True, False}


def test_descriptor_is_counted(rng):
    """Every layer but the first waits for its descriptor, one word per cycle."""
    only = draw_layer(rng, "conv", (1, 1, 1, 1), a_bits=1)
    last = draw_layer(rng, "fc", (1, 1, 1, 1), a_bits=None, kind="fc")
    integer = lower(network((1, 1, 1), 1, only, last))
    config = fit(integer, lanes=8, rows=1)
    first, second = predict(integer.layers, config)
    assert second.cycles > program.words_per_layer(config) > 0
    assert first.cycles < second.cycles
