"""The array with its drain: sums of random tiles leave in order, while the next tile computes."""

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.array.array import DotArray, array_latency
from dorefa.hw.engine.output.drain import Drain
from dorefa.hw.interface import program

from ...support import fields_of, flat, simulate
from ..output.pool_windows import Axis, check_axis_place, closes_both

BASE = EngineConfig(
    lanes=8,
    rows=3,
    cols=1,
    quant=2,
    fetch_bits=8,
    acc_bits=12,
    param_depth=64,
    pool_depth=16,
    feature_depth=64,
    weight_depth=16,
    patch_depth=4,
    out_bits=1,
    a_bits=2,
    w_bits=2,
)


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


def pool_values(name, axis, slots):
    """Program fields of the pooling windows of one axis."""
    period = axis.stride * slots
    fields = {
        "kernel": axis.kernel,
        "period": period,
        "slot": (len(axis.spans) - 1) % slots,
        "one": axis.kernel == 1,
        "every": period == 1,
    }
    for slot in range(slots):
        place = axis.before - slot * axis.stride
        fields |= {f"phase_{slot}": place + 2, f"closes_{slot}": place + 1 == axis.kernel}
        fields |= {f"wraps_{slot}": place + 1 == period}
    return {f"pool_{name}_{field}": value for field, value in fields.items()}


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
    ({}, {"tiles": 1}),
    ({"cols": 3, "rows": 5}, {"last_cols": 2, "tiles": 1}),
    ({}, {"tiles": 3}),
    ({"encoding": "twos_complement"}, {}),
    ({"encoding": "any", "cols": 2}, {"bipolar_sum": 1}),
    ({"encoding": "any"}, {"bipolar_sum": 0}),
    # Sums with every bit of an accumulator.
    ({"encoding": "any", "cols": 2}, {"bipolar_sum": 1, "steps": 16}),
    ({"pipeline": "level", "structure": "sum"}, {}),
    ({"pipeline": "level", "cols": 2}, {"raw": 1}),
    ({"encoding": "any"}, {"raw": 1, "bipolar_sum": 1}),
    ({"results": "wide"}, {"raw": 1}),
    ({"pool_slots": 2, "cols": 2}, {}),
    ({"trunk_bits": 16, "trunk_depth": 64}, {}),
    ({"trunk_bits": 16, "trunk_depth": 64, "cols": 3}, {"last_cols": 1}),
    # The drain of one engine of three: `count` and the trunk's groups are those of all.
    ({"engines": 3, "rows": 4}, {}),
]


