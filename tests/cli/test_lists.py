"""`dorefa boards` and `dorefa devices`: what they list is what other verbs take."""

import re

import pytest

from dorefa.synth.boards.catalog import BOARDS, find_board
from dorefa.synth.targets.catalog import TARGETS, find_target


def test_boards(dorefa):
    outcome = dorefa("boards")
    assert outcome.status == 0 and outcome.err == ""
    boards = dorefa("boards", "--json", "-").report["boards"]
    assert [board["name"] for board in boards] == list(BOARDS)
    for board in boards:
        own = find_board(board["name"])
        device = find_target(board["target"]).find_device(board["device"])
        assert (board["luts"], board["brams"]) == (device.luts, device.brams)
        assert (board["lanes"], board["rows"]) == own.array
        line = re.search(rf"^{board['name']} .*$", outcome.out, re.MULTILINE)[0]
        assert f"{board['device']} " in line and f"{board['clock_mhz']:.3f}" in line
        assert not board["note"] or f"\n{board['name']}: {board['note']}\n" in outcome.out


def test_devices(dorefa):
    outcome = dorefa("devices")
    assert outcome.status == 0 and outcome.err == ""
    devices = dorefa("devices", "--json", "-").report["devices"]
    assert {device["target"] for device in devices if device["default"]} == {
        name for name, target in TARGETS.items() if target.devices
    }
    for device in devices:
        assert find_target(device["target"]).find_device(device["name"]).ffs == device["ffs"]
        assert re.search(rf"^{device['name']} .* {device['luts']:,} ", outcome.out, re.MULTILINE)
    assert sum(len(target.devices) for target in TARGETS.values()) == len(devices)
    assert outcome.out.rstrip().endswith("xilinx, asic, whose netlists are counted and not routed")


def test_boards_without_their_package(dorefa, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    assert dorefa("boards").error == "amaranth-boards is missing; accepted: pip install 'dorefa[boards]'"


@pytest.mark.parametrize("verb", ["boards", "devices"])
def test_nothing_else_is_taken(verb, dorefa):
    assert dorefa(verb, "ulx3s").status == 2
