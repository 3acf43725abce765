"""dorefa.hw.config.defaults: any parameter may be given alone."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.config.defaults import default_with
from dorefa.hw.config.engine import EngineConfig, preset
from dorefa.hw.config.ranges import CHOICES, RANGES

# What an engine has only together with something else.
NOT_ALONE = {("column_reads", "shared"), ("trunks", "stream"), ("training", 1)}
# What may follow what is given.
FOLLOWS = {"a_bits", "out_bits", "quant", "fetch_bits"}


def alone():
    """(parameter, value) of values all over every range, and of every choice."""
    default = preset("default").as_dict()
    for name, (least, most, *_) in RANGES.items():
        values = {
            least,
            min(most, 2 * default[name]),
            max(least, default[name] // 2),
            max(least, default[name] // 4),
        }
        yield from ((name, value) for value in sorted(values))
    yield from ((name, value) for name, choices in CHOICES.items() for value in choices)


@pytest.mark.parametrize(("name", "value"), list(alone()))
def test_one_given_alone(name, value):
    if (name, value) in NOT_ALONE:
        with pytest.raises(InputError, match=f"^{name} is|^(trunk_bits|results) is"):
            default_with(**{name: value})
        return
    found, default = default_with(**{name: value}).as_dict(), preset("default").as_dict()
    assert found[name] == value
    changed = {own for own in found if found[own] != default[own]} - {name}
    assert changed <= FOLLOWS
    # Nothing follows that need not.
    for own in changed:
        with pytest.raises(InputError):
            EngineConfig(**{**found, own: default[own]})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"lanes": 8}, {"fetch_bits": 8, "quant": 4}),
        ({"lanes": 24}, {"fetch_bits": 16}),
        ({"rows": 3}, {"quant": 3}),
        ({"rows": 6, "engines": 2}, {"quant": 3}),
        ({"quant": 16, "engines": 4}, {"fetch_bits": 64}),
        ({"port_bytes": 64}, {"fetch_bits": 64}),
        ({"a_bits": 1}, {"out_bits": 1}),
        ({"out_bits": 16}, {"a_bits": 16}),
        ({"lanes": 48, "cols": 2, "column_reads": "shared"}, {"fetch_bits": 16}),
    ],
)
def test_what_follows(given, expected):
    config = default_with(**given)
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lanes": 16, "fetch_bits": 32}, "fetch_bits is 32; accepted: at most lanes = 16"),
        ({"lanes": 16, "quant": 20, "rows": 32}, "fetch_bits is 16; accepted: at least 20"),
        ({"rows": 1, "quant": 2}, "quant is 2; accepted: at most rows = 1"),
        ({"a_bits": 2, "out_bits": 3}, "out_bits is 3; accepted: at most a_bits = 2"),
        ({"lane": 16}, "unknown engine parameter 'lane'"),
        ({"lanes": "16"}, "lanes is '16'; accepted"),
        ({"lanes": 4}, "lanes is 4; accepted"),
    ],
)
def test_what_is_given_stays(given, message):
    with pytest.raises(InputError, match=message):
        default_with(**given)


def test_pairs(seed):
    """What is refused of two sizes names one of them."""
    draws = RawDraws(seed)
    sizes = ("lanes", "rows", "engines", "quant", "port_bytes", "a_bits", "out_bits", "cols")
    for _ in range(300):
        given = {}
        for name in (draws.pick(sizes), draws.pick(sizes)):
            least, most, *_ = RANGES[name]
            given[name] = draws.integer(least, min(most, 130))
        try:
            config = default_with(**given)
        except InputError as error:
            named = tuple(f"{name} is" for name in (*given, "fetch_bits", "quant", "rows"))
            assert str(error).startswith(named), given
        else:
            assert {name: getattr(config, name) for name in given} == given
