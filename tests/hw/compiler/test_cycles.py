"""The cycle model: what it must say by construction. Equality with simulation: test_engine."""

import numpy as np
import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool
from dorefa.golden.random.network import random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.cycles import END_TO_START, FETCH, predict
from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.interface.program import words_per_layer
from dorefa.hw.interface.streams import beats_per_address

from ..engine.engine_bench import Bench, beats_of, check_cycles, compare
from ..support import draw_layer, network


def said_of(integer, config):
    """(PassCycles, Pass) of every pass of the program."""
    plan = schedule(integer, config)
    return list(zip(predict(integer, plan, config), plan.passes, strict=True))


def test_order_and_bounds(rng):
    for number in range(15):
        integer = lower(
            random_network(int(rng.integers(1 << 31)), max_macs=20_000, residual=bool(number % 2))
        )
        config = fit(
            integer,
            quantizer="thresholds",
            cols=int(rng.integers(1, 4)),
            rows=int(rng.integers(1, 9)),
            weights=str(rng.choice(["onchip", "stream"])),
        )
        for said, part in said_of(integer, config):
            geometry = part.geometry
            assert said.name == integer.layers[part.layer].name
            work = geometry.patches * geometry.tiles * geometry.tile_cycles
            assert said.bound == geometry.bound == work <= said.computing <= said.cycles
            assert said.bound_by in ("array", "window reader", "drain", "transfer")
            beats = geometry.weight_words * beats_per_address(config)
            assert said.transfer == (beats if config.weights == "stream" else 0)
            if config.weights == "onchip":
                assert said.computing == said.cycles


def chain(rng, channels, *, w_bits, in_bits, **fields):
    body = draw_layer(
        rng,
        "conv",
        (channels, 3, 3, 4),
        w_bits=w_bits,
        a_bits=2,
        padding=(1, 1, 1, 1),
        scale=0.05,
        bias=np.full(channels, 0.4, np.float32),
        **fields,
    )
    return lower(
        network(
            (4, 4, 4),
            in_bits,
            body,
            draw_layer(rng, "fc", (3, 1, 1, 16 * channels), a_bits=None, kind="fc"),
        )
    )


CASES = {
    # 36 products in 2 words, 8 x 4 plane pairs: 64 steps per patch of 6 copies.
    "array": (
        {"channels": 4, "w_bits": 8, "in_bits": 4},
        {"lanes": 18, "rows": 4, "quant": 4, "fetch_bits": 8},
    ),
    # Two steps per patch, copied for two columns.
    "window reader": (
        {"channels": 4, "w_bits": 1, "in_bits": 1},
        {"lanes": 18, "rows": 4, "cols": 2, "quant": 4, "fetch_bits": 8},
    ),
    # One column after another would take 12.
    "window reader, shared": (
        {"channels": 4, "w_bits": 1, "in_bits": 1},
        {"lanes": 24, "rows": 4, "cols": 2, "quant": 4, "fetch_bits": 8, "column_reads": "shared"},
    ),
    # Sixteen accumulators of each column leave one by one.
    "drain": (
        {"channels": 16, "w_bits": 1, "in_bits": 1},
        {"lanes": 36, "rows": 16, "cols": 2, "quant": 1, "fetch_bits": 32},
    ),
}


