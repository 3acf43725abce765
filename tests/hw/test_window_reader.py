"""Run generator, window reader and patch buffer: patches of random layers against NumPy windows."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring

from dorefa.golden.lowering import lower
from dorefa.golden.network import Pool
from dorefa.golden.shapes import layer_shapes
from dorefa.hw import compiler, program
from dorefa.hw.config import EngineConfig
from dorefa.hw.feature_memory import FeatureMemory
from dorefa.hw.geometry import LayerGeometry
from dorefa.hw.patch_buffer import PatchBuffer
from dorefa.hw.run_generator import RunGenerator
from dorefa.hw.window_reader import WindowReader

from .support import (
    bits_of,
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
        self.runs, self.reader = RunGenerator(config), WindowReader(config)
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


def windows(layer, codes):
    """Patches (pixel, pooling position, group, K) of `codes` (H, W, C) in the engine's order."""
    top, left, bottom, right = layer.padding
    padded = np.pad(codes, ((top, bottom), (left, right), (0, 0)))
    _, kernel_rows, kernel_cols, channels = layer.codes.shape
    pool_kernel = layer.pool.kernel if layer.pool else (1, 1)
    pool_stride = layer.pool.stride if layer.pool else (1, 1)
    patches = []
    for y, x in np.ndindex(layer.out_shape[:2]):
        positions = []
        for dy, dx in np.ndindex(pool_kernel):
            y0 = (y * pool_stride[0] + dy) * layer.stride[0]
            x0 = (x * pool_stride[1] + dx) * layer.stride[1]
            window = padded[
                y0 : y0 + (kernel_rows - 1) * layer.dilation[0] + 1 : layer.dilation[0],
                x0 : x0 + (kernel_cols - 1) * layer.dilation[1] + 1 : layer.dilation[1],
            ]
            positions.append([
                window[:, :, g * channels : (g + 1) * channels].reshape(-1)
                for g in range(layer.groups)
            ])  # fmt: skip
        patches.append(positions)
    return np.array(patches)


