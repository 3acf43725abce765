# amaranth: UnusedElaboratable=no
"""The table of boards, and what amaranth's platforms plan for them."""

import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.boards import catalog, top
from dorefa.synth.boards.clock import Clock
from dorefa.synth.targets.catalog import find_target


def test_unknown_board():
    with pytest.raises(InputError, match="unknown board 'nexys'; accepted: ulx3s_12f, .*, icebreaker"):
        catalog.find_board("nexys")


@pytest.mark.parametrize("name", catalog.BOARDS)
def test_the_oscillator_is_the_platforms(name):
    board = catalog.find_board(name)
    platform = catalog.make_platform(board)
    resource, rate = board.oscillator
    assert platform.default_clk == resource
    assert platform.default_clk_frequency == rate


@pytest.mark.parametrize("name", catalog.BOARDS)
def test_the_plan_places_every_pin(name):
    """Line, clock and lights have pins, and the engine's clock is constrained."""
    board = catalog.find_board(name)
    platform = catalog.make_platform(board)
    clock = Clock(board.target.boards.pll, board.oscillator, board.clock)
    plan = platform.build(top.BoardTop(board, clock), do_build=False, do_program=False)
    constraints = next(
        text if isinstance(text, str) else text.decode()
        for file, text in plan.files.items()
        if file.endswith((".lpf", ".pcf", ".cst"))
    )
    pinned = set(re.findall(r'(?:LOCATE COMP "|IO_LOC "|set_io )(\w+)', constraints))
    # Of a differential pair the family's tools place one pin, or both.
    assert len({re.sub(r"__(io|p|n)$", "", pin) for pin in pinned}) == 3 + len(board.leds)
    if board.family != "gowin" and clock.rate != board.oscillator[1]:
        assert "pll_clock" in constraints


def test_every_board_has_a_device_of_its_family():
    found = {name: catalog.device_of(board).name for name, board in catalog.BOARDS.items()}
    assert found["ulx3s_12f"] == "LFE5U-25F-6"
    assert found["versa_ecp5"] == "LFE5U-45F-6" and found["ecpix5_85"] == "LFE5U-85F-6"
    assert found["icebreaker"] == "iCE40-UP5K" and found["ice40_hx8k_b_evn"] == "iCE40-HX8K"
    assert found["tang_nano_9k"] == "GW1NR-9C" and found["tang_primer_20k"] == "GW2A-18C"


def test_engine_parameters_of_a_board_and_its_family():
    sizes = {name: catalog.find_board(name).sizes for name in ("icebreaker", "ulx3s_85f", "tang_nano_9k")}
    assert sizes["tang_nano_9k"] == {"lanes": 16, "rows": 8}
    assert sizes["ulx3s_85f"] == {"lanes": 64, "rows": 32, "structure": "mapped", "pipeline": "level2"}
    assert sizes["icebreaker"] == {
        "lanes": 16,
        "rows": 8,
        "structure": "mapped",
        "pipeline": "none",
        "prefetch": 0,
        "checks": "basic",
    }


def make_clock(family, oscillator, wanted):
    """The clock of a board of the family."""
    return Clock(find_target(family).boards.pll, oscillator, wanted)


@pytest.mark.parametrize(
    ("family", "oscillator", "wanted", "rate", "parameters"),
    [
        ("ecp5", 25e6, 66e6, 65.625e6, {"CLKI_DIV": 8, "CLKFB_DIV": 21}),
        ("ecp5", 100e6, 50e6, 50e6, {"CLKI_DIV": 2, "CLKFB_DIV": 1}),
        ("ice40", 12e6, 24e6, 24e6, {"DIVR": 0, "DIVF": 63, "DIVQ": 5}),
        ("gowin", 27e6, 54e6, 54e6, {"IDIV_SEL": 0, "FBDIV_SEL": 1}),
    ],
)
def test_settings_of_the_loops(family, oscillator, wanted, rate, parameters):
    clock = make_clock(family, ("clk", oscillator), wanted)
    assert clock.rate == rate
    found = clock.setting.parameters
    assert {name: found[name] for name in parameters} == parameters


@pytest.mark.parametrize("family", ["ecp5", "ice40", "gowin"])
def test_settings_keep_the_limits(family, rng):
    """Rates follow from the parameters, are not above the wanted one, and the loop runs within its range."""
    for wanted in rng.integers(17, 120, 20) * 1e6:
        clock = make_clock(family, ("clk", 24e6), float(wanted))
        if clock.setting is None:
            assert wanted == 24e6
            continue
        values = clock.setting.parameters
        if family == "ecp5":
            rate = 24e6 / values["CLKI_DIV"] * values["CLKFB_DIV"]
            assert 400e6 <= rate * values["CLKOP_DIV"] <= 800e6
        elif family == "ice40":
            vco = 24e6 / (values["DIVR"] + 1) * (values["DIVF"] + 1)
            rate = vco / (1 << values["DIVQ"])
            assert 533e6 <= vco <= 1066e6
        else:
            rate = 24e6 / (values["IDIV_SEL"] + 1) * (values["FBDIV_SEL"] + 1)
            assert 500e6 <= rate * values["ODIV_SEL"] <= 1200e6
        assert clock.rate == rate <= wanted


@pytest.mark.parametrize("wanted", [13e6, 5000e6])
def test_no_loop_and_rates_beyond_it(wanted):
    assert make_clock("ice40", ("clk12", 12e6), 12e6).setting is None
    accepted = f"clock is {wanted / 1e6:g} MHz; accepted with the PLL: 16.125 to 528.000 MHz"
    with pytest.raises(InputError, match=accepted):
        make_clock("ice40", ("clk12", 12e6), wanted)
