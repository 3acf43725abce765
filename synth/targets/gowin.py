"""Gowin GW1N and GW2A."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth import Const, Instance, Module
from amaranth.build.plat import TemplatedPlatform

from .pll import ClockNets, Pll, Setting
from .target import BoardFlow, Cells, Device, NetlistFlow, Router, Target, fpga_synthesis
from .tool import Tool, nextpnr

# Wide multiplexers made of LUT pairs double the size of popcounts.
_SYNTHESIS = fpga_synthesis("synth_gowin", options="-nowidelut", no_pads=" -noiopads")
_NEXTPNR = nextpnr("himbaechel-gowin")


def _device(
    name: str, device: str, pins: tuple[object, object, object], *, luts: int, ffs: int, brams: int
) -> Device:
    """`pins` are those of the harness's clock, reset and serial input: nextpnr wants them given."""
    places = zip(("clk", "rst", "serial"), pins, strict=True)
    return Device(
        name=name,
        luts=luts,
        ffs=ffs,
        brams=brams,
        pattern=name.removesuffix("C"),
        arguments=(
            "--device",
            device,
            "--vopt",
            f"family={name.replace('NR-', 'N-')}",
            "--vopt",
            "cst=pins.cst",
        ),
        constraints={"pins.cst": "".join(f'IO_LOC "{port}" {pin};\n' for port, pin in places)},
    )


def current(tool: str, arguments: list[str]) -> tuple[str, list[str]]:
    """The command of nextpnr-himbaechel for one of nextpnr-gowin, which it succeeds; any other as it is."""
    if tool != "nextpnr-gowin":
        return tool, arguments
    result = []
    pairs = iter(arguments)
    for argument in pairs:
        if argument in ("--family", "--cst"):
            result += ["--vopt", f"{argument.removeprefix('--')}={next(pairs)}"]
        else:
            result.append(argument)
    return _NEXTPNR.name, result


def _settings(oscillator: float) -> Iterator[Setting]:
    """rPLL; comparison 3 to 400 MHz, oscillator 500 to 1,200 MHz, which suits GW1N and GW2A."""
    for into in range(64):
        compared = oscillator / (into + 1)
        for back in range(64):
            rate = compared * (back + 1)
            for out in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128):
                if compared >= 3e6 and 500e6 <= rate * out <= 1200e6:
                    parameters = {"IDIV_SEL": into, "FBDIV_SEL": back, "ODIV_SEL": out}
                    yield Setting(rate=rate, parameters=parameters)
                    break


def _connect(m: Module, platform: TemplatedPlatform, nets: ClockNets, setting: Setting) -> None:
    m.submodules.pll = Instance(
        "rPLL",
        *(("p", name, value) for name, value in setting.parameters.items()),
        p_FCLKIN=f"{nets.oscillator / 1e6:g}",
        p_DEVICE=platform.family,
        p_DYN_IDIV_SEL="false",
        p_DYN_FBDIV_SEL="false",
        p_DYN_ODIV_SEL="false",
        p_DYN_SDIV_SEL=2,
        p_DYN_DA_EN="false",
        p_PSDA_SEL="0000",
        p_DUTYDA_SEL="1000",
        p_CLKFB_SEL="internal",
        p_CLKOUT_BYPASS="false",
        p_CLKOUTP_BYPASS="false",
        p_CLKOUTD_BYPASS="false",
        p_CLKOUTD_SRC="CLKOUT",
        p_CLKOUTD3_SRC="CLKOUT",
        p_CLKOUT_FT_DIR=1,
        p_CLKOUTP_FT_DIR=1,
        p_CLKOUT_DLY_STEP=0,
        p_CLKOUTP_DLY_STEP=0,
        i_CLKIN=nets.buffered_pin(m),
        i_CLKFB=0,
        i_RESET=0,
        i_RESET_P=0,
        i_FBDSEL=Const(0, 6),
        i_IDSEL=Const(0, 6),
        i_ODSEL=Const(0, 6),
        i_PSDA=Const(0, 4),
        i_DUTYDA=Const(0, 4),
        i_FDLY=Const(0, 4),
        o_CLKOUT=nets.clock,
        o_LOCK=nets.locked,
    )


TARGET = Target(
    name="gowin",
    description="Gowin GW1N, 4-input LUTs",
    synthesis=_SYNTHESIS,
    cells=Cells(
        luts={"LUT[1-4]": 1, "ALU": 1, "RAM16S*1": 1, "RAM16S*2": 2, "RAM16S*4": 4},
        flip_flops=("DFF*",),
        brams={"SP": 1, "SPX9": 1, "SDPB": 1, "SDPX9B": 1, "DPB": 1, "DPX9B": 1, "pROM*": 1},
        ignored=("GND", "VCC", "IBUF", "OBUF"),
    ),
    netlist=NetlistFlow(
        commands=f"{_SYNTHESIS.flat} -nobram -nodsp",
        models=("gowin/cells_sim.v",),
        memories="distributed RAM",
    ),
    router=Router(
        tool=_NEXTPNR,
        cells={"LUT4": 1, "ALU": 1, "RAM16SDP4": 4},
        # A flip-flop is fed by its own LUT alone.
        registers=True,
        few_pins=True,
    ),
    devices=(
        _device("GW1NR-9C", "GW1NR-LV9QN88PC6/I5", (52, 4, 3), luts=8_640, ffs=6_480, brams=26),
        _device("GW2A-18C", "GW2A-LV18PG256C8/I7", ("H11", "T10", "T3"), luts=20_736, ffs=15_552, brams=46),
    ),
    boards=BoardFlow(
        packer=Tool(
            name="gowin_pack", package="apycula", module="apycula.gowin_pack", function="main", argv=True
        ),
        suffixes=("fs",),
        brams=("BSRAM",),
        pll=Pll(settings=_settings, connect=_connect),
        current=current,
    ),
)
