"""The array with its drain: sums of random tiles leave in order, while the next tile computes."""

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring

from dorefa.hw import program
from dorefa.hw.array import DotArray, array_latency
from dorefa.hw.config import EngineConfig
from dorefa.hw.drain import Drain

from .support import fields_of, flat, simulate

BASE = EngineConfig(
    lanes=8, rows=3, cols=1, quant=2, fetch_bits=8, acc_bits=12, param_depth=64, pool_depth=16,
    feature_depth=64, weight_depth=16, patch_depth=4, out_bits=1, a_bits=2, w_bits=2,
)  # fmt: skip


class ArrayAndDrain(wiring.Component):
    """What the engine connects between the memories and the quantizer."""

    def __init__(self, config):
        self.config, self.array, self.drain = config, DotArray(config), Drain(config)
        self.stopped = Signal()
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.array, m.submodules.drain = self.array, self.drain
        m.d.comb += self.drain.captured.eq(self.array.captured)
        for into, out in zip(self.drain.acc, self.array.acc, strict=True):
            m.d.comb += into.eq(out)
        for into, out in zip(self.drain.sums, self.array.sums, strict=True):
            m.d.comb += into.eq(out)
        return m


def draw_tiles(config, rng, count, steps):
    """Random tiles: operand words and step flags per step, and the sums they make."""
    tiles = []
    for _ in range(count):
        words, sums = [], [[0] * (config.rows + 1) for _ in range(config.cols)]
        for number in range(steps):
            a = [int(value) for value in rng.integers(0, 256, config.cols)]
            w = [int(value) for value in rng.integers(0, 256, config.rows)]
            shift, negate = (int(rng.integers(2)) for _ in range(2))
            for column, held in enumerate(sums):
                for row, weight in enumerate([*w, 255]):
                    product = ~(a[column] ^ weight) & 255 if config.xnor else a[column] & weight
                    sign = -1 if negate and config.signed_planes else 1
                    before = 0 if number == 0 else held[row] << shift
                    held[row] = before + sign * product.bit_count()
            step = {"enable": 1, "clear": number == 0, "shift": shift, "negate": negate}
            words.append((flat(a, 8), flat(w, 8), step, number == steps - 1))
        tiles.append((words, sums))
    return tiles


CASES = [
    ({}, {}),
    ({"rows": 1, "quant": 1}, {}),  # one accumulator: nothing to shift along
    ({"rows": 4, "quant": 4}, {}),  # a whole tile in one cycle
    ({"cols": 2}, {}),
    ({"cols": 3, "rows": 5}, {"last_cols": 2}),
    ({"encoding": "twos_complement"}, {}),
    ({"encoding": "any", "cols": 2}, {"bipolar_sum": 1}),
    ({"encoding": "any"}, {"bipolar_sum": 0}),
    ({"pipeline": "level", "structure": "sum"}, {}),
    ({"pipeline": "level", "cols": 2}, {"raw": 1}),
    ({"encoding": "any"}, {"raw": 1, "bipolar_sum": 1}),
]


@pytest.mark.parametrize(
    "changes, descriptor", CASES, ids=[f"{c} {d}".replace("'", "") for c, d in CASES]
)
def test_sums_leave_in_order(changes, descriptor, rng):
    """Two sets of two pixels of two tiles, the second set with `last_cols` columns."""
    config = BASE.replace(**changes)
    full_groups = -(-config.rows // config.quant)
    last_rows = max(1, config.rows - 1)
    last_groups = -(-last_rows // config.quant)
    values = dict.fromkeys(program.fields(config), 0) | {
        "sets": 2, "last_cols": config.cols, "pool_rows": 1, "pool_cols": 2, "groups": 1,
        "tiles": 2, "full_groups": full_groups, "last_groups": last_groups,
        "full_count": config.rows - (full_groups - 1) * config.quant,
        "last_count": last_rows - (last_groups - 1) * config.quant, "param_base": 7,
    }  # fmt: skip
    values |= descriptor
    unit = ArrayAndDrain(config)
    array, drain, raw = unit.array, unit.drain, values["raw"]
    tiles = draw_tiles(config, rng, 8, steps=max(4, config.cols * full_groups))
    pixel_groups = full_groups + last_groups

    expected = []
    for number, (_, sums) in enumerate(tiles):
        last_set, position, last_tile = number // 4 == 1, number // 2 % 2, number % 2
        cols = values["last_cols"] if last_set else config.cols
        rows = last_rows if last_tile else config.rows
        for column in range(cols):
            for group, first in enumerate(range(0, rows, config.quant)):
                index = last_tile * full_groups + group
                held = sums[column][first : min(first + config.quant, rows)]
                if values["bipolar_sum"]:
                    held = [2 * value - sums[column][-1] for value in held]
                set_ends = position and column == cols - 1 and index == pixel_groups - 1
                expected.append((held, {
                    "count": len(held), "index": index, "param": 7 + index,
                    "column": column, "pool_first": position == 0, "pool_last": position == 1,
                    "ends_set": set_ends, "ends_layer": set_ends and last_set,
                }))  # fmt: skip

    async def feed(ctx):
        ctx.set(drain.layer, values)
        ctx.set(drain.start, 1)
        await ctx.tick()
        ctx.set(drain.start, 0)
        for words, _ in tiles:
            for a, w, step, ends in words:
                while not raw and rng.random() < 0.2:
                    ctx.set(array.step.enable, 0)
                    ctx.set(array.tile_ends, 0)
                    await ctx.tick()
                ctx.set(array.a, a)
                ctx.set(array.w, w)
                ctx.set(array.step, step)
                ctx.set(array.tile_ends, ends)
                await ctx.tick()
            ctx.set(array.step.enable, 0)
            ctx.set(array.tile_ends, 0)
            drained = not raw
            while not drained:
                # Raw results may stall: the issue waits for the drain.
                _, _, drained = await ctx.tick().sample(drain.drained)

    async def check(ctx):
        taken, drained = 0, 0
        while taken < len(expected):
            ready = not raw or rng.random() < 0.4
            ctx.set(drain.ready, ready)
            _, _, valid, out, group, tile_leaves = await ctx.tick().sample(
                drain.valid, Cat(*drain.values), drain.group, drain.drained
            )
            drained += tile_leaves
            if valid and ready:
                held, names = expected[taken]
                mask = (1 << config.acc_bits) - 1
                lanes = fields_of(out, config.acc_bits, config.quant)
                assert lanes[: len(held)] == [value & mask for value in held], taken
                for name, value in names.items():
                    assert group[name] == int(value), (taken, name)
                taken += 1
        assert drained == len(tiles)

    simulate(unit, feed, check, limit=2000)


def test_latency():
    assert array_latency(BASE) == 2
    assert array_latency(BASE.replace(pipeline="level", structure="sum")) == 5
