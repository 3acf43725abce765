"""The threshold quantizer over whole accumulator ranges."""

import numpy as np
import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.threshold_quantizer import ThresholdQuantizer
from dorefa.hw.interface.parameters import threshold_bits
from dorefa.hw.interface.quantizers import quantizer_of

from ...support import memories_of, simulate

BASE = EngineConfig(lanes=8, rows=2, quant=2, fetch_bits=8, acc_bits=6, out_bits=2, a_bits=8, param_depth=5)


def stage_words(thresholds, config, inverted=False):
    """The words of a channel's memories: a list per stage, as in the module's text."""
    codes = 1 << config.out_bits
    mask = (1 << config.acc_bits) - 1
    stages = []
    for stage in range(config.out_bits):
        step = codes >> (stage + 1)
        stages.append([int(thresholds[(2 * n + 1) * step - 1]) & mask for n in range(1 << stage)])
    stages[0][0] |= int(inverted) << config.acc_bits
    return stages


async def load(ctx, unit, config, channels):
    """Writes channels[param][lane], each a list of stages, through the write port."""
    for param, lanes in enumerate(channels):
        for lane, stages in enumerate(lanes):
            for stage, words in enumerate(stages):
                for n, word in enumerate(words):
                    ctx.set(unit.w_en, 1 << (lane * config.out_bits + stage))
                    ctx.set(unit.w_address, (param << stage) | n)
                    ctx.set(unit.w_data, word)
                    await ctx.tick()
    ctx.set(unit.w_en, 0)


async def stream(ctx, unit, config, inputs, mask):
    """A group of values and its parameters per cycle; returns codes and offsets per group."""
    latency = quantizer_of(config).latency(config)
    ctx.set(unit.code_mask, mask)
    codes, offsets = [], []
    for cycle in range(len(inputs) + latency):
        if cycle < len(inputs):
            values, param = inputs[cycle]
            for lane, value in enumerate(values):
                ctx.set(unit.values[lane], value)
            ctx.set(unit.param, param)
        if cycle >= latency:
            codes.append([ctx.get(code) for code in unit.codes])
        if 2 <= cycle <= len(inputs) + 1:
            offsets.append([ctx.get(offset) for offset in unit.offsets])
        await ctx.tick()
    return codes, offsets


def draw_thresholds(rng, config, used):
    """Nondecreasing thresholds of `used` codes, then ones that nothing reaches."""
    low, high = -(1 << (config.acc_bits - 1)), (1 << (config.acc_bits - 1)) - 1
    drawn = np.sort(rng.integers(low, high + 1, used))
    return [*drawn, *[high] * ((1 << config.out_bits) - 1 - used)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"out_bits": 1},
        {"out_bits": 3, "encoding": "any"},
        {"out_bits": 4, "acc_bits": 7, "encoding": "twos_complement"},
        # One lane, one group of parameters: no address.
        {"quant": 1, "rows": 1, "param_depth": 1, "encoding": "unsigned"},
        {"out_bits": 8, "acc_bits": 10, "param_depth": 2},
    ],
    ids=lambda changes: "-".join(f"{k}{v}" for k, v in changes.items()) or "base",
)
def test_every_value(changes, rng):
    config = BASE.replace(**changes)
    unit = ThresholdQuantizer(config)
    low, high = -(1 << (config.acc_bits - 1)), (1 << (config.acc_bits - 1)) - 1
    used = [
        [int(rng.integers(1, 1 << config.out_bits)) for _ in range(config.quant)]
        for _ in range(config.param_depth)
    ]
    tables = [[draw_thresholds(rng, config, n) for n in lanes] for lanes in used]
    # The greatest value is left out where it stands for a threshold that nothing reaches.
    every = np.arange(low, high)
    inputs = []
    for param in range(config.param_depth):
        shifted = [np.roll(every, 3 * lane) for lane in range(config.quant)]
        inputs += [([int(v) for v in group], param) for group in zip(*shifted, strict=True)]
    inputs = [inputs[n] for n in rng.permutation(len(inputs))]

    async def testbench(ctx):
        await load(ctx, unit, config, [[stage_words(t, config) for t in row] for row in tables])
        codes, offsets = await stream(ctx, unit, config, inputs, (1 << config.out_bits) - 1)
        middle = (1 << (config.out_bits - 1)) - 1
        for (values, param), out, offset in zip(inputs, codes, offsets, strict=True):
            for lane, value in enumerate(values):
                thresholds = np.array(tables[param][lane])
                assert out[lane] == (value >= thresholds).sum(), (value, thresholds)
                assert offset[lane] == thresholds[middle]

    simulate(unit, testbench, limit=40_000)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_inverted_channels(bits, rng):
    """code = n - count, n the layer's largest code, which may be smaller than the engine's; every group of
    parameters inverts other lanes, and none comes twice in a row."""
    config = BASE.replace(out_bits=3, encoding="twos_complement")
    unit = ThresholdQuantizer(config)
    top = (1 << bits) - 1
    thresholds = draw_thresholds(rng, config, top)
    inverted = [(0, 1), (1, 1), (0, 0), (1, 0)]
    channels = [[stage_words(thresholds, config, inverted=one) for one in lanes] for lanes in inverted]
    inputs = [([value, value], value % 4) for value in range(-32, 31)]

    async def testbench(ctx):
        await load(ctx, unit, config, channels)
        codes, _ = await stream(ctx, unit, config, inputs, top)
        for (values, param), out in zip(inputs, codes, strict=True):
            count = (values[0] >= np.array(thresholds[:top])).sum()
            assert out == [top - count if one else count for one in inverted[param]], (values, param)

    simulate(unit, testbench, limit=300)


def test_memories_have_the_names_and_contents_of_their_numbers():
    config = BASE.replace(quant=2, out_bits=3)
    contents = [[number] for number in range(config.quant * config.out_bits)]
    _, memories = memories_of(ThresholdQuantizer(config, init=contents))
    names = [quantizer_of(config).memory_name(number, config) for number in range(len(contents))]
    assert {name: list(memory.init)[0] for name, memory in memories.items()} == {
        name: number for number, name in enumerate(names)
    }


def test_preloaded(rng):
    config = BASE.replace(quant=1)
    thresholds = draw_thresholds(rng, config, 3)
    unit = ThresholdQuantizer(config, init=stage_words(thresholds, config))

    async def testbench(ctx):
        codes, _ = await stream(ctx, unit, config, [([v], 0) for v in range(-32, 31)], 3)
        for value, out in zip(range(-32, 31), codes, strict=True):
            assert out == [(value >= np.array(thresholds)).sum()]

    simulate(unit, testbench, limit=100)


def test_width_of_a_word():
    """The bit that inverts exists only where a channel may need it."""
    assert threshold_bits(BASE) == BASE.acc_bits
    for encoding in ("unsigned", "twos_complement", "any"):
        assert threshold_bits(BASE.replace(encoding=encoding)) == BASE.acc_bits + 1
