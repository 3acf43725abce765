"""Whole networks on the engine: bit-exact results and maps, predicted cycles, misuse."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool
from dorefa.golden.random.network import random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.engine import Engine
from dorefa.hw.interface.registers import REGISTERS
from dorefa.sim.job.beats import Beat

from ...proofs import inner
from ..support import draw_layer, network, simulate
from .engine_bench import Bench, beats_of, check_cycles, compare

ENCODINGS = (
    ("bipolar",),
    ("bipolar",),
    ("twos_complement",),
    ("unsigned",),
    ("unsigned", "twos_complement"),
    ("bipolar", "twos_complement", "unsigned"),
)


def draw_sizes(rng):
    """Random engine parameters."""
    rows = int(rng.integers(1, 13))
    lanes = int(rng.integers(8, 65))
    engines = int(rng.choice([1, 1, 1, 2, 3, 4]))
    sizes = {
        "lanes": lanes,
        "rows": rows,
        "cols": int(rng.integers(1, 5)),
        "engines": engines,
        "structure": str(rng.choice(["compress", "sum"])),
        "pipeline": str(rng.choice(["none", "level"])),
        "quantizer": str(rng.choice(["thresholds", "thresholds", "affine"])),
        "weights": str(rng.choice(["onchip", "stream"])),
        "port_bytes": int(rng.choice([1, 1, 2, 3, 8])),
        "patch_slots": int(rng.choice([2, 2, 4, 8])),
        "results": str(rng.choice(["single", "wide"])),
    }
    if rng.random() < 0.5:
        quants = [n for n in range(1, min(rows, 8 // engines) + 1) if engines == 1 or rows % n == 0]
        sizes["quant"] = int(rng.choice(quants))
    if rng.random() < 0.5:
        sizes["fetch_bits"] = int(rng.choice([n for n in (8, 16, 32, 64) if n <= lanes]))
    if rng.random() < 0.3:
        sizes["encoding"] = "any"
    return sizes


# Most cycles x one-bit products per cycle of a small case.
SIMULATED = 400_000

# Why a random engine may not run a random network.
REFUSALS = (
    "the threshold quantizer",
    "leave in other groups",
    "weight_depth of at least",
    "pooling padding",
    "pooling leaves out",
    "adds no residual trunk",
    "whose trunk streams in",
)


def draw_case(rng, residual=None, small=True, fixed=(), **limits):
    """A random network on a random engine with the parameters `fixed`, compiled, and two images; `small` ones
    simulate in seconds."""
    while True:
        encodings = ENCODINGS[rng.integers(len(ENCODINGS))]
        residual_now = bool(rng.integers(2)) if residual is None else residual
        limits = {"max_macs": 20_000, "max_size": 6, "max_channels": 8} | limits
        drawn = random_network(
            int(rng.integers(1 << 31)),
            encodings=encodings,
            residual=residual_now,
            allow_average=True,
            allow_pool_padding=True,
            **limits,
        )
        integer = lower(drawn)
        sizes = draw_sizes(rng) | dict(fixed)
        print(drawn.name, encodings, sizes)
        try:
            config = fit(integer, **sizes)
            compiled = compile_network(integer, config)
        except InputError as error:
            assert any(reason in str(error) for reason in REFUSALS), error
            continue
        writes = sum(1 for _ in compiled.host_writes())
        if small and (compiled.cycles + writes) * config.binary_ops_per_cycle > SIMULATED:
            continue
        return compiled, random_images(integer, 2, int(rng.integers(1 << 31)))


@pytest.mark.parametrize("case", range(12))
def test_random_networks(case, seed):
    """Preloaded, no stalls: every map, every trunk, every result, every cycle."""
    rng = np.random.default_rng([seed, case])
    compiled, images = draw_case(rng, residual=case % 2 == 1, a_bits=(None, 2, 3)[case % 3])
    bench = Bench(compiled, rng)
    packets = [beats_of(image, compiled.config.port_bytes) for image in images]
    outcome = bench.run(packets, len(images))
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)
    assert not outcome.wrong_weights


@pytest.mark.parametrize("case", range(20, 26))
def test_random_networks_with_stalls(case, seed):
    """Loaded through the host port; gaps, partial beats and stalls at every handshake."""
    rng = np.random.default_rng([seed, case])
    # Few bits, since every threshold is a write.
    compiled, images = draw_case(rng, a_bits=int(rng.integers(1, 5)), conv_layers=2)
    bench = Bench(compiled, rng, gaps=0.3, stalls=0.6, preload=False)
    packets = [beats_of(image, compiled.config.port_bytes, rng) for image in images]
    compare(compiled, images, bench.run(packets, len(images)))


@pytest.mark.parametrize("case", range(30, 38))
def test_columns_that_share_reads(case, seed):
    rng = np.random.default_rng([seed, case])
    fixed = {
        "column_reads": "shared",
        "cols": int(rng.integers(2, 7)),
        "fetch_bits": int(rng.choice([8, 16, 32])),
        "lanes": 32 * int(rng.integers(1, 3)),
    }
    compiled, images = draw_case(rng, residual=case % 2 == 1, fixed=fixed)
    outcome = Bench(compiled, rng).run([beats_of(image, compiled.config.port_bytes) for image in images], 2)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(100, 160))
def test_more_random_networks(case, seed):
    rng = np.random.default_rng([seed, case])
    compiled, images = draw_case(rng, small=False, max_macs=60_000, max_size=12, max_channels=40)
    stalls = case % 2
    bench = Bench(compiled, rng, gaps=0.2 * stalls, stalls=0.5 * stalls, preload=not stalls)
    packets = [beats_of(image, compiled.config.port_bytes, rng if stalls else None) for image in images]
    outcome = bench.run(packets, len(images))
    compare(compiled, images, outcome)
    if not stalls:
        check_cycles(compiled, outcome)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_pixels_of_few_groups_wait_for_pooling(groups, rng):
    """Where a pixel could follow in the next cycle, pooling would not yet know the one before."""
    channels = 2 * groups
    body = draw_layer(
        rng, "conv", (channels, 1, 1, 4), a_bits=2, pool=Pool(kind="max", kernel=(2, 4), stride=(2, 4))
    )
    last = draw_layer(rng, "fc", (3, 1, 1, 8 * channels), a_bits=None, kind="fc")
    integer = lower(network((8, 8, 4), 1, body, last))
    compiled = compile_network(integer, fit(integer, lanes=8, rows=2, quant=2, fetch_bits=8))
    assert compiled.config.cols == 1 and compiled.layers[0].bound == 64 * groups
    images = random_images(integer, 4, int(rng.integers(1 << 31)))
    outcome = Bench(compiled, rng).run([beats_of(image, 1) for image in images], len(images))
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


def small_network(rng, **last):
    """Two layers on a 4x4 image of 3-bit codes."""
    body = draw_layer(
        rng,
        "conv",
        (5, 3, 3, 2),
        a_bits=2,
        padding=(1, 1, 1, 1),
        scale=0.3,
        bias=np.float32([0.5, 0.1, 0.3, 0.7, 0.4]),
        pool=Pool(kind="max", kernel=(2, 2), stride=(2, 2)),
    )
    return lower(network((4, 4, 2), 3, body, draw_layer(rng, "fc", (3, 1, 1, 20), a_bits=None, kind="fc")))


SMALL = {"lanes": 16, "rows": 4, "quant": 2, "fetch_bits": 8, "port_bytes": 3}


def test_wrong_packets(rng):
    """Too short and too long packets are dropped and noted; the next image is right."""
    integer = small_network(rng)
    compiled = compile_network(integer, fit(integer, **SMALL))
    images = random_images(integer, 3, 5)
    packets = []
    for image, length in zip(images, (31, 33, 200), strict=True):
        packets.append(beats_of(image, 3, rng))
        packets.append(beats_of(rng.integers(0, 256, length), 3, rng))
    bench = Bench(compiled, rng, gaps=0.1, stalls=0.2)
    # The last wrong packet lies between the last two images, so that its end is seen.
    packets = [*packets[1:], packets[0]]
    outcome = bench.run(packets, 3)
    compare(compiled, images[[1, 2, 0]], outcome)
    assert outcome.dropped


def test_right_packets_set_no_flag(rng):
    integer = small_network(rng)
    compiled = compile_network(integer, fit(integer, **SMALL))
    images = random_images(integer, 1, 6)
    outcome = Bench(compiled, rng).run([beats_of(images[0], 3)], 1)
    compare(compiled, images, outcome)
    assert not outcome.dropped


@pytest.mark.parametrize("moment", ["image", "layer", "result"])
def test_reset(moment, rng):
    """In the middle of an image, of a layer, and while a result waits: the next image is right."""
    integer = small_network(rng)
    compiled = compile_network(integer, fit(integer, **SMALL))
    images = random_images(integer, 2, 7)
    bench = Bench(compiled, rng)
    engine = bench.engine

    async def before(ctx):
        for _ in range(3):
            beats = beats_of(images[1], 3)
            await bench.send(ctx, beats[:5] if moment == "image" else beats)
            if moment == "layer":
                await ctx.tick().repeat(int(rng.integers(1, compiled.cycles)))
            while moment == "result" and not ctx.get(engine.o.valid):
                await ctx.tick()
            ctx.set(bench.reset, 1)
            await ctx.tick()
            ctx.set(bench.reset, 0)
            assert not ctx.get(engine.o.valid) and not ctx.get(engine.status.busy)

    packets = [beats_of(image, 3) for image in images]
    outcome = bench.run(packets, 2, before)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


@pytest.mark.parametrize(
    "shape, sizes",
    [
        # One row, one lane group, one word per memory: the least engine.
        ((1, 1, 1), {"lanes": 8, "rows": 1, "quant": 1, "fetch_bits": 8}),
        # The image fills its memory words, and the memory, to the last bit.
        ((4, 4, 2), {"lanes": 8, "rows": 2, "quant": 2, "fetch_bits": 8, "port_bytes": 8}),
        ((1, 1, 16), {"lanes": 16, "rows": 2, "fetch_bits": 16, "port_bytes": 4, "cols": 4}),
    ],
)
@pytest.mark.parametrize("encoding", ["bipolar", "any"])
def test_one_layer(shape, sizes, encoding, rng):
    """A fully connected layer alone; its last beat may be empty."""
    size = int(np.prod(shape))
    only = draw_layer(rng, "fc", (3, 1, 1, size), w_bits=2, a_bits=None, kind="fc")
    integer = lower(network(shape, 4, only))
    config = fit(integer, encoding=encoding, **sizes)
    assert (config.out_bits, config.layer_depth) == (1, 1)
    compiled = compile_network(integer, config)
    images = random_images(integer, 2, 8)
    packets = [
        beats_of(images[0], config.port_bytes),
        [*beats_of(images[1], config.port_bytes), Beat(data=0, keep=0, last=True)],
    ]
    packets[1][-2] = packets[1][-2]._replace(last=False)
    outcome = Bench(compiled, rng).run(packets, 2)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


@pytest.mark.parametrize("results", ["single", "wide"])
def test_results_of_64_bits(results, rng):
    """Accumulators of more than 32 bits."""
    integer = small_network(rng)
    compiled = compile_network(integer, fit(integer, acc_bits=40, results=results, **SMALL))
    assert compiled.config.result_bits == 64
    images = random_images(integer, 1, 9)
    outcome = Bench(compiled, rng).run([beats_of(images[0], 3)], 1)
    compare(compiled, images, outcome)


def test_cycles_have_32_bits():
    """An image that takes seconds, of which only the end is simulated."""
    engine = Engine(EngineConfig(lanes=8, rows=1, quant=1, fetch_bits=8))
    seen = inner(engine).inside["_count"]

    async def testbench(ctx):
        ctx.set(seen["running"], 1)
        ctx.set(seen["counter"], (1 << 32) - 9)
        ctx.set(engine.host.addr, REGISTERS["cycles"].address)
        await ctx.tick().repeat(5)
        ctx.set(seen["ended"], 1)
        await ctx.tick().repeat(3)
        assert ctx.get(engine.host.r_data) == (1 << 32) - 4

    simulate(engine, testbench, limit=20)
