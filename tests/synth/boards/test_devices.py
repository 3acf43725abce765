"""dorefa.synth.boards.catalog.devices: what devices hold, and which one is on a board."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.boards import devices
from dorefa.synth.boards.catalog import BOARDS
from dorefa.synth.flow import nextpnr


def test_every_board_has_a_device_of_its_family():
    found = {name: devices.capacity_of(board) for name, board in BOARDS.items()}
    assert all(found[name].target == board.family for name, board in BOARDS.items())
    assert found["ulx3s_12f"].name == "LFE5U-25F-6"
    assert found["versa_ecp5"].name == "LFE5U-45F-6" and found["ecpix5_85"].name == "LFE5U-85F-6"
    assert found["icebreaker"].name == "iCE40-UP5K" and found["ice40_hx8k_b_evn"].name == "iCE40-HX8K"
    assert found["tang_nano_9k"].name == "GW1NR-9C" and found["tang_primer_20k"].name == "GW2A-18C"


def test_what_is_routed_has_a_capacity():
    routed = {name: device.target for name, device in nextpnr.DEVICES.items()}
    assert routed == {name: device.target for name, device in devices.CAPACITIES.items()}
    for target in ("ecp5", "ice40"):
        assert devices.find_capacity(target).name == nextpnr.find_device(target)[0]


def test_targets_without_devices():
    assert devices.find_capacity("xilinx") is None and devices.find_capacity("asic") is None
    with pytest.raises(InputError, match="device is 'XC7'; accepted for xilinx: no device"):
        devices.find_capacity("xilinx", "XC7")


def test_unknown_names():
    with pytest.raises(InputError, match="unknown target 'ecp6'; accepted: ice40, ecp5"):
        devices.find_capacity("ecp6")
    with pytest.raises(InputError, match="device is 'iCE40-HX8K'; accepted for ecp5: LFE5U-85F-6, "):
        devices.find_capacity("ecp5", "iCE40-HX8K")


def test_excess_names_all_that_is_too_much():
    device = devices.CAPACITIES["iCE40-UP5K"]
    full = {"luts": device.luts, "ffs": device.ffs, "brams": device.brams}
    assert device.excess(full) is None
    assert device.excess(full | {"brams": 30.5}) == "does not fit iCE40-UP5K: it needs 30.5 of 30 block RAMs"
    assert device.excess({"luts": 5281, "ffs": 9000, "brams": 0}) == (
        "does not fit iCE40-UP5K: it needs 5,281 of 5,280 LUTs, 9,000 of 5,280 flip-flops"
    )
