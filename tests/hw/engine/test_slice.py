"""Several engines in lock-step, and their weights from a stream: directed cases."""

import numpy as np
import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool, Rescale
from dorefa.golden.random.network import random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.packets import weight_packet
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.interface.registers import REGISTERS
from dorefa.hw.interface.streams import beats_per_address
from dorefa.sim.amaranth.trunk_memory import TrunkMemory

from ..support import draw_layer, network
from .engine_bench import Bench, beats_of, check_cycles, compare
from .guarded import with_trunks
from .training.job_bench import JobBench
from .training.job_scenarios import ENGINE, draw, inference_is_right, job, sums_are_right


def draw_network(rng, *engines):
    """A residual network and its configuration on engines of these sizes, which all can run it."""
    while True:
        integer = lower(
            random_network(
                int(rng.integers(1 << 31)),
                max_macs=20_000,
                max_size=4,
                max_channels=16,
                residual=True,
                a_bits=2,
                w_bits=1,
                conv_layers=2,
            )
        )
        configs = [fit(integer, **sizes) for sizes in engines]
        if not any(find_problems(integer, config) for config in configs):
            return integer, configs


def run(compiled, images, rng, **options):
    bench = Bench(compiled, rng, **options)
    outcome = bench.run([beats_of(image, compiled.config.port_bytes) for image in images], len(images))
    compare(compiled, images, outcome)
    return outcome


@pytest.mark.parametrize("engines", [2, 3, 4])
@pytest.mark.parametrize("cols", [1, 2])
def test_engines_are_one_wider_engine(engines, cols, rng):
    """E engines against one of E x rows and E x quant channels: same passes, same cycles, same results."""
    common = {"lanes": 16, "cols": cols, "fetch_bits": 16}
    integer, configs = draw_network(
        rng,
        {"engines": engines, "rows": 4, "quant": 2} | common,
        {"rows": 4 * engines, "quant": 2 * engines} | common,
    )
    images = random_images(integer, 1, 3)
    made = [compile_network(integer, config) for config in configs]
    assert [layer.cycles for layer in made[0].layers] == [layer.cycles for layer in made[1].layers]
    assert made[0].memories["params"] == made[1].memories["params"]
    assert made[0].memories["program"] == made[1].memories["program"]
    outcomes = [run(compiled, images, rng) for compiled in made]
    assert outcomes[0].results == outcomes[1].results
    assert outcomes[0].cycles == outcomes[1].cycles
    check_cycles(made[0], outcomes[0])


@pytest.mark.parametrize("engines", [2, 3])
def test_parameters_reach_their_engine(engines, rng):
    """Loaded through the host port into memories full of noise."""
    sizes = {"lanes": 16, "rows": 2, "quant": 1, "fetch_bits": 16, "engines": engines}
    integer, (config,) = draw_network(rng, sizes)
    run(compile_network(integer, config), random_images(integer, 1, 4), rng, preload=False)


def streamed(rng, **sizes):
    """Two layers of two and one passes, on a 4x4 image of 3-bit codes."""
    body = draw_layer(
        rng,
        "conv",
        (12, 3, 3, 2),
        w_bits=2,
        a_bits=2,
        padding=(1, 1, 1, 1),
        stride=(2, 2),
        scale=0.3,
        bias=np.full(12, 0.4, np.float32),
    )
    last = draw_layer(rng, "fc", (3, 1, 1, 48), a_bits=None, kind="fc")
    integer = lower(network((4, 4, 2), 3, body, last))
    sizes = {"lanes": 16, "rows": 4, "quant": 2, "fetch_bits": 8, "port_bytes": 3} | sizes
    config = fit(integer, weights="stream", **sizes)
    compiled = compile_network(integer, config)
    assert [len(layer.passes) for layer in compiled.layers] == [2, 1]
    return compiled


@pytest.mark.parametrize("change", ["short", "long", "partial"])
def test_wrong_weights(change, rng):
    """A packet of another length raises the status bit; results of the images after it are right. Without
    checks: where there are some, the image ends with an error (tests/sim/test_faults.py)."""
    compiled = streamed(rng, weight_depth=16, checks="none")
    config = compiled.config
    right = [weight_packet(words, config) for words in compiled.weight_packets]
    address = beats_per_address(config) * config.port_bytes
    wrong = list(right)
    number = int(rng.integers(len(right)))
    if change == "short":
        wrong[number] = right[number][:-address]
    elif change == "long":
        wrong[number] = right[number] + bytes(address)
    else:
        wrong[number] = right[number][: -config.port_bytes]
    assert wrong[number]
    images = random_images(compiled.network, 3, 5)
    bench = Bench(compiled, rng, packets_of=lambda image: wrong if image == 1 else right)
    outcome = bench.run([beats_of(image, config.port_bytes) for image in images], 3)
    assert outcome.wrong_weights and not outcome.dropped
    for kept in (outcome.results, outcome.values):
        del kept[1]
    compare(compiled, images[[0, 2]], outcome)


