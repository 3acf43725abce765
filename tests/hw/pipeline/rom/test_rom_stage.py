# amaranth: UnusedElaboratable=no
"""Layers computed by arrays with weights from a memory: every size, maps back to back, exact times."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden import random_images, run_integer
from dorefa.hw.pipeline.rom.sizes import RomSizes, rom_choices
from dorefa.hw.pipeline.rom.stage import RomStage
from dorefa.hw.pipeline.slots.stream import Stream

from ...signed_codes import make_signed
from ...support import simulate
from ..bench import network_of


def layers_of(number):
    """(network of one layer, its map's shape) for each layer of a random network that has an array, some with
    signed codes."""
    network = network_of(number)
    averages = (layer.pool is not None and layer.pool.kind == "average" for layer in network.layers)
    if number % 3 == 1 and not any(averages):
        network = make_signed(network, np.random.default_rng(number))
    shape, bits, signed = network.input_shape, network.input_bits, network.input_signed
    for layer in network.layers:
        alone = replace(
            network,
            layers=(replace(layer, source=-1),),
            input_shape=shape,
            input_bits=bits,
            input_signed=signed,
            results=(),
        )
        if any(True for _ in rom_choices(layer, shape)):
            yield alone, shape
        shape, bits, signed = layer.out_shape, layer.out_bits, layer.out_signed


def words_of(image, bits):
    """The slots' words."""
    codes = image.reshape(-1, image.shape[-1]).astype(int) % (1 << bits)
    return [sum(int(code) << (bits * at) for at, code in enumerate(pixel)) for pixel in codes]


def numbers_of(word, count, bits, signed):
    """The numbers in a slot's word."""
    found = np.array([word >> (bits * at) & ((1 << bits) - 1) for at in range(count)])
    return found - (signed * (found >> (bits - 1)) << bits)


def run(stage, images, spacing, rest, extra):
    """[(cycle, word, blank)] of the slots that leave and the cycles of restarts; `extra()` idle cycles, or
    slots that have no pixel, come behind each slot, and `rest` idle ones behind a map."""
    slots, restarts = [], []
    bits = stage.layer.a_bits
    sizes = stage.sizes
    idle = stage.latency + (sizes.positions + stage.flush + 1) * sizes.pace + 3 * stage.settle + 20

    async def testbench(ctx):
        cycle = 0

        async def tick(valid=0, blank=0, word=0, restart=0):
            nonlocal cycle
            for name, value in (("valid", valid), ("blank", blank), ("word", word), ("restart", restart)):
                ctx.set(getattr(stage.i, name), value)
            await ctx.tick()
            cycle += 1
            if ctx.get(stage.o.valid):
                slots.append((cycle, ctx.get(stage.o.word), bool(ctx.get(stage.o.blank))))
            if ctx.get(stage.o.restart):
                assert not ctx.get(stage.o.valid)
                restarts.append(cycle)

        for image in images:
            for word in words_of(image, bits):
                await tick(valid=1, word=word)
                for _ in range(spacing - 1 + extra()):
                    await tick()
            for _ in range(rest):
                await tick()
            # A flush of the stages before: slots that are none.
            if extra():
                await tick(valid=1, blank=1, word=1)
                await tick(restart=1)
        for _ in range(idle):
            await tick()

    simulate(stage, testbench, limit=2 * (len(images) * (images[0].size * (spacing + 8) + rest) + idle))
    return slots, restarts


@pytest.mark.parametrize("number", range(40))
def test_layers(number, seed):
    rng = np.random.default_rng([number, seed])
    pool = list(layers_of(1000 * seed + number))
    for network, shape in pool[-2:] if number % 2 else pool[:2]:
        (layer,) = network.layers
        choices = [sizes for sizes in rom_choices(layer, shape) if sizes.cycles < 3000]
        if not choices:
            continue
        sizes = choices[int(rng.integers(len(choices)))]
        check(network, sizes, rng, absorbs=bool(rng.integers(2)), gaps=number % 3 == 0)


def check(network, sizes, rng, *, absorbs, gaps):
    """Three maps as close together as they may come; `gaps`: or not."""
    (layer,), shape = network.layers, sizes.shape
    pixels, settle = shape[0] * shape[1], int(rng.integers(1, 4))
    flush = 0 if layer.is_result else int(rng.integers(0, 3))
    stage = RomStage(sizes, absorbs=absorbs, flush=flush, settle=settle)
    spacing = max(sizes.words, stage.busy // pixels)
    rest = max(0, stage.busy - pixels * spacing)
    images = random_images(network, 3, int(rng.integers(1000)))
    wanted = run_integer(network, images, outputs=[layer.name])[layer.name]
    slots, restarts = run(stage, images, spacing, rest, lambda: int(gaps and rng.integers(0, 4)))
    own = [slot for slot in slots if not slot[2]]
    signed = layer.is_result or layer.out_signed
    numbers = [numbers_of(word, stage.numbers, stage.out_bits, signed) for _, word, _ in own]
    assert (np.array(numbers).ravel() == wanted.ravel()).all(), (layer.name, sizes.rows, sizes.lanes)
    assert len(slots) - len(own) == 3 * flush
    assert len(restarts) == 3 * bool(flush)
    check_restarts(stage, slots, restarts)
    if not gaps:
        passed = stage.passed(Stream.origin(pixels, spacing))
        times = passed.start + passed.causes * passed.pace + passed.delay
        maps = (pixels * spacing + rest) * np.arange(3)[:, None]
        ends = own[layer.out_channels // stage.numbers - 1 :: layer.out_channels // stage.numbers]
        assert [cycle for cycle, _, _ in ends] == (times + maps).ravel().tolist()


def check_restarts(stage, slots, restarts):
    """Each is as many cycles behind the last blank slot, or more, as in front of the next map's first one."""
    cycles = np.array([cycle for cycle, _, _ in slots])
    for restart in restarts:
        before, behind = cycles[cycles < restart], cycles[cycles > restart]
        assert restart - before[-1] == stage.settle
        assert not len(behind) or behind[0] - restart >= stage.settle


@pytest.mark.parametrize("number", range(6))
def test_what_the_last_steps_read(number):
    """Against a walk through all of them."""
    for network, shape in layers_of(300 + number):
        (layer,) = network.layers
        for sizes in [sizes for sizes in rom_choices(layer, shape) if sizes.cycles < 400]:
            geometry, pool = sizes.raster.geometry, layer.pool
            apart, window = (pool.stride, pool.kernel) if pool else ((1, 1), (1, 1))
            words = []
            for y, x in np.ndindex(*sizes.outputs):
                for v, u in np.ndindex(*window):
                    for group, _, j, i, chunk in np.ndindex(
                        layer.groups, sizes.row_groups, *sizes.values.shape[1:3], sizes.chunks
                    ):
                        row = (y * apart[0] + v) * geometry.stride[0] + j * geometry.dilation[0]
                        column = (x * apart[1] + u) * geometry.stride[1] + i * geometry.dilation[1]
                        row, column = row - geometry.padding[0], column - geometry.padding[1]
                        inside = 0 <= row < shape[0] and 0 <= column < shape[1]
                        word = (row * shape[1] + column) * sizes.words + group * sizes.chunks + chunk
                        words.append(word if inside else sizes.map_words)
            assert len(words) == sizes.cycles
            for count in (1, 2, 5, 40, 1000):
                assert sizes.last_reads(count) == min(words[-count:])


KINDS = {
    "padded above": lambda layer, raster: raster.geometry.padding[0] > 0,
    "padded left": lambda layer, raster: raster.geometry.padding[1] > 0,
    "padded below": lambda layer, raster: raster.geometry.padding[2] == 1,
    "padded right": lambda layer, raster: raster.geometry.padding[3] == 1,
    "signed and padded": lambda layer, raster: layer.a_signed and max(raster.geometry.padding) > 0,
    "maxima": lambda layer, raster: layer.pool is not None and layer.pool.kind == "max",
    "overlapping": lambda layer, raster: layer.pool is not None and layer.pool.stride < layer.pool.kernel,
    "sums of codes": lambda layer, raster: layer.pool is not None and layer.pool.kind == "max",
    "falling sums of codes": lambda layer, raster: layer.pool is not None and layer.inverted.any(),
    "groups": lambda layer, raster: layer.groups > 1,
    "strides": lambda layer, raster: layer.stride != (1, 1),
    "dilation": lambda layer, raster: layer.dilation != (1, 1),
    "falling": lambda layer, raster: layer.inverted.any(),
    "results": lambda layer, raster: layer.is_result,
}


def summed(network):
    """With the sum over each window of pooling instead of the maximum."""
    (layer,) = network.layers
    pool = replace(layer.pool, kind="average_codes")
    bits = (((1 << layer.code_bits) - 1) * pool.area).bit_length()
    return replace(network, layers=(replace(layer, pool=pool, out_bits=bits, code_step=1, code_offset=0),))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer(kind, rng):
    """Three of each."""
    found = 0
    for number in range(2000):
        for network, shape in layers_of(number):
            (layer,) = network.layers
            choices = [sizes for sizes in rom_choices(layer, shape) if 8 < sizes.cycles < 1500]
            if choices and KINDS[kind](layer, choices[0].raster):
                sizes = choices[int(rng.integers(len(choices)))]
                if kind.endswith("sums of codes"):
                    network = summed(network)
                    sizes = replace(sizes, layer=network.layers[0])
                check(network, sizes, rng, absorbs=bool(found % 2), gaps=False)
                found += 1
                if found == 3:
                    return
    pytest.fail(f"{found} such layers were drawn")


def test_a_threshold_above_the_greatest_sum(rng):
    """Is not reached by the map whose sum is the greatest; one at the least sum always is."""
    for number in range(2000):
        for network, shape in layers_of(number):
            (layer,) = network.layers
            if layer.thresholds is None or layer.pool is not None or layer.groups > 1 or layer.a_signed:
                continue
            sizes = next(iter(rom_choices(layer, shape)))
            if sizes.outputs != (1, 1) or sizes.values.shape[1:3] != shape[:2] or len(sizes.values) < 2:
                continue
            best = np.maximum(sizes.values, 0).sum(axis=(1, 2, 3)).argmax()
            low, high = sizes.value_bounds
            bounds = np.full_like(layer.thresholds, low)
            bounds[best] = high + 1
            layer = replace(layer, thresholds=bounds, inverted=np.zeros_like(layer.inverted))
            network = replace(network, layers=(layer,))
            image = ((sizes.values[best] > 0) * sizes.largest).astype(np.uint8)[None]
            wanted = run_integer(network, image, outputs=[layer.name])[layer.name].ravel()
            assert wanted[best] != wanted[1 - best if best < 2 else 0]
            stage = RomStage(RomSizes(layer, shape, 1, 1), absorbs=False)
            slots, _ = run(stage, image, stage.busy, 0, lambda: 0)
            (word,) = (word for _, word, _ in slots)
            assert (numbers_of(word, stage.numbers, stage.out_bits, layer.out_signed) == wanted).all()
            return
    pytest.fail("no such layer was drawn")


def test_every_size_of_a_layer(rng):
    """A padded convolution of two groups, some with fewer outputs in the last turn than in the others."""
    for number in range(200):
        for network, shape in layers_of(number):
            (layer,) = network.layers
            if layer.groups == 2 and any(layer.padding) and layer.kernel != (1, 1):
                choices = list(rom_choices(layer, shape))
                uneven = any(sizes.last_rows < sizes.rows for sizes in choices)
                if uneven and max(sizes.cycles for sizes in choices) < 2000:
                    for sizes in choices:
                        check(network, sizes, rng, absorbs=True, gaps=False)
                    return
    pytest.fail("no such layer was drawn")
