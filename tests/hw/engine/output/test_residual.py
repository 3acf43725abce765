"""Residual trunks: rounding, addition, storage in place and elsewhere, against the golden model."""

import numpy as np
import pytest
from amaranth import Cat

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Rescale
from dorefa.golden.run.matmul import rescale
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.memory_images import append_rescale
from dorefa.hw.compiler.needs import needs, xnor_constants
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.residual import Residual
from dorefa.hw.interface import program
from dorefa.hw.interface.parameters import rescale_layout

from ...support import draw_layer, fields_of, fill_memories, memories_of, network, simulate

BASE = EngineConfig(
    lanes=8,
    rows=4,
    quant=2,
    fetch_bits=8,
    acc_bits=14,
    trunk_bits=16,
    trunk_depth=32,
    trunk_mul_bits=17,
    trunk_bias_bits=34,
    param_depth=8,
)


class Layer:
    """One layer's descriptor, parameters per group and lane, and the groups it sends."""

    def __init__(self, *, m, b, groups, shift=0, store=0, add=0, rescale=1, address=0, offset=0):
        self.fields = {
            "rescale": rescale,
            "trunk_add": add,
            "trunk_store": store,
            "trunk_shift": shift,
            "trunk_address_offset": offset,
        }
        self.m, self.b, self.shift = np.asarray(m), np.asarray(b), shift
        self.groups = groups  # (parameter, place in the trunk memory, values)


def expected_of(layers, config):
    """What leaves, group by group: the trunk memory is a dictionary."""
    memory, results = {}, []
    for layer in layers:
        for param, place, values in layer.groups:
            out = np.asarray(values)
            if layer.fields["rescale"]:
                parameters = Rescale(
                    m=layer.m[param], b=layer.b[param], f=layer.shift, scale=np.float32(1), bits=32
                )
                out = rescale(out, parameters)
                if layer.fields["trunk_add"]:
                    out = out + memory[place]
            if layer.fields["trunk_store"]:
                to = (place + layer.fields["trunk_address_offset"]) % config.trunk_depth
                memory[to] = out
            results.append(out.tolist())
    return results


def run(config, layers, rng, gaps=0.0, preload=False):
    """Layers one after another, as the sequencer runs them; parameters through the write port."""
    init = None
    if preload:
        layout = rescale_layout(config)
        (layer,) = layers
        init = [
            [
                layout.const({"m": int(m), "b": int(b)}).as_value().value
                for m, b in zip(layer.m[:, lane], layer.b[:, lane], strict=True)
            ]
            for lane in range(config.quant)
        ]
    unit = Residual(config, init=init)
    fragment, memories = memories_of(unit)
    expected, taken = expected_of(layers, config), []
    sent = [group for layer in layers for group in layer.groups]

    async def write_parameters(ctx, layer):
        for param, (ms, bs) in enumerate(zip(layer.m, layer.b, strict=True)):
            for lane, (m, b) in enumerate(zip(ms, bs, strict=True)):
                word = rescale_layout(config).const({"m": int(m), "b": int(b)})
                ctx.set(unit.w_address, param)
                ctx.set(unit.w_data, word.as_value().value)
                ctx.set(unit.w_en, 1 << lane)
                await ctx.tick()
        ctx.set(unit.w_en, 0)

    async def feed(ctx):
        if not preload:
            fill_memories(ctx, memories, rng)
        number = 0
        for layer in layers:
            if not preload:
                await write_parameters(ctx, layer)
            ctx.set(unit.layer, dict.fromkeys(program.fields(config), 0) | layer.fields)
            for param, place, values in layer.groups:
                while rng.random() < gaps:
                    ctx.set(unit.valid, 0)
                    # Neither stored nor passed on.
                    for lane in range(config.quant):
                        ctx.set(unit.values[lane], 1)
                    await ctx.tick()
                for lane, value in enumerate(values):
                    ctx.set(unit.values[lane], int(value))
                ctx.set(unit.group, {"param": param, "trunk": place, "index": number % 4, "count": 1})
                ctx.set(unit.valid, 1)
                number += 1
                await ctx.tick()
            ctx.set(unit.valid, 0)
            # A layer starts long after the last group of the one before.
            await ctx.tick().repeat(unit.latency + 1)

    async def check(ctx):
        cycle, entered = 0, []
        while len(taken) < len(expected):
            _, _, valid, out, group, enters = await ctx.tick().sample(
                unit.o_valid, Cat(*unit.o_values), unit.o_group, unit.valid
            )
            if enters:
                entered.append(cycle)
            if valid:
                number = len(taken)
                lanes = fields_of(out, config.acc_bits, config.quant)
                mask = (1 << config.acc_bits) - 1
                assert lanes == [value & mask for value in expected[number]], (number, sent[number])
                assert (group.param, group.trunk) == sent[number][:2]
                assert group["index"] == number % 4
                assert cycle - entered[number] == unit.latency
                taken.append(lanes)
            cycle += 1
        for _ in range(10):
            _, _, valid = await ctx.tick().sample(unit.o_valid)
            assert not valid

    simulate(fragment, feed, check, limit=5 * len(sent) + 100 * len(layers) + 200)


