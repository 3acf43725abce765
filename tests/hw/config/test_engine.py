"""The engine's configuration: limits, messages, derived sizes, files."""

import dataclasses
import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import OPTIONAL, PRESETS, EngineConfig, preset
from dorefa.hw.config.ranges import RANGES
from dorefa.hw.config.toml_file import read_overrides

# What an engine that trains must have beside it.
TRAINS = {"training": 1, "results": "wide", "port_bytes": 4}
# Neighbors that must move along when a parameter goes to the end of its range.
COMPANIONS = {
    ("lanes", 8): {"fetch_bits": 8},
    ("rows", 1): {"quant": 1},
    ("a_bits", 1): {"out_bits": 1},
    ("out_bits", 16): {"a_bits": 16},
    ("plane_groups", 8): {"out_bits": 1},
    ("quant", 64): {"rows": 64, "fetch_bits": 64},
    ("fetch_bits", 1024): {"lanes": 1024},
    ("port_bytes", 64): {"fetch_bits": 64},
    ("training", 1): TRAINS,
}


def message(**parameters):
    with pytest.raises(InputError) as caught:
        EngineConfig(**parameters)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", RANGES)
def test_ends_of_every_range(name):
    least, greatest, unit = RANGES[name]
    for value in (least, greatest):
        made = EngineConfig(**{name: value} | COMPANIONS.get((name, value), {}))
        assert getattr(made, name) == value
    for value in (least - 1, greatest + 1):
        assert message(**{name: value}) == (f"{name} is {value}; accepted: {least} to {greatest} ({unit})")


@pytest.mark.parametrize("value", [True, 8.0, "8", None])
def test_sizes_are_integers(value):
    assert message(lanes=value) == (
        f"lanes is {value!r}; accepted: an integer, 8 to 1024 (bits of the reduction per cycle)"
    )


@pytest.mark.parametrize(
    "parameters, expected",
    [
        ({"encoding": "ternary"}, "encoding is 'ternary'; accepted: bipolar, twos_complement, unsigned, any"),
        ({"quantizer": 1}, "quantizer is 1; accepted: thresholds, affine"),
        ({"structure": ""}, "structure is ''; accepted: compress, sum, mapped"),
        ({"pipeline": True}, "pipeline is True; accepted: none, level, level2, level3, level4"),
        ({"weights": "disk"}, "weights is 'disk'; accepted: onchip, stream"),
        ({"trunks": "disk"}, "trunks is 'disk'; accepted: onchip, stream"),
        (
            {"trunks": "stream"},
            "trunk_bits is 0 with trunks 'stream'; accepted: at least 1, because there is no trunk to stream",
        ),
        (
            {"trunks": "stream", "trunk_bits": 16, "trunk_depth": 64, "cols": 2},
            "cols is 2 with trunks 'stream'; accepted: 1, because several columns do not leave pixel by "
            "pixel",
        ),
        (
            {"trunks": "stream", "trunk_bits": 16, "trunk_depth": 3},
            "trunk_depth is 3 with trunks 'stream'; accepted: at least 4, the least queue",
        ),
        ({"results": "double"}, "results is 'double'; accepted: single, wide"),
        ({"column_reads": "both", "cols": 2}, "column_reads is 'both'; accepted: separate, shared"),
        (
            {"column_reads": "shared"},
            "column_reads is 'shared' with cols 1; accepted: 'separate', because one column has nothing to "
            "share",
        ),
        (
            {"column_reads": "shared", "cols": 2, "lanes": 33},
            "lanes is 33 with column_reads 'shared'; accepted: a multiple of 8, because all pieces of a "
            "patch word are whole ones",
        ),
        (
            {"column_reads": "shared", "cols": 2, "lanes": 48},
            "fetch_bits is 32 with column_reads 'shared'; accepted: a power of two that divides lanes = 48, "
            "because all pieces of a patch word are whole ones",
        ),
        ({"fetch_bits": 24}, "fetch_bits is 24; accepted: a power of two"),
        ({"patch_slots": 3}, "patch_slots is 3; accepted: a power of two"),
        (
            {"lanes": 31},
            "fetch_bits is 32; accepted: at most lanes = 31, because a fetched word must not span "
            "more than two patch words",
        ),
        (
            {"quant": 16, "fetch_bits": 8},
            "fetch_bits is 8; accepted: at least 16 (= max of engines x quant 16 and port_bytes 1), because "
            "the plane packer writes one word per cycle",
        ),
        (
            {"port_bytes": 64},
            "fetch_bits is 32; accepted: at least 64 (= max of engines x quant 4 and port_bytes 64), "
            "because the plane packer writes one word per cycle",
        ),
        (
            {"out_bits": 3, "a_bits": 2},
            "out_bits is 3; accepted: at most a_bits = 2, because the next layer could not read wider codes",
        ),
        (
            {"rows": 3},
            "quant is 4; accepted: at most rows = 3, because a tile leaves one accumulator per row "
            "and column",
        ),
        (
            {"engines": 3, "quant": 16, "fetch_bits": 32},
            "fetch_bits is 32; accepted: at least 48 (= max of engines x quant 48 and port_bytes 1), "
            "because the plane packer writes one word per cycle",
        ),
        (
            {"training": 1},
            "results is 'single' with training 1; accepted: 'wide', because jobs leave whole maps of sums",
        ),
        (
            TRAINS | {"cols": 2},
            "cols is 2 with training 1; accepted: 1, because sums of several columns do not leave pixel by "
            "pixel",
        ),
        (
            TRAINS | {"plane_groups": 2},
            "plane_groups is 2 with training 1; accepted: 1, because codes of gradients do not wait",
        ),
        (
            TRAINS | {"port_bytes": 6},
            "port_bytes is 6 with training 1; accepted: 4, 8 or 16, because a beat holds whole words",
        ),
        (
            TRAINS | {"port_bytes": 16, "quant": 1},
            "quant is 1 with training 1 and port_bytes 16; accepted: at least 2, because the codes of a beat "
            "leave in one beat of results",
        ),
        (
            {"engines": 2, "rows": 30},
            "rows is 30 with 2 engines; accepted: a multiple of quant = 4, because the engines' "
            "channels alternate in groups of quant",
        ),
    ],
)
def test_messages(parameters, expected):
    assert message(**parameters) == expected


