"""The layer descriptor: placement in words, encoding, values that do not fit."""

import pytest
from amaranth.hdl import Shape

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import PRESETS, EngineConfig
from dorefa.hw.interface import program

from ..support import decode, stored

# Everything at its least, so that fields are as narrow as they get.
LEAST = EngineConfig(
    lanes=8,
    rows=1,
    quant=1,
    fetch_bits=8,
    weight_depth=1,
    feature_depth=2,
    image_depth=2,
    patch_depth=1,
    param_depth=1,
    pool_depth=1,
    layer_depth=1,
)
# Everything that an engine can have, so that no field is left out.
WHOLE = EngineConfig(
    weights="stream",
    cols=2,
    engines=2,
    trunk_bits=20,
    trunk_depth=1000,
    sum_values=1,
    sum_codes=1,
    pool_slots=8,
    column_reads="shared",
)
# Addresses so wide that a distance takes more than two words.
WIDE = WHOLE.replace(feature_depth=1 << 22, prefetch=0)
CONFIGS = [*PRESETS.values(), LEAST, WHOLE, WIDE]
NAMES = [*PRESETS, "least", "whole", "wide_addresses"]


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_no_field_overlaps_or_spans_two_words(config):
    taken = set()
    for name, (word, bit) in program.placement(config).items():
        width = program.shapes(config)[name].width
        assert 0 < width and bit + width <= program.WORD_BITS
        places = {(word, bit + n) for n in range(width)}
        assert not places & taken, name
        taken |= places
    empty = {move * 4 + 3 for move in range(9)} if config is WIDE else set()
    assert {word for word, _ in taken} == set(range(program.words_per_layer(config))) - empty


@pytest.mark.parametrize("config, words", [(LEAST, 7), (WHOLE, 18), (WIDE, 36)])
def test_moves_begin_the_descriptor(config, words):
    """As many words for every move, so that their numbers are address bits of the table."""
    assert program.table_words(config) == words
    places, moves = program.placement(config), program.moves(config)
    each = words // len(moves)
    for part in program.distance_fields(config):
        first, bit = places[f"start_{part}_step"]
        for number, move in enumerate(moves):
            assert places[f"{move}_{part}_step"] == (number * each + first, bit)
    assert min(places[name][0] for name in program.fields(config)) == words


def test_layout_is_the_fields():
    config = PRESETS["default"]
    layout = program.layout(config)
    for name, shape in program.fields(config).items():
        assert Shape.cast(layout[name].shape) == shape


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_what_is_encoded_is_decoded(config, rng):
    for _ in range(20):
        values = {}
        for name, (least, greatest) in program.accepted(config).items():
            # Ends often: an off-by-one in a width shows there.
            values[name] = [least, greatest, int(rng.integers(least, greatest + 1))][rng.integers(3)]
        words = program.encode(config, "conv", values)
        assert len(words) == program.words_per_layer(config)
        assert all(0 <= word < 1 << 32 for word in words)
        assert decode(config, words) == stored(config, values)


def test_addresses_are_modulo_the_address_space():
    """Padding starts outside of the map: the first window's address may be negative."""
    config = PRESETS["tiny"].replace(trunk_bits=16, trunk_depth=32)
    space = 1 << config.feature_address_bits
    values = dict.fromkeys(program.shapes(config), 1)
    values |= {"start_address_step": -5, "pixel_address_step": space + 3, "row_address_step": -1}
    values |= {"trunk_address_step": 40, "trunk_address_offset": -3}
    read = decode(config, program.encode(config, "conv", values))
    assert read["start_address_step"] == space - 5
    assert read["pixel_address_step"] == 3
    assert read["row_address_step"] == space - 1
    assert (read["trunk_address_step"], read["trunk_address_offset"]) == (8, 29)


@pytest.mark.parametrize(
    "field, value, accepted",
    [
        ("row_rounds", 64, "its 7 bits; accepted: 1 to 63"),
        ("row_rounds", 0, "its 7 bits; accepted: 1 to 63"),
        ("in_rows", 1024, "its 10 bits; accepted: 0 to 1023"),
        ("start_y_step", -2049, "its 12 bits; accepted: -2048 to 2047"),
        ("start_y_step", 2048, "its 12 bits; accepted: -2048 to 2047"),
        # tiny: 256 words of 16 bits, 12 address bits
        ("start_x_step", 1 << 13, "its 14 bits; accepted: -8192 to 8191"),
        ("out_address", 256, "its 8 bits; accepted: 0 to 255"),
    ],
)
def test_values_that_do_not_fit(field, value, accepted):
    config = PRESETS["tiny"]
    values = dict.fromkeys(program.shapes(config), 1) | {field: value}
    with pytest.raises(InputError) as caught:
        program.encode(config, "conv2", values)
    assert str(caught.value) == (f"layer conv2: program field {field} = {value} does not fit {accepted}")
