"""Residual trunks that stream out and in again: whole networks, queues of every length, misuse."""

import re

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool, Rescale
from dorefa.golden.random.network import random_images
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit
from dorefa.sim.amaranth.trunk_memory import TrunkMemory

from ...support import draw_layer, network
from ..engine_bench import Bench, beats_of, check_cycles, compare
from ..test_engine import draw_case

STREAMS = {"trunks": "stream", "cols": 1}


def shortest(compiled):
    """The same network with the shortest queues that hold a tile."""
    least = (compiled.config.trunk_depth - 32) // 2
    return compile_network(compiled.network, compiled.config.replace(trunk_depth=least))


@pytest.mark.parametrize("case", range(12))
def test_random_networks(case, seed):
    """Ports that never wait: every map, every trunk, every result, every cycle."""
    rng = np.random.default_rng([seed, case])
    compiled, images = draw_case(rng, residual=True, fixed=STREAMS)
    if case % 2:
        compiled = shortest(compiled)
    assert compiled.schedule.trunk_plan[1]
    packets = [beats_of(image, compiled.config.port_bytes) for image in images]
    outcome = Bench(compiled, rng).run(packets, len(images))
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)
    assert not outcome.wrong_trunks


@pytest.mark.parametrize("case", range(20, 26))
def test_random_networks_with_stalls(case, seed):
    rng = np.random.default_rng([seed, case])
    compiled, images = draw_case(rng, residual=True, fixed=STREAMS, a_bits=int(rng.integers(1, 5)))
    if case % 2:
        compiled = shortest(compiled)
    packets = [beats_of(image, compiled.config.port_bytes, rng) for image in images]
    outcome = Bench(compiled, rng, gaps=0.3, stalls=0.6).run(packets, len(images))
    compare(compiled, images, outcome)
    assert not outcome.wrong_trunks


def residual(rng, *, inner=3, pool=None, adds="first"):
    """A trunk of 6 channels on a 5x4 map, to which two layers are added: the second, pooled, to that of the
    layer `adds`. Integers."""

    def rescale():
        m, b = rng.integers(-9, 10, 6), rng.integers(-50, 50, 6)
        return Rescale(m=m, b=b, f=3, scale=np.float32(0.125), bits=12)

    def conv(name, shape, **fields):
        return draw_layer(rng, name, shape, padding=(1, 1, 1, 1) if shape[1] == 3 else (0, 0, 0, 0), **fields)

    first = conv("first", (6, 1, 1, 2), a_bits=None, rescale=rescale())
    second = conv("second", (inner, 3, 3, 2), source="input", a_bits=2)
    third = conv("third", (6, 3, 3, inner), source="second", add="first", a_bits=2, rescale=rescale())
    fourth = conv("fourth", (6, 3, 3, 6), add=adds, a_bits=2, rescale=rescale(), pool=pool)
    pixels = 20 if pool is None else 4
    last = draw_layer(rng, "fc", (3, 1, 1, 6 * pixels), kind="fc", a_bits=None)
    return lower(network((5, 4, 2), 2, first, second, third, fourth, last))


@pytest.mark.parametrize("adds, plan", [("first", ([0], [0, 0])), ("third", ([0, 2], [0, 1]))])
def test_a_packet_comes_back_for_every_layer_that_adds_it(adds, plan, rng):
    """And a sum that is kept is a packet of its own."""
    integer = residual(rng, adds=adds)
    compiled = compile_network(integer, fit(integer, lanes=16, rows=4, quant=2, trunks="stream"))
    assert compiled.schedule.trunk_plan == plan
    packets = {layer.name: (layer.trunk_bytes_in, layer.trunk_bytes_out) for layer in compiled.layers}
    # Twenty pixels of three groups of two integers, 24 bits each.
    each = 20 * 3 * 3
    assert packets == {
        "first": (0, each),
        "second": (0, 0),
        "third": (each, each * len(plan[0][1:])),
        "fourth": (each, 0),
        "fc": (0, 0),
    }
    assert compiled.trunk_stream_bytes == sum(map(len, plan)) * each
    images = random_images(integer, 2, 4)
    outcome = Bench(compiled, rng).run([beats_of(image, 1) for image in images], 2)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


