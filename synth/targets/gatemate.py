"""Cologne Chip GateMate. LUTs are halves of a CPE, block RAMs have 40 kbit."""

from __future__ import annotations

from .target import Cells, Device, NetlistFlow, Router, Target, fpga_synthesis
from .tool import nextpnr

_SYNTHESIS = fpga_synthesis(
    "synth_gatemate",
    # For nextpnr; multiplexers of eight inputs would take more cells than trees of smaller ones.
    options="-luttree -nomx8",
    no_pads=" -noiopad -noclkbuf",
)

TARGET = Target(
    name="gatemate",
    description="Cologne Chip GateMate, trees of 2-input LUTs",
    synthesis=_SYNTHESIS,
    cells=Cells(
        luts={"CC_LUT[12]": 1, "CC_L2T4": 1, "CC_L2T5": 2, "CC_MX2": 1, "CC_MX4": 2, "CC_ADDF": 1},
        flip_flops=("CC_DFF",),
        brams={"CC_BRAM_40K": 1, "CC_BRAM_20K": 0.5},
        ignored=("CC_BUFG",),
    ),
    netlist=NetlistFlow(
        commands=_SYNTHESIS.flat,
        models=("gatemate/cells_sim.v",),
        memories="block RAM",
    ),
    router=Router(
        tool=nextpnr("himbaechel-gatemate"),
        unpinned=("--vopt", "allow-unconstrained"),
        # A flip-flop is fed by its own half alone.
        cells={"CPE_LT": 1, "CPE_ADDF": 1, "CPE_ADDF2": 1},
        registers=True,
        few_pins=True,
    ),
    devices=(
        Device(
            name="CCGM1A1",
            luts=40_960,
            ffs=40_960,
            brams=32,
            pattern="CCGM1A1",
            arguments=("--device", "CCGM1A1"),
        ),
    ),
)
