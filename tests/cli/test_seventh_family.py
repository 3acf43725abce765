"""A family more is one object and its line in the catalog: all verbs know it then."""

import pytest

from dorefa.hw.config.engine import preset
from dorefa.synth.targets import catalog
from dorefa.synth.targets.target import Cells, Target, fpga_synthesis

# Lattice Nexus, of which the project knows nothing: what a person would write into a file of its own.
_NEXUS = fpga_synthesis("synth_nexus", no_pads=" -noiopad")
SEVENTH = Target(
    name="nexus",
    description="Lattice Nexus, 4-input LUTs",
    synthesis=_NEXUS,
    cells=Cells(
        luts={"LUT4": 1, "WIDEFN9": 2, "CCU2": 2, "DPR16X4": 6},
        flip_flops=("FD1P3*",),
        brams={"PDP*16K*": 1, "DP16K*": 1},
        ignored=("VHI", "VLO"),
    ),
)


@pytest.fixture
def seventh(monkeypatch):
    """One more line in the catalog, for a while."""
    monkeypatch.setitem(catalog.TARGETS, SEVENTH.name, SEVENTH)
    return SEVENTH.name


def test_a_seventh_family_is_one_object(seventh, dorefa, tmp_path):
    found = dorefa("synth", "--target", seventh, "--preset", "tiny", "--unit", "dot", "--json", "-")
    assert found.status == 0, found.err
    assert found.report["target"] == seventh and found.report["ffs"] >= preset("tiny").acc_bits
    assert 16 < found.report["luts"] < 16 * 8
    assert found.report["luts_per_binary_op"] == found.report["luts"] / 16
    assert sum(line["ffs"] for line in found.report["components"]) == found.report["ffs"]
    assert f"dot on {seventh}" in found.err


def test_what_a_seventh_family_lacks_is_said(seventh, dorefa):
    assert dorefa("synth", "--target", seventh, "--pnr").error == (
        f"no place and route for target {seventh}; accepted: ice40, ecp5, gowin, gatemate"
    )
    assert dorefa("synth", "--target", seventh, "--liberty", "a.lib").error == (
        f"--liberty is for gates, not for {seventh}; accepted: --target asic"
    )
    assert "invalid choice: 'nexus'" in dorefa("simulate", "digits", "--netlist", "--target", seventh).err
    assert dorefa("explore", "digits-small", "--target", seventh, "--device", "any").error == (
        f"device is 'any'; accepted for {seventh}: no device (nothing is known of its devices)"
    )


def test_no_family_but_those_of_the_catalog(dorefa):
    outcome = dorefa("synth", "--target", SEVENTH.name)
    assert outcome.status == 2 and f"invalid choice: '{SEVENTH.name}'" in outcome.err