@pytest.mark.parametrize("engines, rows, by_host", [(1, 4, False), (2, 2, False), (1, 4, True)])
def test_reset_while_weights_come_in(engines, rows, by_host, rng):
    """In the middle of a packet and of a pass: the next image, with all its packets, is right. By the host in
    an engine without checks, whose weights do not say of which pass they are."""
    checks = "none" if by_host else "full"
    compiled = streamed(rng, weight_depth=16, engines=engines, rows=rows, checks=checks)
    packets = [weight_packet(words, compiled.config) for words in compiled.weight_packets]
    images = random_images(compiled.network, 1, 6)
    bench = Bench(compiled, rng)
    engine = bench.engine

    async def before(ctx):
        for stop in (1, 7, 40):
            await bench.send(ctx, beats_of(images[0], 3))
            ctx.set(engine.weights.payload, {"data": int.from_bytes(packets[0][:3], "little"), "last": 0})
            ctx.set(engine.weights.valid, 1)
            await ctx.tick().repeat(stop)
            ctx.set(engine.weights.valid, 0)
            if by_host:
                ctx.set(engine.host.addr, REGISTERS["control"].address)
                ctx.set(engine.host.w_en, 1)
                for word in (3, 1):
                    ctx.set(engine.host.w_data, word)
                    await ctx.tick().repeat(10)
                ctx.set(engine.host.w_en, 0)
            else:
                ctx.set(bench.reset, 1)
                await ctx.tick()
                ctx.set(bench.reset, 0)
            assert not ctx.get(engine.weights.ready) and not ctx.get(engine.status.busy)

    outcome = bench.run([beats_of(images[0], 3)], 1, before)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)
    assert not outcome.wrong_weights


STAIRCASES = {
    "streamed trunks": ("max", {"trunks": "stream", "results": "wide", "engines": 2}),
    "sums of accumulators": ("average", {"cols": 3}),
    "sums of codes": ("average_codes", {"cols": 2}),
}


@pytest.mark.parametrize("name", STAIRCASES)
def test_all_that_is_between_accumulators_and_codes(name, rng):
    """A layer that only leaves a trunk, one that adds it and is pooled, and results."""
    kind, sizes = STAIRCASES[name]
    rescale = Rescale(
        m=rng.integers(-9, 10, 4), b=rng.integers(-50, 50, 4), f=3, scale=np.float32(0.125), bits=12
    )
    first = draw_layer(rng, "first", (4, 1, 1, 2), a_bits=None, rescale=rescale)
    second = draw_layer(
        rng,
        "second",
        (4, 1, 1, 2),
        source="input",
        add="first",
        a_bits=2,
        rescale=rescale,
        pool=Pool(kind=kind, kernel=(2, 2), stride=(2, 2)),
    )
    last = draw_layer(rng, "fc", (3, 1, 1, 16), kind="fc", a_bits=None)
    integer = lower(network((4, 4, 2), 2, first, second, last))
    config = fit(integer, lanes=16, rows=4, quant=2, fetch_bits=16, **sizes)
    compiled = compile_network(integer, config)
    check_cycles(compiled, run(compiled, random_images(integer, 2, 3), rng))


def test_results_of_jobs_have_no_offsets(rng):
    """Whatever the parameters are; those of inference have."""

    async def scenario(ctx, bench):
        await sums_are_right(ctx, bench, job(), draw(rng, job(), 1), hold=1)
        await inference_is_right(ctx, bench, rng)

    JobBench(ENGINE, rng).run(scenario)


def test_a_tile_that_waits_for_a_trunk_that_has_ended(rng):
    """It says so, and no time has to be out."""

    class Short(TrunkMemory):
        async def send(self, ctx, packet, number):
            await super().send(ctx, packet[:-3], number)

    guarded = with_trunks(rng, Short)

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        assert (await guarded.answer(ctx))[1]
        assert await guarded.told(ctx, "wrong_trunks")

    guarded.run(testbench)
