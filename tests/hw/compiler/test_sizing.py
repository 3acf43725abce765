"""Engines fitted to networks: everything least, everything asked for kept."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.needs import needs
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.ranges import RANGES

from ..support import draw_layer, network


def draw_network(rng, **limits):
    limits = {"max_macs": 20_000, "max_size": 6, "max_channels": 17} | limits
    return lower(random_network(int(rng.integers(1 << 31)), **limits))


def test_fits_and_nothing_is_larger_than_needed(rng):
    for _ in range(10):
        integer = draw_network(rng)
        config = fit(integer, quantizer="thresholds")
        assert find_problems(integer, config) == []
        for name, need in needs(integer, config, schedule(integer, config)).items():
            assert getattr(config, name) == max(need.least, RANGES[name][0])
        assert compile_network(integer, config)


def test_affine_widths_are_least(rng):
    made = 0
    for _ in range(12):
        integer = draw_network(rng, a_bits=2, encodings=("bipolar", "unsigned"))
        try:
            config = fit(integer, quantizer="affine")
        except InputError as error:
            assert "the threshold quantizer" in str(error)
            continue
        made += 1
        assert compile_network(integer, config)
        for name in ("mul_bits", "bias_bits", "shift_bits"):
            least = 2 if name == "bias_bits" else 1
            if getattr(config, name) > least:
                with pytest.raises(InputError):
                    compile_network(integer, config.replace(**{name: getattr(config, name) - 1}))
    assert made > 3


def test_overrides_are_kept(rng):
    integer = draw_network(rng)
    asked = {
        "lanes": 40,
        "rows": 7,
        "cols": 3,
        "quant": 5,
        "fetch_bits": 16,
        "acc_bits": 40,
        "weight_depth": 5000,
        "structure": "sum",
        "pipeline": "level",
        "port_bytes": 4,
        "patch_slots": 2,
        "encoding": "any",
        "quantizer": "thresholds",
        "a_bits": 8,
    }
    made = fit(integer, **asked).as_dict()
    assert {name: made[name] for name in asked} == asked


@pytest.mark.parametrize(
    "encodings, expected",
    [
        (("bipolar", "bipolar"), "bipolar"),
        (("unsigned", "unsigned"), "unsigned"),
        (("unsigned", "twos_complement"), "twos_complement"),
        (("twos_complement", "twos_complement"), "twos_complement"),
        (("bipolar", "unsigned"), "any"),
        (("twos_complement", "bipolar"), "any"),
    ],
)
def test_encoding(encodings, expected, rng):
    body = draw_layer(rng, "conv", (2, 1, 1, 2), encoding=encodings[0])
    last = draw_layer(rng, "fc", (1, 1, 1, 8), a_bits=None, kind="fc", encoding=encodings[1])
    assert fit(lower(network((2, 2, 2), 2, body, last))).encoding == expected


def test_quantizer_by_width(rng):
    for bits, expected in ((4, "thresholds"), (5, "affine")):
        body = draw_layer(rng, "conv", (2, 1, 1, 2), a_bits=bits, scale=0.37)
        last = draw_layer(rng, "fc", (1, 1, 1, 8), a_bits=None, kind="fc")
        assert fit(lower(network((2, 2, 2), 2, body, last))).quantizer == expected


def test_thresholds_where_no_affine_form_exists(rng):
    """Imported networks have codes of many bits whose thresholds no multiplier and shift give."""
    body = draw_layer(rng, "conv", (2, 1, 1, 200), a_bits=5, scale=0.37)
    last = draw_layer(rng, "fc", (1, 1, 1, 8), a_bits=None, kind="fc")
    integer = lower(network((2, 2, 200), 2, body, last))
    conv = integer.layers[0]
    # Steps of 1 up to the middle, the other half far away.
    thresholds = np.minimum(np.arange(31), 15) + 90 * (np.arange(31) > 15)
    bent = replace(conv, thresholds=np.tile(thresholds, (2, 1)), slope=None, offset=None)
    integer = replace(integer, layers=(bent, *integer.layers[1:]))
    with pytest.raises(InputError, match="no affine form"):
        fit(integer, quantizer="affine")
    config = fit(integer)
    assert config.quantizer == "thresholds" and find_problems(integer, config) == []


def test_size_of_the_array(rng):
    """64 x 32 from 20 million binary operations per image on."""
    last = draw_layer(rng, "fc", (1, 1, 1, 4), a_bits=None, kind="fc")
    for channels, lanes, rows in ((100, 32, 16), (1100, 64, 32)):
        wide = draw_layer(rng, "wide", (channels, 1, 1, 310), w_bits=8, a_bits=1)
        narrow = draw_layer(rng, "narrow", (1, 1, 1, channels), a_bits=1)
        config = fit(lower(network((2, 2, 310), 2, wide, narrow, last)))
        operations = 4 * channels * 310 * 8 * 2 + 4 * channels + 4
        assert (operations > 20_000_000) == (lanes == 64)
        assert (config.lanes, config.rows) == (lanes, rows)


def test_no_layer_waits_for_the_least_quant(rng):
    for _ in range(10):
        integer = draw_network(rng)
        config = fit(integer, rows=16)

        def waits(quant, config=config, integer=integer):
            return any(
                loop.cols * (loop.pixel_groups // layer.groups) > loop.tiles * loop.tile_cycles
                for layer in integer.layers[:-1]
                for loop in [PassGeometry.of(layer, config.replace(quant=quant, fetch_bits=32))]
            )

        assert not waits(config.quant) or config.quant == 16
        assert config.quant == 1 or waits(config.quant // 2)


@pytest.mark.parametrize(
    "sizes, quant_at_most",
    [
        # Binary weights and activations on many rows and columns wait for the widest drain.
        ({"lanes": 64, "rows": 256, "cols": 4}, 64),
        # A word of the feature memory bounds the channels written per cycle.
        ({"lanes": 8, "rows": 64, "cols": 4}, 8),
        ({"lanes": 40, "rows": 64, "cols": 2}, 32),
    ],
)
def test_quant_is_bounded(sizes, quant_at_most, rng):
    body = draw_layer(rng, "conv", (256, 1, 1, 8), a_bits=1)
    last = draw_layer(rng, "fc", (4, 1, 1, 1024), a_bits=None, kind="fc")
    integer = lower(network((2, 2, 8), 1, body, last))
    assert fit(integer, **sizes).quant == quant_at_most


@pytest.mark.parametrize(
    "sizes, message",
    [
        ({"lanes": 0}, "lanes is 0; accepted: 8 to 1024 (bits of the reduction per cycle)"),
        ({"rows": 2.5}, "rows is 2.5; accepted: an integer, 1 to 256 (output channels in parallel)"),
        ({"cols": "2"}, "cols is '2'; accepted: an integer, 1 to 16 (output pixels in parallel)"),
        ({"quant": -1}, "quant is -1; accepted: 1 to 64 (channels quantized per cycle)"),
        (
            {"port_bytes": "4"},
            "port_bytes is '4'; accepted: an integer, 1 to 64 (bytes per beat of the image port)",
        ),
        (
            {"out_bits": "2"},
            "out_bits is '2'; accepted: an integer, 1 to 16 "
            "(bits of the widest activation the engine writes)",
        ),
        ({"lanes": 4}, "lanes is 4; accepted: 8 to 1024 (bits of the reduction per cycle)"),
        ({"rows": 300}, "rows is 300; accepted: 1 to 256 (output channels in parallel)"),
        (
            {"encoding": "binary"},
            "encoding is 'binary'; accepted: bipolar, twos_complement, unsigned, any",
        ),
    ],
)
def test_errors(sizes, message, rng):
    with pytest.raises(InputError) as caught:
        fit(draw_network(rng), **sizes)
    assert str(caught.value) == message


def test_unknown_override(rng):
    with pytest.raises(InputError, match="^unknown engine parameter 'colums'; accepted: lanes"):
        fit(draw_network(rng), colums=2)


def test_least_networks(rng):
    """One layer, one class, one pixel, one bit."""
    only = draw_layer(rng, "fc", (1, 1, 1, 1), a_bits=None, kind="fc")
    integer = lower(network((1, 1, 1), 1, only))
    config = fit(integer, lanes=8, rows=1)
    assert (config.weight_depth, config.patch_depth, config.param_depth) == (1, 1, 1)
    assert (config.feature_depth, config.layer_depth, config.out_bits) == (2, 1, 1)
    assert find_problems(integer, config) == []


def test_streams_need_two_tiles(rng):
    """Each half of the weight memory holds the largest tile, and nothing less would do."""
    for number in range(10):
        integer = draw_network(rng, residual=bool(number % 2))
        config = fit(integer, weights="stream", rows=4, quantizer="thresholds", quant=1)
        parts = schedule(integer, config).passes
        assert config.weight_depth == 2 * max(part.geometry.weight_words for part in parts)
        problems = find_problems(integer, config)
        # Passes may cut a trunk elsewhere than the one it is added to; nothing else is in the way.
        assert all("leave in other groups" in problem for problem in problems)
        if problems:
            continue
        least = 2 * max(
            layer.w_bits * part.geometry.words for part in parts for layer in [integer.layers[part.layer]]
        )
        assert config.weight_depth >= least
        if config.weight_depth == least and least > 2:
            assert find_problems(integer, config.replace(weight_depth=least - 1))


@pytest.mark.parametrize("engines, rows", [(2, 16), (3, 8), (4, 3)])
def test_engines_share_the_groups(engines, rows, rng):
    """`quant` divides `rows`, and a word of the feature memory takes the codes of all engines."""
    integer = draw_network(rng)
    config = fit(integer, engines=engines, rows=rows, quantizer="thresholds")
    assert config.rows % config.quant == 0
    assert config.fetch_bits >= engines * config.quant
    assert find_problems(integer, config) == []
    for name, need in needs(integer, config, schedule(integer, config)).items():
        assert getattr(config, name) == max(need.least, RANGES[name][0])
