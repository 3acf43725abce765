"""The affine quantizer: any parameters, ties, inverted channels, and forms of real staircases."""

import numpy as np
import pytest

from dorefa.golden.lowering.affine_form import affine_form
from dorefa.golden.lowering.lower import lower
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.affine_quantizer import AffineQuantizer
from dorefa.hw.interface.parameters import affine_layout

from ...support import draw_layer, network, simulate
from .test_threshold_quantizer import stream

BASE = EngineConfig(
    lanes=8,
    rows=2,
    quant=2,
    fetch_bits=8,
    acc_bits=8,
    out_bits=3,
    a_bits=3,
    param_depth=4,
    quantizer="affine",
    mul_bits=5,
    bias_bits=12,
    shift_bits=3,
    encoding="any",
)


def word(config, parameters):
    return affine_layout(config).const(parameters).as_value().value


def reference(value, parameters, mask):
    total = parameters["m"] * value + parameters["b"]
    result = total >> parameters["f"]
    exact = total == result << parameters["f"]
    result -= int(parameters["tie"] and exact and result % 2 == 1)
    code = min(max(result, 0), mask)
    return mask - code if parameters["invert"] else code


def draw_parameters(rng, config):
    limit = 1 << (config.bias_bits - 1)
    near = min(limit, 64)
    ends = [-limit, limit - 1, *(int(rng.integers(-end, end)) for end in (near, limit))]
    return {
        "m": int(rng.integers(0, 1 << config.mul_bits)),
        "b": ends[rng.integers(4)],
        "f": int(rng.integers(0, 1 << config.shift_bits)),
        "tie": int(rng.integers(2)),
        "invert": int(rng.integers(2)),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"out_bits": 1, "a_bits": 1},
        # Shifts of one bit only, multipliers of one, offsets of two.
        {"shift_bits": 1, "mul_bits": 1, "bias_bits": 2},
        {"quant": 1, "rows": 1, "param_depth": 1},
        # Offsets wider than the product.
        {"bias_bits": 40, "shift_bits": 6, "out_bits": 8, "a_bits": 8},
    ],
    ids=lambda changes: "-".join(f"{k}{v}" for k, v in changes.items()) or "base",
)
@pytest.mark.parametrize("round_", range(2))
def test_every_value(changes, round_, seed):
    """Every value with every group of parameters, other ones in every cycle."""
    rng = np.random.default_rng([seed, round_])
    config = BASE.replace(**changes)
    channels = [
        [draw_parameters(rng, config) for _ in range(config.quant)] for _ in range(config.param_depth)
    ]
    run_channels(config, channels, int(rng.integers(1, 1 << config.out_bits)), rng)


@pytest.mark.parametrize("changes", [{}, {"bias_bits": 40}], ids=["base", "wide"])
def test_the_greatest_sums(changes, rng):
    """Greatest multipliers and offsets of both signs, not shifted: no sum wraps."""
    config = BASE.replace(**changes)
    m, limit = (1 << config.mul_bits) - 1, 1 << (config.bias_bits - 1)
    ends = [{"m": m, "b": b, "f": 0, "tie": 1, "invert": 0} for b in (-limit, limit - 1)]
    run_channels(config, [ends, ends[::-1]] * 2, 7, rng)


def run_channels(config, channels, mask, rng):
    """Compares the codes of every value, in random order; channels: parameters per group and lane."""
    unit = AffineQuantizer(config)
    half = 1 << (config.acc_bits - 1)
    inputs = [
        ([value] * config.quant, param) for param in range(config.param_depth) for value in range(-half, half)
    ]
    inputs = [inputs[n] for n in rng.permutation(len(inputs))]

    async def testbench(ctx):
        for param, lanes in enumerate(channels):
            for lane, parameters in enumerate(lanes):
                ctx.set(unit.w_en, 1 << lane)
                ctx.set(unit.w_address, param)
                ctx.set(unit.w_data, word(config, parameters))
                await ctx.tick()
        ctx.set(unit.w_en, 0)
        codes, offsets = await stream(ctx, unit, config, inputs, mask)
        for (values, param), out, offset in zip(inputs, codes, offsets, strict=True):
            for lane, value in enumerate(values):
                parameters = channels[param][lane]
                assert out[lane] == reference(value, parameters, mask), (value, parameters)
                # A raw result's offset fits the accumulator; others are never used.
                if -half <= parameters["b"] < half:
                    assert offset[lane] == parameters["b"]

    simulate(unit, testbench, limit=2000)


def run_layer(integer, config):
    """Codes of one channel-per-lane layer over its whole accumulator range."""
    form = affine_form(integer, config.mul_bits)
    parameters = [
        {
            "m": int(form.m[c]),
            "b": int(form.b[c]),
            "f": int(form.f[c]),
            "tie": int(form.tie[c]),
            "invert": int(integer.inverted[c]),
        }
        for c in range(config.quant)
    ]
    unit = AffineQuantizer(config, init=[[word(config, p)] for p in parameters])
    values = range(integer.acc_min, integer.acc_max + 1)
    inputs = [([value] * config.quant, 0) for value in values]
    top = (1 << integer.out_bits) - 1

    async def testbench(ctx):
        codes, _ = await stream(ctx, unit, config, inputs, top)
        for value, out in zip(values, codes, strict=True):
            reached = (value >= integer.thresholds).sum(axis=1)
            assert out == np.where(integer.inverted, top - reached, reached).tolist(), value

    simulate(unit, testbench, limit=4000)
    return parameters


def test_ties_to_even(rng):
    """A slope of 1/2 meets ties at every odd accumulator: the tie bit decides."""
    halves = draw_layer(rng, "conv", (2, 1, 1, 8), w_bits=2, encoding="unsigned", a_bits=3, scale=0.5)
    last = draw_layer(rng, "fc", (1, 1, 1, 2), a_bits=None, kind="fc")
    integer = lower(network((1, 1, 8), 3, halves, last)).layers[0]
    config = BASE.replace(param_depth=1, acc_bits=10, mul_bits=12, bias_bits=16, shift_bits=4)
    parameters = run_layer(integer, config)
    assert any(p["tie"] for p in parameters)


@pytest.mark.parametrize("sign", [1, -1])
def test_staircases_of_layers(sign, rng):
    body = draw_layer(
        rng,
        "conv",
        (2, 2, 2, 3),
        w_bits=2,
        encoding="twos_complement",
        a_bits=3,
        scale=sign * 0.0391,
        bias=rng.uniform(-0.5, 1, 2).astype(np.float32),
    )
    last = draw_layer(rng, "fc", (1, 1, 1, 2), a_bits=None, kind="fc")
    integer = lower(network((2, 2, 3), 3, body, last)).layers[0]
    assert integer.inverted.all() == (sign < 0)
    config = BASE.replace(param_depth=1, acc_bits=10, mul_bits=24, bias_bits=40, shift_bits=5)
    run_layer(integer, config)


def test_width_of_a_word():
    assert affine_layout(BASE).size == 5 + 12 + 3 + 2
