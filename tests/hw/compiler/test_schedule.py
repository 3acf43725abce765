"""Passes of networks: every channel once, halves that hold them, maps and trunks kept while needed."""

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool, Rescale
from dorefa.golden.random.network import random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.map_layout import MapLayout
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit

from ..engine.engine_bench import Bench, beats_of, compare
from ..support import draw_layer, network


def draw_case(rng, **sizes):
    """A random network and engine, its weights on chip or streaming, of those that can be cut."""
    while True:
        integer = lower(
            random_network(
                int(rng.integers(1 << 31)),
                max_macs=20_000,
                max_size=6,
                residual=bool(rng.integers(4)),
                max_channels=24,
                allow_average=True,
            )
        )
        drawn = {
            "lanes": int(rng.integers(8, 40)),
            "rows": 2 * int(rng.integers(1, 4)),
            "quant": int(rng.integers(1, 3)),
            "engines": int(rng.integers(1, 4)),
            "quantizer": "thresholds",
            "weights": str(rng.choice(["onchip", "stream"])),
        }
        # From one tile a pass up to whole layers.
        deeper = rng.choice([1, 1, 2, 5])
        try:
            config = fit(integer, **drawn | sizes)
            if config.weights == "stream":
                config = config.replace(weight_depth=int(config.weight_depth * deeper))
            return integer, config, schedule(integer, config)
        except InputError as error:
            assert "no part of it has channels that divide" in str(error) or "filled up" in str(error)


def test_every_channel_is_computed_once(rng):
    for _ in range(40):
        integer, config, plan = draw_case(rng)
        assert [part.layer for part in plan.passes] == sorted(part.layer for part in plan.passes)
        for index, layer in enumerate(integer.layers):
            parts = plan.of_layer(index)
            assert [(part.part, part.parts) for part in parts] == [
                (number, len(parts)) for number in range(len(parts))
            ]
            channels = [channel for part in parts for channel in part.output_channels()]
            assert [channel for channel in channels if channel >= 0] == list(range(len(layer.codes)))
            if config.weights == "onchip":
                assert len(parts) == 1
            else:
                half = config.weight_depth // 2
                assert all(part.geometry.weight_words <= half for part in parts)
                # No more passes than needed: a whole layer that fits stays whole, but for a trunk's.
                whole = sum(part.geometry.weight_words for part in parts)
                assert len(parts) == 1 or whole > half or layer.rescale is not None
            if layer is integer.layers[-1]:
                assert -1 not in channels


def test_quantizer_groups(rng):
    """Groups of at most `quant` channels of one tile, in the order in which the drain passes them on."""
    for _ in range(20):
        integer, config, plan = draw_case(rng)
        for part in plan.passes:
            groups = list(part.quantizer_groups())
            geometry = part.geometry
            assert len(groups) == geometry.pixel_groups
            assert [c for group in groups for c in group] == list(part.output_channels())
            sizes = [geometry.rows] * (geometry.tiles - 1) + [geometry.last_rows]
            expected = [
                min(config.total_quant, size - first)
                for _ in range(geometry.groups)
                for size in sizes
                for first in range(0, size, config.total_quant)
            ]
            assert list(map(len, groups)) == expected