@pytest.mark.parametrize("changes, descriptor", CASES, ids=[f"{c} {d}".replace("'", "") for c, d in CASES])
def test_sums_leave_in_order(changes, descriptor, rng):
    """Four sets of pixels of two channel groups of `tiles` tiles, the last set with `last_cols` columns."""
    config = BASE.replace(**changes)
    full_groups = -(-config.rows // config.quant)
    last_rows = max(1, config.rows - 1)
    last_groups = -(-last_rows // config.quant)
    last_cols, tiles_each = descriptor.get("last_cols", config.cols), descriptor.get("tiles", 2)
    least = descriptor.get("steps", 4)
    pixels = 3 * config.cols + last_cols
    rows_axis = Axis(1)
    overlaps = config.pool_slots > 1
    columns_axis = Axis(pixels, 2, 1, 1, 0) if overlaps else Axis(pixels, 2, 2, 1, 1 - pixels % 2)
    assert columns_axis.computed == pixels and columns_axis.accepted
    pixel_groups = 2 * ((tiles_each - 1) * full_groups + last_groups)
    values = dict.fromkeys(program.fields(config), 0) | {
        "groups": 2,
        "out_rows": 1,
        "out_cols": pixels,
        "tiles": tiles_each,
        "full_groups": full_groups,
        "last_groups": last_groups,
        "full_count": config.engines * (config.rows - (full_groups - 1) * config.quant),
        "last_count": last_rows - (last_groups - 1) * config.quant,
        "param_base": 7,
        "pixel_groups": pixel_groups,
        **pool_values("y", rows_axis, config.pool_slots),
        **pool_values("x", columns_axis, config.pool_slots),
    }
    if config.trunk_bits:
        values |= {"trunk_address": 60, "trunk_address_step": pixel_groups + 1}
    values |= {name: value for name, value in descriptor.items() if name in values}
    unit = ArrayAndDrain(config)
    array, drain = unit.array, unit.drain
    # Groups of wide results leave as all others do.
    waits = values["raw"] and config.results == "single"
    tiles = draw_tiles(config, rng, 8 * tiles_each, steps=max(least, config.cols * full_groups))

    expected = []
    for number, (_, sums) in enumerate(tiles):
        groups_before, tile = divmod(number, tiles_each)
        set_number, group_number = divmod(groups_before, 2)
        last_tile = tile == tiles_each - 1
        cols = last_cols if set_number == 3 else config.cols
        emitted = 0
        for column in range(cols):
            pixel = set_number * config.cols + column
            rows = last_rows if last_tile else config.rows
            for group, first in enumerate(range(0, rows, config.quant)):
                index = group_number * pixel_groups // 2 + tile * full_groups + group
                held = sums[column][first : min(first + config.quant, rows)]
                if values["bipolar_sum"]:
                    held = [2 * value - sums[column][-1] for value in held]
                set_ends = column == cols - 1 and index == pixel_groups - 1
                count = config.total_quant
                if first + config.quant >= rows:
                    count = values["last_count" if last_tile else "full_count"]
                expected.append(
                    (
                        held,
                        pixel,
                        {
                            "count": count,
                            "index": index,
                            "param": 7 + index,
                            "column": emitted,
                            "ends_set": set_ends,
                            "ends_layer": set_ends and set_number == 3,
                            **(
                                {"trunk": (60 + pixel * (pixel_groups + 1) + index) % 64}
                                if config.trunk_bits
                                else {}
                            ),
                        },
                    )
                )
            emitted += closes_both(rows_axis, columns_axis, (0, pixel))

    async def feed(ctx):
        ctx.set(drain.layer, values)
        ctx.set(drain.start, 1)
        await ctx.tick()
        ctx.set(drain.start, 0)
        for number, (words, _) in enumerate(tiles):
            last = (number + 1) % tiles_each == 0
            ctx.set(array.tile.last, last)
            ctx.set(array.tile.ends_set, last and (number // tiles_each) % 2)
            for a, w, step, ends in words:
                while not waits and rng.random() < 0.2:
                    ctx.set(array.step.enable, 0)
                    ctx.set(array.tile.ends, 0)
                    await ctx.tick()
                ctx.set(array.a, a)
                ctx.set(array.w, w)
                ctx.set(array.step, step)
                ctx.set(array.tile.ends, ends)
                await ctx.tick()
            ctx.set(array.step.enable, 0)
            ctx.set(array.tile.ends, 0)
            drained = not waits
            while not drained:
                # Raw results may stall: the issue waits for the drain.
                _, _, drained = await ctx.tick().sample(drain.drained)

    async def check(ctx):
        taken, drained = 0, 0
        while taken < len(expected):
            ready = not waits or rng.random() < 0.4
            if config.results == "single":
                ctx.set(drain.ready, ready)
            _, _, valid, out, group, tile_leaves = await ctx.tick().sample(
                drain.valid, Cat(*drain.values), drain.group, drain.drained
            )
            drained += tile_leaves
            if valid and ready:
                held, pixel, names = expected[taken]
                mask = (1 << config.acc_bits) - 1
                lanes = fields_of(out, config.acc_bits, config.quant)
                assert lanes[: len(held)] == [value & mask for value in held], taken
                for name, value in names.items():
                    assert group[name] == int(value), (taken, name)
                for axis, name, at in ((rows_axis, "y", 0), (columns_axis, "x", pixel)):
                    said = [group.place[f"{name}_{what}"] for what in ("first", "slot", "closes")]
                    check_axis_place(axis, at, config.pool_slots, *said)
                taken += 1
        # A raw group leaves a cycle after it is taken.
        assert drained + ctx.get(drain.drained) == len(tiles)

    simulate(unit, feed, check, limit=4000)


def test_nothing_leaves_before_a_layer():
    drain = Drain(BASE)

    async def testbench(ctx):
        for _ in range(4):
            assert not ctx.get(drain.valid) and not ctx.get(drain.drained)
            await ctx.tick()

    simulate(drain, testbench, limit=6)


@pytest.mark.parametrize("changes", [{}, {"pipeline": "level", "structure": "sum"}], ids=["none", "level"])
def test_sums_come_with_their_tile(changes):
    """As many cycles after the operands as everybody else is told."""
    config = BASE.replace(**changes)
    array = DotArray(config)

    async def testbench(ctx):
        ctx.set(array.a, 0b1011)
        ctx.set(array.w, flat([0b0001, 0b0011, 0b1111], config.lanes))
        ctx.set(array.step, {"enable": 1, "clear": 1})
        ctx.set(array.tile.ends, 1)
        for cycle in range(array_latency(config) + 3):
            ends = cycle == array_latency(config)
            assert ctx.get(array.captured.ends) == ends, cycle
            if ends:
                # XNOR, the encoding of BASE: lanes that are equal.
                assert config.xnor
                assert [ctx.get(acc) for acc in array.acc] == [6, 7, 7]
            await ctx.tick()
            ctx.set(array.step.enable, 0)
            ctx.set(array.tile.ends, 0)
            ctx.set(array.a, 0)

    simulate(array, testbench, limit=20)


def test_latency():
    assert array_latency(BASE) == 2
    assert array_latency(BASE.replace(pipeline="level", structure="sum")) == 6