@pytest.mark.parametrize("shift", range(32))
def test_rounding(shift, rng):
    """Half to even of values of both signs, exact halves and their neighbors among them."""
    config = BASE.replace(acc_bits=32, trunk_bits=32)
    half = 1 << (shift - 1) if shift else 0
    m = rng.integers(-(1 << 16) + 1, 1 << 16, (8, 2))
    m[0] = [1, -1]
    b = rng.integers(-(1 << 30), 1 << 30, (8, 2))
    groups = []
    for param in range(1, 8):
        # m acc + b = n 2^f + one half, exactly, just above and just below.
        for nudge in (-1, 0, 0, 1):
            values = rng.integers(-(1 << 12), 1 << 12, 2)
            goal = (rng.integers(-5, 6, 2) << shift) + half + nudge
            if param > 3:
                b[param] = goal - m[param] * values
                b[param] = b[param].clip(-(1 << 33), (1 << 33) - 1)
            groups.append((param, 0, values))
    # A multiplier of one reaches every remainder around a tie.
    b[0] = 0
    if shift < 26:
        for n in range(-3, 4):
            for nudge in (-1, 0, 1):
                value = (n << shift) + half + nudge
                groups.append((0, 0, np.array([value, value])))
    # Results that fit 32 bits only.
    layer = Layer(m=m, b=b, groups=groups, shift=shift)
    kept = [
        group
        for group, out in zip(groups, expected_of([layer], config), strict=True)
        if max(map(abs, out)) < 1 << 31
    ]
    assert len(kept) > 10
    run(config, [Layer(m=m, b=b, groups=kept, shift=shift)], rng)


def draw_groups(rng, places):
    return [(n % 8, place, rng.integers(-2000, 2000, 2)) for n, place in enumerate(places)]


def draw_layer_of(rng, places, **fields):
    m, b = rng.integers(-1000, 1000, (8, 2)), rng.integers(-9000, 9000, (8, 2))
    return Layer(m=m, b=b, groups=draw_groups(rng, places), shift=10, **fields)


@pytest.mark.parametrize("offset", [0, 12, -4])
@pytest.mark.parametrize("gaps", [0, 0.4])
def test_add_and_store(offset, gaps, rng):
    """A trunk, a sum in its place or elsewhere, a sum that is not kept, and the kept one once more."""
    places = list(range(8, 20))
    moved = [(place + offset) % BASE.trunk_depth for place in places]
    layers = [
        draw_layer_of(rng, places, store=1),
        draw_layer_of(rng, places, add=1, store=1, offset=offset % BASE.trunk_depth),
        draw_layer_of(rng, moved, add=1),
        draw_layer_of(rng, moved, add=1, store=1),
        draw_layer_of(rng, moved[:3], add=1),
    ]
    run(BASE, layers, rng, gaps)


