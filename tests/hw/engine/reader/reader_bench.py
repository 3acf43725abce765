"""Runs window reader and run generator over layers, and compares every patch with NumPy windows."""

import dataclasses

import numpy as np
from amaranth import Module
from amaranth.lib import wiring

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.shapes import layer_shapes
from dorefa.hw.compiler.descriptor import descriptor
from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.passes import Pass
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.components import make_reader
from dorefa.hw.engine.reader.feature_memory import FeatureMemory
from dorefa.hw.engine.reader.patch_buffer import PatchBuffer, patch_depth
from dorefa.hw.engine.reader.run_generator import RunGenerator
from dorefa.hw.interface import program

from ...support import (
    bits_of,
    decode,
    draw_layer,
    fields_of,
    fill_memories,
    flat,
    memories_of,
    network,
    simulate,
)


class Reader(wiring.Component):
    """Feature memory to patches, as in the engine."""

    def __init__(self, config):
        self.runs = RunGenerator(config)
        self.reader = make_reader(config)
        self.feature, self.patch = FeatureMemory(config), PatchBuffer(config)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.runs, m.submodules.reader = self.runs, self.reader
        m.submodules.feature, m.submodules.patch = self.feature, self.patch
        wiring.connect(m, self.runs.o, self.reader.runs)
        wiring.connect(m, self.reader.w, self.patch.w)
        m.d.comb += [
            self.feature.r_address.eq(self.reader.r_address),
            self.reader.bits.eq(self.feature.o),
        ]
        return m


def windows(geometry, codes):
    """Patches (pixel, group, K) of `codes` (H, W, C) in the engine's order: every convolution pixel that
    is computed, once; blocks of channels one after the other, the last filled up with zeros."""
    layer, source = geometry.layer, geometry.source
    top, left, bottom, right = layer.padding
    fill = source.blocks * source.channels - codes.shape[2]
    padded = np.pad(codes, ((top, bottom), (left, right), (0, fill)))
    _, kernel_rows, kernel_cols, _ = layer.codes.shape
    per_group = padded.shape[2] // layer.groups
    width = source.channels if source.blocks > 1 else per_group
    patches = []
    for y, x in np.ndindex(geometry.computed):
        y0, x0 = y * layer.stride[0], x * layer.stride[1]
        window = padded[
            y0 : y0 + (kernel_rows - 1) * layer.dilation[0] + 1 : layer.dilation[0],
            x0 : x0 + (kernel_cols - 1) * layer.dilation[1] + 1 : layer.dilation[1],
        ]
        patches.append(
            [
                np.concatenate(
                    [
                        window[:, :, first : first + width].reshape(-1)
                        for first in range(group * per_group, (group + 1) * per_group, width)
                    ]
                )
                for group in range(layer.groups)
            ]
        )
    return np.array(patches)


def map_words(source, codes, fetch, planes):
    """Words of a map in the feature memory, plane group after plane group, block after block."""
    height, width, channels = codes.shape
    filled = np.zeros((height, width, source.blocks * source.channels), codes.dtype)
    filled[:, :, :channels] = codes
    words = []
    for group, block in np.ndindex(source.plane_groups, source.blocks):
        part = filled[:, :, block * source.channels : (block + 1) * source.channels].reshape(-1)
        part = part >> (group * planes)
        for first in range(0, len(part), fetch):
            piece = part[first : first + fetch]
            words.append(flat([bits_of(piece, plane) for plane in range(planes)], fetch))
    return words


# Cycles from a step to `filled` where it ends a set, less those from a step to `first_read`.
BEHIND = {"separate": 5, "shared": 7}