def test_immutable_and_comparable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EngineConfig().lanes = 3
    assert EngineConfig(lanes=40) == EngineConfig().replace(lanes=40) != EngineConfig()
    assert EngineConfig(**PRESETS["wide"].as_dict()) == PRESETS["wide"]
    assert list(EngineConfig().as_dict()) == [f.name for f in dataclasses.fields(EngineConfig)]


def test_replace_checks_again():
    with pytest.raises(InputError, match=r"^unknown engine parameter 'colums'; accepted: lanes, "):
        EngineConfig().replace(colums=3)
    with pytest.raises(InputError, match="^rows is 0; accepted: 1 to 256"):
        EngineConfig().replace(rows=0)


def test_presets():
    assert preset("default") == EngineConfig()
    for name in PRESETS:
        assert preset(name) is PRESETS[name]
    with pytest.raises(InputError) as caught:
        preset("huge")
    assert str(caught.value) == ("unknown preset 'huge'; accepted: default, lean, tiny, wide, fixed_point")


@pytest.mark.parametrize(
    "encoding, xnor, signed_planes, sum_row",
    [
        ("bipolar", True, False, False),
        ("unsigned", False, False, False),
        ("twos_complement", False, True, False),
        ("any", False, True, True),
    ],
)
def test_hardware_of_the_encodings(encoding, xnor, signed_planes, sum_row):
    made = EngineConfig(encoding=encoding)
    assert (made.xnor, made.signed_planes, made.sum_row) == (xnor, signed_planes, sum_row)
    assert made.inverts == (not xnor)
    # The slope behind a trunk cannot go into bipolar weights.
    assert made.replace(trunk_bits=16).inverts


def test_derived_sizes():
    made = EngineConfig(lanes=70, rows=5, cols=3, fetch_bits=32, a_bits=8, out_bits=3)
    assert made.binary_ops_per_cycle == 70 * 5 * 3
    several = made.replace(engines=3, rows=8, quant=4)
    assert several.binary_ops_per_cycle == 70 * 8 * 3 * 3
    assert (several.total_rows, several.total_quant) == (24, 12)
    assert made.image_planes == 5
    # Codes are stored in as many bits as the engine reads where it sums them, else as it quantizes.
    assert (made.stored_bits, made.replace(sum_codes=1).stored_bits) == (3, 8)
    assert made.subwords == 3  # 32 + 32 + 6
    assert made.replace(lanes=64).subwords == 2
    # Bit addresses 0 to depth * fetch_bits - 1.
    assert made.replace(feature_depth=2, fetch_bits=8).feature_address_bits == 4
    assert made.replace(feature_depth=3, fetch_bits=8).feature_address_bits == 5
    assert made.replace(acc_bits=32).result_bits == 32
    assert made.replace(acc_bits=33).result_bits == 64


def test_overrides_from_a_file(tmp_path):
    path = tmp_path / "engine.toml"
    for text in ('lanes = 24\nencoding = "any"\n', '[engine]\nlanes = 24\nencoding = "any"\n'):
        path.write_text(text)
        assert read_overrides(path) == {"lanes": 24, "encoding": "any"}
    path.write_text("")
    assert read_overrides(str(path)) == {}


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"lane = 24\n", "unknown engine parameter 'lane'; accepted: lanes, rows, cols"),
        (b"[array]\nlanes = 24\n", "unknown engine parameter 'array'; accepted: lanes"),
        (b"lanes 24\n", "not TOML: "),
        (b"\xff\xfe\n", "no UTF-8 text: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_wrong_files(tmp_path, content, expected):
    path = tmp_path / "engine.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {expected}"):
        read_overrides(path)


def test_missing_file(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(InputError) as caught:
        read_overrides(path)
    assert str(caught.value) == (
        f"{path}: cannot be read (No such file or directory); accepted: a TOML file with engine parameters"
    )


def test_lean_holds_the_largest_reduction_that_its_patches_hold():
    config = preset("lean")
    reduction = config.patch_depth * config.lanes
    assert reduction == 4608
    assert reduction * (2**config.a_bits - 1) < 1 << (config.acc_bits - 1)


def test_the_head_of_the_verilog_names_what_is_used():
    """Engines without a part do not name it."""
    trains = EngineConfig(**TRAINS, size_bits=11, kernel_bits=7, row_steps=1)
    assert trains.summary() == trains.as_dict()
    assert EngineConfig().as_dict().keys() - EngineConfig().summary().keys() == {*OPTIONAL}


def test_words_of_a_beat():
    assert [EngineConfig(**TRAINS | {"port_bytes": n}).gradient_lanes for n in (4, 8, 16)] == [2, 4, 8]
    assert [EngineConfig(**TRAINS | {"port_bytes": n}).weight_lanes for n in (4, 8, 16)] == [1, 2, 4]
