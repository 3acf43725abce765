"""AMD (Xilinx) 7 series: synthesis alone."""

from __future__ import annotations

from dorefa.hw.fabric import xilinx

from .target import Cells, NetlistFlow, Target, fpga_synthesis

_SYNTHESIS = fpga_synthesis("synth_xilinx", no_pads=" -noiopad -noclkbuf", flat=" -flatten", hierarchical="")

TARGET = Target(
    name="xilinx",
    description="AMD 7 series, 6-input LUTs",
    synthesis=_SYNTHESIS,
    cells=Cells(
        luts={
            "LUT[1-6]": 1,
            "LUT6_2": 1,
            "INV": 1,
            "SRL16E": 1,
            "SRLC32E": 1,
            "RAM32X1S": 1,
            "RAM64X1S": 1,
            "RAM32X1D": 2,
            "RAM64X1D": 2,
            "RAM128X1S": 2,
            "RAM128X1D": 4,
            "RAM256X1S": 4,
            "RAM32M": 4,
            "RAM64M": 4,
        },
        flip_flops=("FD[RSCP]E*",),
        brams={"RAMB36E1": 1, "RAMB18E1": 0.5},
        ignored=("GND", "VCC", "IBUF", "OBUF", "BUFG"),
    ),
    fabric=xilinx.FABRIC,
    sizes={"structure": "mapped", "pipeline": "level2"},
    netlist=NetlistFlow(
        commands=f"{_SYNTHESIS.flat} -nobram -nodsp",
        models=("xilinx/cells_sim.v",),
        memories="distributed RAM",
    ),
)