def test_other_layers_pass_through(rng):
    """Accumulators as they are, whatever the parameters say, and the trunk stays."""
    places = list(range(6))
    config = BASE.replace(acc_bits=17)
    groups = [(n, n, rng.integers(-(1 << 16), 1 << 16, 2)) for n in places]
    through = draw_layer_of(rng, places, rescale=0)
    through.groups = groups
    run(config, [draw_layer_of(rng, places, store=1), through, draw_layer_of(rng, places, add=1)], rng)


@pytest.mark.parametrize(
    "changes",
    [
        {"quant": 1, "rows": 1, "param_depth": 1, "trunk_depth": 1},
        {"quant": 3},
        {"trunk_bits": 20, "acc_bits": 24},
    ],
    ids=str,
)
def test_sizes(changes, rng):
    config = BASE.replace(**changes)
    quant, params = config.quant, min(4, config.param_depth)
    layers = []
    for add in (0, 1, 1):
        groups = [
            (n % params, n % config.trunk_depth, rng.integers(-2000, 2000, quant))
            for n in range(min(6, config.trunk_depth))
        ]
        layers.append(
            Layer(
                m=rng.integers(-300, 300, (params, quant)),
                b=rng.integers(-900, 900, (params, quant)),
                groups=groups,
                shift=8,
                add=add,
                store=1,
            )
        )
    run(config, layers, rng)


def test_preloaded(rng):
    run(BASE, [draw_layer_of(rng, [0] * 8)], rng, preload=True)


def offsets_of(integer, config):
    """Offsets of the first layer's channels in the engine: with XNOR, those of the counts."""
    layer = integer.layers[0]
    constants = xnor_constants(layer, PassGeometry.of(layer, config), config)
    return layer.rescale.b + layer.rescale.m * constants


def test_widths_that_are_needed(rng):
    """Least widths of multiplier and offset, XNOR's constant included; one bit less is refused."""
    parameters = Rescale(
        m=np.array([1 << 14, -3]), b=np.array([5, -(1 << 12)]), f=14, scale=np.float32(1), bits=9
    )
    body = draw_layer(rng, "conv", (2, 1, 1, 8), a_bits=2, rescale=parameters)
    last = draw_layer(rng, "fc", (2, 1, 1, 8), kind="fc", a_bits=None)
    integer = lower(network((2, 2, 8), 2, body, last))
    for encoding in ("bipolar", "any"):
        config = fit(integer, lanes=16, rows=2, quant=2, encoding=encoding)
        needed = needs(integer, config, schedule(integer, config))
        found = {name: need.least for name, need in needed.items()}
        assert (found["trunk_bits"], found["trunk_mul_bits"]) == (9, 16)
        offsets = offsets_of(integer, config)
        # XNOR counts of 16 lanes lack a constant, which the multiplier takes along.
        assert (offsets == parameters.b).all() == (encoding == "any")
        half = 1 << (found["trunk_bias_bits"] - 1)
        assert -half <= offsets.min() and offsets.max() < half
        assert offsets.min() < -half // 2 or offsets.max() >= half // 2
        compile_network(integer, config)
        for name in ("trunk_bits", "trunk_mul_bits", "trunk_bias_bits"):
            narrow = config.replace(**{name: found[name] - 1})
            with pytest.raises(InputError) as caught:
                compile_network(integer, narrow)
            assert str(caught.value) == (
                f"layer conv: {name} is {found[name] - 1}; accepted: at least {found[name]}, which it needs"
            )
        part = schedule(integer, narrow).passes[0]
        with pytest.raises(InputError) as caught:
            append_rescale([[], []], part, integer.layers[0], narrow)
        channel = int(np.argmax((offsets < -half // 2) | (offsets >= half // 2)))
        assert str(caught.value) == (
            f"layer conv channel {channel}: offset {offsets[channel]} of the trunk does not fit "
            f"trunk_bias_bits = {found['trunk_bias_bits'] - 1}; accepted: wider ones"
        )
