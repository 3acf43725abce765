"""The boards that `dorefa build` makes bitstreams for: where amaranth-boards has them, which pins and
which clock they use, and how large an array fits."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field

from amaranth.build import Attrs
from amaranth.build.plat import TemplatedPlatform

from dorefa.golden.errors import InputError

from ..targets.catalog import find_board_flow, find_router, find_target
from ..targets.target import BoardFlow, Device, Router, Target


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board.

    family: name of the target; platform: module and class in `amaranth_boards`; oscillator:
    its clock resource and rate in Hz; clock: default rate of the engine in Hz; array: default lanes and
    rows; leds: (resource, number, part) of the busy and the error light; uart: where the board has no UART
    of its own, connector, number and receive and transmit pin, with `attributes` of the pins; note: what a
    user must connect.
    """

    family: str
    platform: tuple[str, str]
    oscillator: tuple[str, float]
    clock: float
    array: tuple[int, int]
    leds: tuple[tuple[str, int, str | None], ...] = (("led", 0, None), ("led", 1, None))
    uart: tuple[str, int, str, str] | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def target(self) -> Target:
        """What is known of its family."""
        return find_target(self.family)

    @property
    def router(self) -> Router:
        """Its family's place and route."""
        return find_router(self.family)

    @property
    def flow(self) -> BoardFlow:
        """What its family needs for bitstreams; :class:`InputError` for a family without."""
        return find_board_flow(self.family)

    @property
    def sizes(self) -> dict[str, int | str]:
        """Engine parameters that a network gets on this board unless others are asked for."""
        return {"lanes": self.array[0], "rows": self.array[1], **self.target.sizes, **self.flow.sizes}


_RGB = (("rgb_led", 0, "b"), ("rgb_led", 0, "r"))
# Arrays that leave room on the smaller devices of a family.
_SMALL, _MIDDLE, _LARGE = (16, 8), (32, 16), (64, 32)


def _ulx3s(size: str, array: tuple[int, int]) -> Board:
    return Board(
        family="ecp5",
        platform=("ulx3s", f"ULX3S_{size}_Platform"),
        oscillator=("clk25", 25e6),
        clock=50e6,
        array=array,
    )


def _orangecrab(size: str, array: tuple[int, int]) -> Board:
    return Board(
        family="ecp5",
        platform=("orangecrab_r0_2", f"OrangeCrabR0_2_{size}Platform"),
        oscillator=("clk", 48e6),
        clock=48e6,
        array=array,
        leds=_RGB,
        uart=("io", 0, "0", "1"),
        attributes={"IO_TYPE": "LVCMOS33", "PULLMODE": "UP"},
        note="serial adapter of 3.3 V: its transmit line to pin 0 (RX), its receive line to pin 1 (TX)",
    )


def _ecpix5(size: str) -> Board:
    return Board(
        family="ecp5",
        platform=("ecpix5", f"ECPIX5{size}Platform"),
        oscillator=("clk100", 100e6),
        clock=50e6,
        array=_LARGE,
        leds=_RGB,
    )


BOARDS: dict[str, Board] = {
    "ulx3s_12f": _ulx3s("12F", _MIDDLE),
    "ulx3s_25f": _ulx3s("25F", _MIDDLE),
    "ulx3s_45f": _ulx3s("45F", _LARGE),
    "ulx3s_85f": _ulx3s("85F", _LARGE),
    "orangecrab_r0_2_25f": _orangecrab("25F", _MIDDLE),
    "orangecrab_r0_2_85f": _orangecrab("85F", _LARGE),
    "versa_ecp5": Board(
        family="ecp5",
        platform=("versa_ecp5", "VersaECP5Platform"),
        oscillator=("clk100", 100e6),
        clock=50e6,
        array=_LARGE,
    ),
    "ecpix5_45": _ecpix5("45"),
    "ecpix5_85": _ecpix5("85"),
    "colorlight_5a75b": Board(
        family="ecp5",
        platform=("colorlight_5a75b_r7_0", "Colorlight_5A75B_R70Platform"),
        oscillator=("clk25", 25e6),
        clock=50e6,
        array=_MIDDLE,
        leds=(),
        note="revision 7.0; serial adapter of 3.3 V at J19: KEY+ receives, DATA_LED- transmits",
    ),
    "icesugar_pro": Board(
        family="ecp5",
        platform=("icesugar_pro", "ICESugarProPlatform"),
        oscillator=("clk25", 25e6),
        clock=50e6,
        array=_MIDDLE,
        leds=_RGB,
    ),
    "icebreaker": Board(
        family="ice40",
        platform=("icebreaker", "ICEBreakerPlatform"),
        oscillator=("clk12", 12e6),
        clock=12e6,
        array=_SMALL,
        leds=(("led_g", 0, None), ("led_r", 0, None)),
    ),
    "icesugar": Board(
        family="ice40",
        platform=("icesugar", "ICESugarPlatform"),
        oscillator=("clk12", 12e6),
        clock=12e6,
        array=_SMALL,
    ),
    "ice40_hx8k_b_evn": Board(
        family="ice40",
        platform=("ice40_hx8k_b_evn", "ICE40HX8KBEVNPlatform"),
        oscillator=("clk12", 12e6),
        clock=24e6,
        array=_SMALL,
    ),
    "tang_nano_9k": Board(
        family="gowin",
        platform=("tang_nano_9k", "TangNano9kPlatform"),
        oscillator=("clk27", 27e6),
        clock=27e6,
        array=_SMALL,
    ),
    "tang_primer_20k": Board(
        family="gowin",
        platform=("tang_primer_20k", "TangPrimer20kDockPlatform"),
        oscillator=("clk27", 27e6),
        clock=27e6,
        array=_MIDDLE,
        note="core board in its dock",
    ),
}


def find_board(name: str) -> Board:
    """The :class:`Board` called `name`; :class:`InputError` lists the names if there is none."""
    if name not in BOARDS:
        raise InputError(f"unknown board {name!r}; accepted: {', '.join(BOARDS)}")
    return BOARDS[name]


def make_platform(board: Board) -> TemplatedPlatform:
    """The amaranth-boards platform of a :class:`Board`, its serial line a resource ``uart``.

    Raises :class:`InputError` where the package is missing.
    """
    if importlib.util.find_spec("amaranth_boards") is None:
        raise InputError("amaranth-boards is missing; accepted: pip install 'dorefa[boards]'")
    module, name = board.platform
    platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)()
    if board.uart is not None:
        from amaranth_boards.resources import UARTResource

        connector, number, rx, tx = board.uart
        platform.add_resources(
            [UARTResource(0, rx=rx, tx=tx, conn=(connector, number), attrs=Attrs(**board.attributes))]
        )
    return platform


def device_of(board: Board) -> Device:
    """The device on a board."""
    platform = make_platform(board)
    name = getattr(platform, "device", None) or platform.family
    return next(device for device in board.target.devices if device.is_called(name))