def fill_times(geometry, slots, released):
    """Cycles from the pass's first read to `filled` of every set: a step every cycle, where there is a slot;
    `released`: those in which slots were."""
    times, step = [], -2
    for number in range(-(-geometry.pixels // geometry.cols) * geometry.groups):
        pixels = number // geometry.groups
        if geometry.reader.shares:
            steps, cleared = geometry.shared_reads.set_steps(pixels)
        else:
            columns = min(geometry.cols, geometry.pixels - pixels * geometry.cols)
            steps, cleared = (columns * count for count in geometry.copy_steps)
        # What a patch does not fill is cleared once in every slot.
        step = step + cleared if number < slots else max(step, released[number - slots])
        step += steps
        times.append(step + BEHIND[geometry.reader.name] + 1)
    return times


def read_layer(unit, part, words, config, codes, rng, *, slow, half=0):
    """A testbench that stores `codes`, writes `half` of the table, runs the pass, and compares every patch
    and the cycles in which they are filled."""
    geometry, layer = part.geometry, part.geometry.layer
    groups = slice(part.first_group, part.first_group + geometry.groups)
    expected = windows(geometry, codes)[:, groups]
    lanes, fetch = config.lanes, config.fetch_bits

    async def store(ctx):
        for word, data in enumerate(map_words(geometry.source, codes, fetch, config.fetch_planes)):
            ctx.set(unit.feature.w_en, 1)
            ctx.set(unit.feature.w_address, unit.in_address + word)
            ctx.set(unit.feature.w_data, data)
            await ctx.tick()
        ctx.set(unit.feature.w_en, 0)

    async def fill_table(ctx):
        table = unit.runs.table
        ctx.set(table.en, 1)
        first = half << (len(table.address) - 1)
        for number, word in enumerate(words[: program.table_words(config)]):
            ctx.set(table.address, first + number)
            ctx.set(table.data, word)
            await ctx.tick()
        ctx.set(table.en, 0)
        # What is written during the pass goes to the other half.
        ctx.set(table.address, first ^ 1 << (len(table.address) - 1))

    async def testbench(ctx):
        await store(ctx)
        await fill_table(ctx)
        values = decode(config, words)
        for component in (unit.runs, unit.reader):
            ctx.set(component.layer, {name: values[name] for name in program.fields(config)})
            ctx.set(component.start, 1)
        await ctx.tick()
        ctx.set(unit.runs.start, 0)
        ctx.set(unit.reader.start, 0)
        slot, filled, now = 0, 0, 0
        firsts, fills, released = [], [], []

        async def tick():
            nonlocal filled, now
            _, _, pulse, first = await ctx.tick().sample(unit.reader.filled, unit.reader.first_read)
            filled += pulse
            firsts.extend([now] * first)
            fills.extend([now] * pulse)
            now += 1
            assert filled <= config.patch_slots

        for first in range(0, geometry.pixels, config.cols):
            columns = range(first, min(first + config.cols, geometry.pixels))
            for group in range(geometry.groups):
                while not filled:
                    await tick()
                while rng.random() < slow:
                    await tick()
                for word, plane in np.ndindex(geometry.words, layer.a_bits):
                    ctx.set(unit.patch.slot, slot)
                    ctx.set(unit.patch.word, word)
                    ctx.set(unit.patch.plane, plane)
                    for _ in range(unit.patch.latency):
                        await tick()
                    read = fields_of(ctx.get(unit.patch.a), lanes, config.cols)
                    for column, pixel in enumerate(columns):
                        patch = expected[pixel, group]
                        # Lanes beyond the patch are zero: XNOR products would count them.
                        want = bits_of(patch[word * lanes : (word + 1) * lanes], plane)
                        assert read[column] == want, (pixel, group, word, plane)
                ctx.set(unit.reader.released, 1)
                released.append(now)
                filled -= 1
                slot = (slot + 1) % config.patch_slots
                await tick()
                ctx.set(unit.reader.released, 0)
        for _ in range(20):
            await tick()
        assert not filled and not ctx.get(unit.runs.o.valid), "patches beyond the last"
        assert len(firsts) == 1, "the layer's first read is one"
        fills, released = ([time - firsts[0] for time in times] for times in (fills, released))
        assert fills == fill_times(geometry, config.patch_slots, released)

    return testbench


def engine_for(geometry, in_address, slots, spare=0):
    """The smallest reader for a pass; the map it reads lies at `in_address`."""
    layer, fetch = geometry.layer, geometry.fetch_bits
    plane_groups = geometry.source.plane_groups
    words = patch_depth(geometry.words, plane_groups)
    # Windows may start and end in the padding: their offsets must fit the fields.
    reach = (layer.in_shape[1] + sum(layer.padding[1::2])) * layer.in_shape[2]
    if geometry.reader.shares:
        reach += geometry.cols * geometry.shared_reads.slices.spacing
    depth = max(2, in_address + geometry.source.words(fetch), -(-reach // (2 * fetch)) + 1) + spare
    return EngineConfig(
        lanes=geometry.lanes,
        rows=1,
        quant=1,
        cols=geometry.cols,
        fetch_bits=fetch,
        a_bits=layer.a_bits,
        column_reads=geometry.reader.name,
        out_bits=1,
        patch_slots=slots,
        feature_depth=depth,
        image_depth=depth,
        plane_groups=plane_groups,
        patch_depth=words,
        image_patch_depth=words,
        param_depth=layer.groups + 1,
        pool_depth=layer.groups + 1,
        pool_slots=4,
    )


def draft(lanes, fetch, cols, column_reads="separate"):
    """What the geometry depends on."""
    return EngineConfig(lanes=lanes, rows=1, quant=1, cols=cols, fetch_bits=fetch, column_reads=column_reads)


def integer_network(rng, shape, in_shape, a_bits, **fields):
    body = draw_layer(rng, "conv", shape, a_bits=1, **fields)
    # The windows depend on the first layer alone; any last layer that fits will do.
    outputs = int(np.prod(layer_shapes(body, in_shape).out_shape))
    last = draw_layer(rng, "fc", (1, 1, 1, outputs), a_bits=None, kind="fc")
    return lower(network(in_shape, a_bits, body, last))


def run(
    integer,
    lanes,
    fetch,
    cols,
    slots,
    rng,
    *,
    source=None,
    in_address=0,
    spare=0,
    slow=0.2,
    repeats=1,
    column_reads="separate",
    **changes,
):
    """Reads random images with the network's first layer; `source`: another layout of the image.

    With several blocks or several channel groups, also one channel group alone, as in a pass of its own.
    """
    geometry = PassGeometry.of(integer.layers[0], draft(lanes, fetch, cols, column_reads), source=source)
    config = engine_for(geometry, in_address, slots, spare).replace(**changes)
    layer = geometry.layer
    passes = [Pass(layer=0, part=0, parts=1, geometry=geometry, first_group=0, first_channel=0)]
    if layer.groups > 1:
        one = PassGeometry.of(layer, config, source=source, groups=1)
        passes += [
            Pass(layer=0, part=n, parts=layer.groups, geometry=one, first_group=n, first_channel=0)
            for n in range(layer.groups)
        ]
    unit = Reader(config)
    unit.in_address = in_address
    fragment, memories = memories_of(unit)
    plan = schedule(integer, config)
    plan = dataclasses.replace(plan, passes=tuple(passes), addresses=(in_address, *plan.addresses[1:]))
    benches = []
    for turn, (number, part) in enumerate([*enumerate(passes)] * repeats):
        codes = rng.integers(0, 1 << layer.a_bits, layer.in_shape).astype(np.uint8)
        said = descriptor(plan, number, config, integer, weight_base=0, param_base=0)
        # Where codes would go does not concern the reader.
        words = program.encode(config, layer.name, said | {"out_address": 0})
        half = turn % 2 if config.prefetch else 0
        benches.append(read_layer(unit, part, words, config, codes, rng, slow=slow, half=half))

    async def testbench(ctx):
        fill_memories(ctx, memories, rng)
        for bench in benches:
            await bench(ctx)

    work = geometry.patches * config.cols * (sum(geometry.copy_steps) + geometry.words * 16 + 20)
    simulate(fragment, testbench, limit=len(benches) * (work + geometry.source.words(fetch) + 500))