@pytest.mark.parametrize("change", ["long", "last too early"])
def test_wrong_packets(change, rng):
    """A packet of another length raises the status bit; results of the images after it are right. Without
    checks: where there are some, the image ends with an error (tests/sim/test_faults.py)."""
    integer = residual(rng)
    config = fit(integer, lanes=16, rows=4, quant=2, trunks="stream", checks="none")
    compiled = compile_network(integer, config)

    class Wrong(TrunkMemory):
        sent = 0

        async def send(self, ctx, packet, number):
            self.sent += 1
            if self.sent != 3:
                await super().send(ctx, packet, number)
            elif change == "long":
                # So many groups that the next image would not wait for its own.
                await super().send(ctx, packet + bytes(30 * 3), number)
            else:
                await super().send(ctx, packet[:-3], number)
                await super().send(ctx, packet[-3:], number)

    images = random_images(integer, 3, 5)
    bench = Bench(compiled, rng, gaps=0.8, trunk_memory=Wrong)
    outcome = bench.run([beats_of(image, 1) for image in images], 3)
    assert outcome.wrong_trunks and not outcome.wrong_weights
    for kept in (outcome.results, outcome.values):
        del kept[1]
    compare(compiled, images[[0, 2]], outcome)


def test_layers_of_one_trunk_are_cut_alike(rng):
    """The convolution of the trunk fits one pass, those that are added need several."""
    integer = residual(rng, inner=8)
    sizes = {"lanes": 8, "rows": 2, "quant": 1, "weights": "stream", "weight_depth": 36}

    def passes(config):
        plan = schedule(integer, config)
        return {layer.name: len(plan.of_layer(index)) for index, layer in enumerate(integer.layers)}

    assert passes(fit(integer, **sizes)) == {"first": 1, "second": 1, "third": 2, "fourth": 2, "fc": 2}
    config = fit(integer, trunks="stream", **sizes)
    assert passes(config) == {"first": 2, "second": 1, "third": 2, "fourth": 2, "fc": 2}
    assert schedule(integer, config).trunk_sources == (None, None, None, 0, 1, 0, 1, None, None)
    images = random_images(integer, 1, 4)
    compiled = compile_network(integer, config)
    outcome = Bench(compiled, rng).run([beats_of(image, 1) for image in images], 1)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


def test_pixels_that_pooling_leaves_out(rng):
    integer = residual(rng, pool=Pool(kind="max", kernel=(2, 2), stride=(2, 2)))
    sizes = {"lanes": 16, "rows": 4, "quant": 2}
    assert find_problems(integer, fit(integer, **sizes)) == []
    assert find_problems(integer, fit(integer, trunks="stream", **sizes)) == [
        "layer fourth: it adds a trunk that streams in, but pooling leaves out 4 of 20 pixels; accepted: "
        "pooling windows that cover the map, or trunks onchip"
    ]


def test_queues_that_do_not_hold_a_tile(rng):
    integer = residual(rng)
    config = fit(integer, lanes=16, rows=6, quant=1, trunks="stream")
    assert config.trunk_depth == 2 * 6 + 32
    assert find_problems(integer, config.replace(trunk_depth=6)) == []
    assert find_problems(integer, config.replace(trunk_depth=5)) == [
        "layer first: queues of streamed trunks: it needs 6 channel groups of a tile, the engine has "
        "trunk_depth = 5, 1 too few; accepted: trunk_depth of at least 6"
    ]


def test_a_network_without_additions(rng):
    chain = lower(network((2, 2, 2), 2, draw_layer(rng, "fc", (3, 1, 1, 8), kind="fc", a_bits=None)))
    message = "trunks is 'stream'; accepted: 'onchip', because the network adds no residual trunk"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit(chain, trunks="stream")