def read_layer(unit, layer, config, codes, rng, *, in_address, slow):
    """A testbench that stores `codes`, runs the layer and compares every patch."""
    geometry = LayerGeometry.of(layer, config)
    descriptor = compiler._descriptor(
        layer, geometry, config, in_address=in_address, out_address=0, weight_base=0,
        param_base=0, last=False,
    )  # fmt: skip
    # Through the encoding, so that widths and wrapped addresses are those of the program.
    words = program.encode(config, layer.name, descriptor)
    values = {}
    for name, (word, bit) in program.placement(config).items():
        shape = program.fields(config)[name]
        value = (words[word] >> bit) & ((1 << shape.width) - 1)
        values[name] = value - (shape.signed and value >> (shape.width - 1)) * (1 << shape.width)
    expected = windows(layer, codes)
    lanes, fetch = config.lanes, config.fetch_bits

    async def store(ctx):
        flat_codes = codes.reshape(-1)
        for word in range(-(-len(flat_codes) // fetch)):
            part = flat_codes[word * fetch : (word + 1) * fetch]
            data = flat([bits_of(part, plane) for plane in range(config.a_bits)], fetch)
            ctx.set(unit.feature.w_en, 1)
            ctx.set(unit.feature.w_address, in_address + word)
            ctx.set(unit.feature.w_data, data)
            await ctx.tick()
        ctx.set(unit.feature.w_en, 0)

    async def testbench(ctx):
        await store(ctx)
        for part in (unit.runs, unit.reader):
            ctx.set(part.layer, values)
            ctx.set(part.start, 1)
        await ctx.tick()
        ctx.set(unit.runs.start, 0)
        ctx.set(unit.reader.start, 0)
        slot, filled = 0, 0

        async def tick():
            nonlocal filled
            _, _, pulse = await ctx.tick().sample(unit.reader.filled)
            filled += pulse
            assert filled <= config.patch_slots

        for first in range(0, geometry.pixels, config.cols):
            columns = range(first, min(first + config.cols, geometry.pixels))
            for position, group in np.ndindex(expected.shape[1:3]):
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
                        patch = expected[pixel, position, group]
                        # Lanes beyond the patch are zero: XNOR products would count them.
                        want = bits_of(patch[word * lanes : (word + 1) * lanes], plane)
                        assert read[column] == want, (pixel, position, group, word, plane)
                ctx.set(unit.reader.released, 1)
                filled -= 1
                slot = (slot + 1) % config.patch_slots
                await tick()
                ctx.set(unit.reader.released, 0)
        for _ in range(20):
            await tick()
        assert not filled and not ctx.get(unit.runs.o.valid), "patches beyond the last"

    return testbench


def engine_for(layer, lanes, fetch, cols, slots, in_address, spare=0):
    """The smallest reader for `layer`; its map lies at `in_address`."""
    map_words = -(-int(np.prod(layer.in_shape)) // fetch)
    words = -(-int(np.prod(layer.codes.shape[1:])) // lanes)
    # Windows may start and end in the padding: their offsets must fit the fields.
    reach = (layer.in_shape[1] + sum(layer.padding[1::2])) * layer.in_shape[2]
    depth = max(2, in_address + map_words, -(-reach // (2 * fetch)) + 1) + spare
    return EngineConfig(
        lanes=lanes, rows=1, quant=1, cols=cols, fetch_bits=fetch, a_bits=layer.a_bits,
        out_bits=1, patch_slots=slots, feature_depth=depth, image_depth=depth,
        patch_depth=words, image_patch_depth=words, param_depth=layer.groups + 1,
    )  # fmt: skip


def integer_layer(rng, shape, in_shape, a_bits, **fields):
    body = draw_layer(rng, "conv", shape, a_bits=1, **fields)
    # The windows depend on the first layer alone; any last layer that fits will do.
    outputs = int(np.prod(layer_shapes(body, in_shape).out_shape))
    last = draw_layer(rng, "fc", (1, 1, 1, outputs), a_bits=None, kind="fc")
    return lower(network(in_shape, a_bits, body, last)).layers[0]


def run(layer, config, rng, *, in_address=0, slow=0.2, repeats=1):
    unit = Reader(config)
    fragment, memories = memories_of(unit)
    benches = []
    for _ in range(repeats):
        codes = rng.integers(0, 1 << layer.a_bits, layer.in_shape).astype(np.uint8)
        benches.append(
            read_layer(unit, layer, config, codes, rng, in_address=in_address, slow=slow)
        )

    async def testbench(ctx):
        fill_memories(ctx, memories, rng)
        for bench in benches:
            await bench(ctx)

    geometry = LayerGeometry.of(layer, config)
    work = geometry.patches * config.cols * (sum(geometry.copy_steps) + geometry.words * 16 + 20)
    simulate(fragment, testbench, limit=repeats * (work + 500))


def draw_geometry(rng):
    """A random layer (shape, input shape, fields) with at least one output pixel."""
    while True:
        height, width, per_group = (int(rng.integers(1, top)) for top in (7, 7, 4))
        groups = int(rng.choice([1, 1, 2, 3]))
        kernel = rng.integers(1, 4, 2)
        dilation = rng.choice([1, 1, 1, 2], 2)
        stride = rng.choice([1, 1, 2, 3], 2)
        padding = rng.integers(0, 4, 4) * rng.integers(0, 2, 4)
        padded = np.array([height, width]) + padding[:2] + padding[2:]
        conv = (padded - ((kernel - 1) * dilation + 1)) // stride + 1
        pool = None
        if rng.random() < 0.5:
            pool_kernel = rng.integers(1, 4, 2)
            pool_stride = np.minimum(rng.integers(1, 4, 2), pool_kernel)
            pool = Pool(kind="max", kernel=tuple(map(int, pool_kernel)),
                        stride=tuple(map(int, pool_stride)))  # fmt: skip
        if (conv >= (pool.kernel if pool else 1)).all():
            break
    fields = {
        "groups": groups, "pool": pool, "stride": tuple(map(int, stride)),
        "dilation": tuple(map(int, dilation)), "padding": tuple(map(int, padding)),
    }  # fmt: skip
    shape = (groups, *map(int, kernel), per_group)
    return shape, (height, width, per_group * groups), fields


@pytest.mark.parametrize("case", range(24))
def test_random_layers(case, seed):
    rng = np.random.default_rng([seed, case])
    shape, in_shape, fields = draw_geometry(rng)
    layer = integer_layer(rng, shape, in_shape, int(rng.integers(1, 4)), **fields)
    fetch = int(rng.choice([8, 16]))
    lanes = int(rng.integers(fetch, 40))
    in_address = int(rng.integers(0, 5))
    config = engine_for(
        layer, lanes, fetch, int(rng.integers(1, 4)), int(rng.choice([2, 4])), in_address,
        spare=int(rng.integers(0, 3)),
    )  # fmt: skip
    print(shape, in_shape, fields, config)
    run(layer, config, rng, in_address=in_address, slow=float(rng.choice([0, 0.5])))


DEGENERATE = {
    # K = 1: one bit per patch, everything else of the word is zero.
    "one_product": ((1, 1, 1, 1), (3, 3, 1), {}, 8, 8, 1),
    # The kernel covers the map's width: its rows are one run.
    "full_width": ((1, 2, 4, 2), (5, 4, 2), {}, 11, 8, 2),
    # A fully connected layer's shape: the whole map is one run over several words.
    "whole_map": ((1, 1, 1, 40), (1, 1, 40), {}, 13, 8, 3),
    # Padding wider than the kernel: windows that lie wholly in the padding.
    "only_padding": ((1, 2, 2, 1), (1, 1, 1), {"padding": (3, 3, 3, 3)}, 8, 8, 2),
    # Wide padding on the right alone: offsets far beyond the map's row.
    "right_padding": ((1, 1, 1, 4), (1, 1, 4), {"padding": (0, 0, 0, 9)}, 8, 8, 1),
    # A run longer than the map's row, most of it padding.
    "wide_kernel": ((1, 1, 7, 3), (2, 1, 3), {"padding": (0, 3, 0, 3)}, 9, 8, 1),
    # Patch words that end exactly with the patch: nothing to clear.
    "exact_words": ((1, 2, 2, 4), (3, 3, 4), {}, 16, 16, 1),
    # A map that fills its memory words exactly, read to the last bit.
    "exact_map": ((1, 3, 3, 1), (8, 8, 1), {}, 9, 8, 4),
    # More columns than pixels.
    "one_pixel": ((1, 3, 3, 2), (3, 3, 2), {}, 18, 16, 4),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_layers(name, rng):
    shape, in_shape, fields, lanes, fetch, cols = DEGENERATE[name]
    layer = integer_layer(rng, shape, in_shape, 2, **fields)
    run(layer, engine_for(layer, lanes, fetch, cols, 2, 0), rng)


def test_layers_after_one_another(rng):
    """Nothing of a map or patch before is left: the second run clears what the first wrote."""
    layer = integer_layer(rng, (1, 2, 3, 2), (4, 4, 2), 3, padding=(1, 0, 0, 2))
    run(layer, engine_for(layer, 17, 16, 2, 2, 1), rng, in_address=1, repeats=3)


def test_image_planes_are_shallow(rng):
    """Planes beyond `out_bits` hold the image only; a body layer's deeper patches ignore them."""
    layer = integer_layer(rng, (1, 2, 2, 5), (3, 3, 5), 2)
    config = engine_for(layer, 8, 8, 1, 2, 7).replace(
        a_bits=3, out_bits=2, image_depth=2, image_patch_depth=1
    )
    run(layer, config, rng, in_address=7)
