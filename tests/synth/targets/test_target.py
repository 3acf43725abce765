"""dorefa.synth.targets.target: devices, and the commands of an FPGA's synthesis."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.targets.catalog import find_target
from dorefa.synth.targets.target import fpga_synthesis


def test_commands_of_a_synthesis():
    made = fpga_synthesis("synth_x", options="-a", no_pads=" -p", flat=" -f", hierarchical=" -h")
    assert made.flat == "synth_x -a -p -top {top} -f" and made.hierarchical == "synth_x -a -p -top {top} -h"
    assert made.routed == "synth_x -a -top {top} -f" and made.options == "-a"
    assert fpga_synthesis("synth_x").flat == "synth_x -top {top}"


def test_default_devices():
    """What is routed on unless asked, and what holds most."""
    first = {name: find_target(name).devices[0].name for name in ("ice40", "ecp5", "gowin", "gatemate")}
    assert first == {
        "ice40": "iCE40-HX8K",
        "ecp5": "LFE5U-85F-6",
        "gowin": "GW1NR-9C",
        "gatemate": "CCGM1A1",
    }
    largest = {name: find_target(name).largest_device.name for name in first}
    assert largest == first | {"gowin": "GW2A-18C"}


def test_targets_without_devices():
    assert find_target("xilinx").largest_device is None and find_target("asic").largest_device is None
    with pytest.raises(InputError, match="device is 'XC7'; accepted for xilinx: no device"):
        find_target("xilinx").find_device("XC7")


def test_unknown_device():
    with pytest.raises(InputError, match="device is 'iCE40-HX8K'; accepted for ecp5: LFE5U-85F-6, "):
        find_target("ecp5").find_device("iCE40-HX8K")


def test_excess_names_all_that_is_too_much():
    device = find_target("ice40").find_device("iCE40-UP5K")
    full = {"luts": device.luts, "ffs": device.ffs, "brams": device.brams}
    assert device.excess(full) is None
    assert device.excess(full | {"brams": 30.5}) == "does not fit iCE40-UP5K: it needs 30.5 of 30 block RAMs"
    assert device.excess({"luts": 5281, "ffs": 9000, "brams": 0}) == (
        "does not fit iCE40-UP5K: it needs 5,281 of 5,280 LUTs, 9,000 of 5,280 flip-flops"
    )
