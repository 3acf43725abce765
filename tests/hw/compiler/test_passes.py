"""Layers cut into passes: tiles that no half holds, blocks that no group can read, channels that fill up."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.passes import finds_its_trunk, pixel_channels
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig

from ..engine.engine_bench import Bench, beats_of, compare
from ..support import draw_layer, network


def test_a_tile_that_no_half_holds(rng):
    body = draw_layer(rng, "conv", (6, 3, 3, 2), w_bits=3, padding=(1, 1, 1, 1))
    last = draw_layer(rng, "fc", (2, 1, 1, 24), kind="fc", a_bits=None)
    integer = lower(network((2, 2, 2), 2, body, last))
    config = EngineConfig(lanes=8, rows=4, fetch_bits=8, weights="stream", weight_depth=17)
    with pytest.raises(InputError) as caught:
        schedule(integer, config)
    message = (
        "layer conv: one tile of 4 channels needs 9 weight words per row (= 3 words x 3 bits); accepted: "
        "weight_depth of at least 18, a tile in each half"
    )
    assert str(caught.value) == message
    assert find_problems(integer, config)[-1] == message
    # Two tiles one after the other; the fully connected layer reads two blocks.
    plan = schedule(integer, config.replace(weight_depth=18))
    assert [(part.layer, part.part) for part in plan.passes] == [(0, 0), (0, 1), (1, 0)]


def test_blocks_that_no_channel_group_can_read(rng):
    """Two cuts of three channels, read in three groups of two."""
    body = draw_layer(rng, "conv", (6, 1, 1, 8))
    split = draw_layer(rng, "split", (3, 1, 1, 2), groups=3)
    last = draw_layer(rng, "fc", (2, 1, 1, 12), kind="fc", a_bits=None)
    integer = lower(network((2, 2, 8), 2, body, split, last))
    config = EngineConfig(lanes=8, rows=4, fetch_bits=8, weights="stream", weight_depth=2)
    with pytest.raises(InputError) as caught:
        schedule(integer, config)
    assert str(caught.value) == (
        "layer conv: its 2 tiles do not fit half of weight_depth 2 at once, and no part of it has channels "
        "that divide the channel groups of split (2 channels); accepted: rows that do, or weight_depth of at "
        "least 4"
    )
    # Both ways out that it names.
    assert len(schedule(integer, config.replace(rows=2, quant=2, weight_depth=6)).of_layer(0)) == 1
    assert len(schedule(integer, config.replace(weight_depth=6)).of_layer(0)) == 1


def residual_network(seed):
    return lower(
        random_network(
            seed, residual=True, a_bits=2, conv_layers=3, max_macs=20_000, max_size=5, max_channels=20
        )
    )


@pytest.mark.parametrize("seed_of_network", [9, 25, 65, 79, 84])
def test_passes_with_filling_channels_add_to_trunks(seed_of_network, rng):
    """A layer cut into passes that are filled up adds to a trunk that would fit one pass: both leave the same
    places for a pixel, and nothing is added that nobody wrote."""
    integer = residual_network(seed_of_network)
    config = fit(integer, lanes=16, rows=4, quant=1, weights="stream", quantizer="thresholds")
    plan = schedule(integer, config)
    adding = [
        index
        for index, layer in enumerate(integer.layers)
        if layer.add is not None and any(-1 in part.output_channels() for part in plan.of_layer(index))
    ]
    assert adding
    for index in adding:
        other = integer.layers[index].add
        assert plan.trunk_steps[index] == plan.trunk_steps[other]
        assert finds_its_trunk(*(pixel_channels(plan.of_layer(number)) for number in (index, other)))
    compiled = compile_network(integer, config)
    images = random_images(integer, 1, int(rng.integers(1 << 31)))
    compare(compiled, images, Bench(compiled, rng).run([beats_of(images[0], 1)], 1))


def test_channels_that_fill_up_without_a_trunk():
    """A layer that would be cut differently follows those of its trunk, where it can."""
    integer = residual_network(34)
    config = fit(integer, lanes=16, rows=4, quant=1, weights="stream", quantizer="thresholds")
    assert not find_problems(integer, config)
    assert find_problems(integer, config.replace(weight_depth=40)) == [
        "layer block1_b: it is cut like others of its trunk, into passes of 2 of its 4 tiles, and no part "
        "of it has channels that divide the channel groups of block2_c (1 channels); accepted: rows that "
        "do, or a larger weight_depth, now 40"
    ]