@pytest.mark.parametrize("bound_by", CASES)
def test_what_binds(bound_by, rng):
    """In a long layer the cycles of a patch are those of the slowest part, and simulated so."""
    layer_fields, sizes = CASES[bound_by]
    integer = chain(rng, **layer_fields)
    config = fit(integer, **sizes)
    said, part = said_of(integer, config)[0]
    bound_by = bound_by.removesuffix(", shared")
    assert said.bound_by == bound_by
    geometry = part.geometry
    # Two columns of a line of four: sets do not wrap.
    assert config.cols == 1 or geometry.computed[1] % config.cols == 0
    steady = {
        "array": geometry.tile_cycles * geometry.tiles,
        "window reader": geometry.set_steps(0)[0],
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


def packet_of_40(rng, *, quant, w_bits, encoding):
    """11 classes of 40 images, compiled for an engine of 8 rows with wide results."""
    layer = draw_layer(rng, "fc", (11, 1, 1, 16), w_bits=w_bits, a_bits=None, kind="fc")
    integer = lower(network((1, 1, 16), 1, layer))
    sizes = {"lanes": 8, "rows": 8, "quant": quant, "fetch_bits": 8, "encoding": encoding}
    return compile_network(integer, fit(integer, batch=40, results="wide", **sizes))


@pytest.mark.parametrize(
    "quant, w_bits, bound_by, each",
    # Tiles of 8 and 3 rows, 2 words each.
    [(1, 1, "drain", 11), (2, 1, "drain", 6), (4, 1, "array", 4), (3, 4, "array", 16)],
)
@pytest.mark.parametrize("encoding", ["bipolar", "any"])
def test_what_binds_wide_results(quant, w_bits, bound_by, each, encoding, rng):
    """A packet of 40 images shows how fast they leave; `each`: cycles an image."""
    compiled = packet_of_40(rng, quant=quant, w_bits=w_bits, encoding=encoding)
    said = compiled.layers[0]
    assert said.bound_by == bound_by
    assert 0 < said.cycles - 40 * each < 30
    images = rng.integers(0, 2, (2, 1, 40, 16)).astype(np.uint8)
    bench = Bench(compiled, rng)
    outcome = bench.run([beats_of(image, 1) for image in images], 2)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


@pytest.mark.parametrize("encoding", ["bipolar", "any"])
def test_wide_results_whose_port_stalls(encoding, rng):
    """The queue is full most of the time, and the array waits."""
    compiled = packet_of_40(rng, quant=2, w_bits=1, encoding=encoding)
    images = rng.integers(0, 2, (1, 1, 40, 16)).astype(np.uint8)
    outcome = Bench(compiled, rng, stalls=0.7).run([beats_of(images[0], 1)], 1)
    compare(compiled, images, outcome)
    assert outcome.cycles[0][-1] > 2 * compiled.layers[0].cycles


@pytest.mark.parametrize("cols", [1, 2, 3])
@pytest.mark.parametrize("slots", [2, 8])
def test_last_codes_at_every_place_of_a_word(cols, slots, rng):
    """The final flush costs a cycle only where the last codes begin another word."""
    flushed = set()
    for channels in (3, 5, 6):
        body = draw_layer(
            rng,
            "conv",
            (channels, 1, 1, 3),
            scale=0.4,
            bias=np.full(channels, 0.4, np.float32),
            pool=Pool(kind="max", kernel=(1, 2), stride=(1, 1)),
        )
        outputs = 3 * 2 * channels
        last = draw_layer(rng, "fc", (2, 1, 1, outputs), a_bits=None, kind="fc")
        integer = lower(network((3, 3, 3), 2, body, last))
        config = fit(integer, lanes=11, rows=4, cols=cols, quant=4, fetch_bits=8, patch_slots=slots)
        geometry = PassGeometry.of(integer.layers[0], config)
        count = geometry.last_rows
        flushed.add((outputs - count) % 8 + count > 8)
        compiled = compile_network(integer, config)
        images = rng.integers(0, 4, (1, 3, 3, 3)).astype(np.uint8)
        outcome = Bench(compiled, rng).run([beats_of(images[0], 1)], 1)
        compare(compiled, images, outcome)
        check_cycles(compiled, outcome)
    assert flushed == {True, False}


def test_descriptor_is_fetched_meanwhile(rng):
    """One word per cycle while the layer before runs: the next layer waits only for the longest
    descriptors behind the shortest layers."""
    behind = {}
    for bits in (1, 8):
        only = draw_layer(rng, "conv", (1, 1, 1, 1), w_bits=bits, a_bits=1)
        last = draw_layer(rng, "fc", (1, 1, 1, 1), a_bits=None, kind="fc")
        integer = lower(network((1, 1, 1), 1, only, last))
        config = fit(integer, lanes=8, rows=1, w_bits=8)
        # Addresses as wide as they get; too large to simulate.
        largest = config.replace(
            feature_depth=1 << 22, weight_depth=1 << 20, trunk_bits=16, trunk_depth=1 << 20, pool_slots=8
        )
        behind[bits] = [said_of(integer, made)[1][0].cycles for made in (config, largest)]
        compiled = compile_network(integer, config)
        check_cycles(compiled, Bench(compiled, rng).run([beats_of([1], 1)], 1))
    assert behind[1][0] == behind[8][0]
    assert behind[1][1] > behind[8][1]


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"cols": 2, "rows": 3},
        {"weights": "stream", "port_bytes": 4},
        {"engines": 2, "quant": 2},
    ],
    ids=str,
)
def test_descriptor_is_fetched_in_between(sizes, rng):
    """Without prefetch every pass but the first starts as much later as its descriptor takes."""
    integer = chain(rng, 8, w_bits=2, in_bits=2)
    ahead = fit(integer, **({"lanes": 8, "rows": 4, "fetch_bits": 8} | sizes))
    config = ahead.replace(prefetch=0)
    wait = words_per_layer(config) + FETCH - END_TO_START
    first, *others = [
        late.cycles - early.cycles
        for (late, _), (early, _) in zip(said_of(integer, config), said_of(integer, ahead), strict=True)
    ]
    assert first == 0 and others == [wait] * len(others) and others
    compiled = compile_network(integer, config)
    images = rng.integers(0, 4, (2, 4, 4, 4)).astype(np.uint8)
    outcome = Bench(compiled, rng).run([beats_of(image, config.port_bytes) for image in images], 2)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