def test_maps_hold_the_blocks_that_passes_leave(rng):
    """And readers in channel groups find whole blocks of theirs."""
    blocks = set()
    for _ in range(60):
        integer, config, plan = draw_case(rng)
        for index, layer in enumerate(integer.layers):
            layout, parts = plan.maps[index], plan.of_layer(index)
            if layer.out_bits is None:
                assert layout is None
                continue
            assert (layout.shape, layout.blocks) == (layer.out_shape, len(parts))
            for part in parts:
                assert layout.channels == len(list(part.output_channels()))
            for number, reader in enumerate(integer.layers):
                if reader.source == index:
                    for part in plan.of_layer(number):
                        assert part.geometry.source == layout
                    if reader.groups > 1 and layout.blocks > 1:
                        assert (layer.out_shape[2] // reader.groups) % layout.channels == 0
            blocks.add(layout.blocks)
    assert len(blocks) > 2


def test_maps_are_kept_while_they_are_needed(rng):
    """Ownership of every word, layer after layer; codes wider than the quantizer's lie low."""
    for _ in range(40):
        integer, config, plan = draw_case(rng)
        fetch, layers = config.fetch_bits, integer.layers
        layouts = [MapLayout.dense(integer.input_shape), *plan.maps]
        owner = {}
        for number, layout in enumerate(layouts):
            index = number - 1
            if index >= 0:
                source = layers[index].source + 1
                first = plan.addresses[source]
                for word in range(first, first + layouts[source].words(fetch)):
                    assert owner[word] == source, (index, word)
            if layout is None:
                continue
            words = range(plan.addresses[number], plan.addresses[number] + layout.words(fetch))
            assert words.stop <= plan.map_words
            if index >= 0:
                # Codes are written while those of the source are still read.
                assert not {word for word in words if owner.get(word) == source}
            bits = integer.input_bits if index < 0 else layers[index].out_bits
            assert bits <= config.out_bits or words.stop <= plan.image_words
            owner |= dict.fromkeys(words, number)


def check_trunks(integer, plan):
    """What lies at every place of the trunk memory, layer after layer: what is added is what the layer that
    is added left there, channels that fill up included. Returns (trunks stored, sums that took the place of
    what they add)."""
    held, stored, in_place = {}, 0, 0

    def places(index, first):
        """{place: channels} of all groups of a layer whose trunk begins at `first`."""
        found = {}
        for part in plan.of_layer(index):
            geometry = part.geometry
            own = first + part.part * geometry.pixel_groups
            for pixel in range(geometry.pixels):
                for number, group in enumerate(part.quantizer_groups()):
                    real = tuple(channel for channel in group if channel >= 0)
                    found[own + pixel * plan.trunk_steps[index] + number] = real
        assert max(found) < plan.trunk_groups
        return found

    for index, layer in enumerate(integer.layers):
        assert (plan.trunk_addresses[index] is not None) == layer.trunk
        added = own = {}
        if layer.add is not None:
            added = places(index, plan.trunk_addresses[layer.add])
            for place, channels in added.items():
                assert held[place] == (layer.add, channels), (layer.name, place)
        if layer.trunk:
            own = places(index, plan.trunk_addresses[index])
            stored += 1
            assert own == added or not set(own) & set(added)
            held |= {place: (index, channels) for place, channels in own.items()}
        in_place += own == added != {}
    return stored, in_place


def test_trunks_are_kept_while_they_are_needed(rng):
    stored = in_place = 0
    narrow = {"weights": "stream", "quant": 1, "engines": 1}
    for number in range(120):
        integer, config, plan = draw_case(rng, **narrow if number % 2 else {})
        if find_problems(integer, config):
            continue  # trunks in other groups than what is added to them
        counts = check_trunks(integer, plan)
        stored, in_place = stored + counts[0], in_place + counts[1]
    assert stored > in_place > 0


def trunk(rng, name, shape, *, bits=12, a_bits=None, **fields):
    """A layer that leaves a trunk of small integers."""
    rescale = Rescale(
        m=rng.integers(-9, 10, shape[0]),
        b=rng.integers(-50, 50, shape[0]),
        f=3,
        scale=np.float32(0.125),
        bits=bits,
    )
    return draw_layer(rng, name, shape, a_bits=a_bits, rescale=rescale, **fields)


def test_a_trunk_that_two_layers_add(rng):
    """The first sum must leave it alone, the second may take its place."""
    first = trunk(rng, "first", (4, 1, 1, 3))
    second = trunk(rng, "second", (4, 1, 1, 3), source="input", add="first")
    third = trunk(rng, "third", (4, 1, 1, 3), source="input", add="first", a_bits=2)
    fourth = trunk(rng, "fourth", (4, 1, 1, 4), add="second", a_bits=2)
    last = draw_layer(rng, "fc", (2, 1, 1, 16), kind="fc", a_bits=None)
    integer = lower(network((2, 2, 3), 2, first, second, third, fourth, last))
    config = fit(integer, lanes=8, rows=4, quant=2)
    plan = schedule(integer, config)
    assert check_trunks(integer, plan) == (2, 0)
    # Both trunks at once: two groups of each of four pixels.
    assert plan.trunk_groups == 2 * 2 * 4
    compiled = compile_network(integer, config)
    images = random_images(integer, 2, 4)
    outcome = Bench(compiled, rng).run([beats_of(image, 1) for image in images], 2)
    compare(compiled, images, outcome)


def test_other_groups_of_channels(rng):
    """A trunk whose groups of channels are cut elsewhere than those of what is added to it."""
    first = trunk(rng, "first", (6, 1, 1, 4))
    second = trunk(rng, "second", (6, 1, 1, 2), groups=2, source="input", add="first", a_bits=2)
    last = draw_layer(rng, "fc", (2, 1, 1, 24), kind="fc", a_bits=None)
    integer = lower(network((2, 2, 4), 2, first, second, last))
    sizes = {"lanes": 8, "rows": 6, "fetch_bits": 8}
    assert find_problems(integer, fit(integer, quant=2, **sizes)) == [
        "layer second: its channels leave in other groups than those of first, which it adds (4 and 3 groups "
        "a pixel); accepted: rows and channels per group that are multiples of quant"
    ]
    assert find_problems(integer, fit(integer, quant=1, **sizes)) == []


def test_other_channels_that_fill_up(rng):
    """A layer cut into passes of four channels adds to ten that two channel groups leave at once."""
    first = trunk(rng, "first", (10, 1, 1, 2), groups=2)
    second = trunk(rng, "second", (10, 3, 3, 4), padding=(1, 1, 1, 1), source="input", add="first", a_bits=2)
    last = draw_layer(rng, "fc", (2, 1, 1, 40), kind="fc", a_bits=None)
    integer = lower(network((2, 2, 4), 2, first, second, last))
    config = fit(integer, lanes=8, rows=4, quant=1, fetch_bits=8, weights="stream")
    assert find_problems(integer, config) == []
    assert find_problems(integer, config.replace(weight_depth=18)) == [
        "layer second: its 3 passes are filled up with channels that the 1 of first, which it adds, do not "
        "leave; accepted: a weight_depth, now 18, that cuts both alike"
    ]


def test_trunk_of_pixels_that_pooling_leaves_out(rng):
    pool = Pool(kind="max", kernel=(2, 2), stride=(2, 2))
    first = trunk(rng, "first", (2, 1, 1, 3), a_bits=2, pool=pool)
    # On a map of 2x2 codes, padded to the trunk's 5x4 pixels.
    second = trunk(rng, "second", (2, 1, 1, 2), padding=(2, 1, 1, 1), add="first", a_bits=2)
    last = draw_layer(rng, "fc", (2, 1, 1, 5 * 4 * 2), kind="fc", a_bits=None)
    integer = lower(network((5, 4, 3), 2, first, second, last))
    assert find_problems(integer, fit(integer, lanes=8, rows=2)) == [
        "layer first: its trunk is kept, but pooling leaves out 1 of 5 rows; accepted: pooling windows that "
        "cover the map"
    ]
