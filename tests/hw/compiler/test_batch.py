"""dorefa.hw.compiler.batch: fully connected layers over a row of images compute what they compute singly."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.errors import InputError
from dorefa.golden.network.parts import Pool
from dorefa.hw.compiler.batch import batched
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.packets import of_image, result_maps
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig

from ..support import draw_layer, network


@pytest.fixture
def covering(rng):
    """Three layers on a 3x4x5 image: a covering convolution, one in channel groups, the classes."""
    return lower(
        network(
            (3, 4, 5),
            2,
            draw_layer(rng, "cover", (12, 3, 4, 5), w_bits=2, scale=0.1),
            draw_layer(rng, "groups", (21, 1, 1, 4), groups=3, scale=0.2),
            draw_layer(rng, "fc", (7, 1, 1, 21), kind="fc", a_bits=None),
        )
    )


def test_a_row_of_images_gives_what_each_gives(covering, seed):
    images = random_images(covering, 6, seed)
    expected = run_integer(covering, images)
    row = batched(covering, 3)
    assert row.input_shape == (1, 3, 60)
    found = run_integer(row, images.reshape(2, 1, 3, 60))
    for layer in covering.layers:
        own = found[layer.name].reshape(6, -1)
        np.testing.assert_array_equal(own, expected[layer.name].reshape(6, -1), err_msg=layer.name)
    assert [layer.macs for layer in row.layers] == [3 * layer.macs for layer in covering.layers]


def test_a_batch_of_one_is_the_network(covering):
    assert batched(covering, 1) is covering


def test_the_first_layer_with_a_map_is_named(rng):
    fields = {"w_bits": 1, "scale": 0.2}
    maps = lower(
        network(
            (4, 4, 1),
            1,
            draw_layer(rng, "wide", (3, 3, 3, 1), **fields),
            draw_layer(rng, "fc", (2, 1, 1, 12), kind="fc", a_bits=None),
        )
    )
    message = "layer wide: batch is 4, but the layer is a convolution to 2x2 pixels; accepted: batch 1"
    with pytest.raises(InputError, match=message):
        batched(maps, 4)
    with pytest.raises(InputError, match=message):
        fit(maps, batch=4)
    assert find_problems(maps, fit(maps).replace(batch=4))[0].startswith(message)
    pooled = lower(
        network(
            (2, 2, 1),
            1,
            draw_layer(
                rng, "one", (3, 2, 2, 1), pool=Pool(kind="max", kernel=(1, 1), stride=(1, 1)), **fields
            ),
            draw_layer(rng, "fc", (2, 1, 1, 3), kind="fc", a_bits=None),
        )
    )
    with pytest.raises(InputError, match="layer one: .* to 1x1 pixels with pooling; accepted"):
        batched(pooled, 2)


def test_padding_does_not_cover(rng):
    padded = lower(
        network(
            (2, 2, 1),
            1,
            draw_layer(rng, "padded", (3, 2, 2, 1), padding=(1, 0, 0, 0), stride=(2, 1)),
            draw_layer(rng, "fc", (2, 1, 1, 3), kind="fc", a_bits=None),
        )
    )
    assert padded.layers[0].conv_shape == (1, 1, 3)
    with pytest.raises(InputError, match="layer padded"):
        batched(padded, 2)


def test_several_columns_are_refused():
    with pytest.raises(InputError, match="cols is 2 with batch 4; accepted: 1"):
        EngineConfig(batch=4, cols=2)
    with pytest.raises(InputError, match="batch is 65; accepted: 1 to 64"):
        EngineConfig(batch=65)


@pytest.mark.parametrize("weights", ["onchip", "stream"])
def test_results_are_sorted_pass_by_pass(covering, seed, weights):
    config = fit(covering, lanes=16, rows=1, batch=3, weights=weights)
    compiled = compile_network(covering, config)
    last = len(compiled.layers) - 1
    order = [list(part.output_channels()) for part in compiled.schedule.of_layer(last)]
    assert len(order) == len(compiled.layers[-1].passes)
    assert (len(order) > 1) == (weights == "stream")
    assert sorted(sum(order, [])) == list(range(7))
    images = random_images(covering, 3, seed)
    expected = run_integer(covering, images)["fc"]
    leaving = [expected[image, channel] for own in order for image in range(3) for channel in own]
    maps = result_maps(compiled.network, compiled.schedule, np.array(leaving))
    for image in range(3):
        np.testing.assert_array_equal(of_image(maps["fc"], image, 3), expected[image])


def test_weights_are_read_once_a_packet(covering):
    single = compile_network(covering, fit(covering, lanes=16, rows=2, weights="stream"))
    several = compile_network(covering, fit(covering, lanes=16, rows=2, weights="stream", batch=16))
    assert several.stream_bytes == single.stream_bytes > 0
    assert several.cycles < 16 * single.cycles
    for layer, alone in zip(several.layers, single.layers, strict=True):
        # One image more or less does not change what the layer would need.
        assert layer.compute_bound_batch == alone.compute_bound_batch
        assert (layer.bound_by == "transfer") == (layer.compute_bound_batch > 16)
        assert (alone.bound_by == "transfer") == (alone.bytes_per_cycle > 1)


def test_random_networks_with_maps_are_refused_by_name(seed):
    for number in range(seed, seed + 5):
        chain = lower(random_network(number, max_macs=20_000))
        first = next(
            layer.name
            for layer in chain.layers
            if layer.conv_shape[:2] != (1, 1) or any(layer.padding) or layer.pool is not None
        )
        with pytest.raises(InputError, match="layer (conv|fc)") as error:
            batched(chain, 2)
        assert str(error.value).startswith(f"layer {first}:")