def streamed(rng, **sizes):
    """Three layers of one pixel, the second of 8-bit weights, which stream in."""
    common = {"scale": 0.1, "bias": np.full(8, 0.4, np.float32)}
    body = draw_layer(rng, "conv", (8, 1, 1, 8), a_bits=2, **common)
    wide = draw_layer(rng, "wide", (8, 1, 1, 8), w_bits=8, a_bits=2, **common)
    last = draw_layer(rng, "fc", (5, 1, 1, 8), a_bits=None, kind="fc")
    integer = lower(network((1, 1, 8), 2, body, wide, last))
    return integer, fit(integer, lanes=8, quant=4, weights="stream", **sizes)


@pytest.mark.parametrize(
    "sizes, bound_by, waits",
    [
        # A tile per pass: what surrounds the computing hides a transfer that takes longer than it.
        ({"rows": 4}, "transfer", False),
        ({"rows": 8}, "transfer", True),
        ({"rows": 4, "weight_depth": 64}, "transfer", True),
        ({"rows": 4, "port_bytes": 8}, "array", False),
        ({"rows": 4, "engines": 2, "port_bytes": 4}, "array", False),
    ],
    ids=str,
)
def test_weights_that_stream(sizes, bound_by, waits, rng):
    """Where the port is slow a pass waits for its packet; a wide one is hidden behind computing."""
    integer, config = streamed(rng, **sizes)
    said = said_of(integer, config)
    compiled = compile_network(integer, config)
    images = rng.integers(0, 4, (2, 1, 1, 8)).astype(np.uint8)
    packets = [beats_of(image, config.port_bytes) for image in images]
    outcome = Bench(compiled, rng).run(packets, 2)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)
    wide = [cost for cost, part in said if part.layer == 1]
    assert all(cost.bound_by == bound_by for cost in wide)
    assert (sum(cost.cycles for cost in wide) > sum(cost.computing for cost in wide)) == waits
