"""The top of a board's bitstream: the exported core, its pins, its clock."""

from __future__ import annotations

from amaranth import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.build.plat import TemplatedPlatform
from amaranth.lib import io

from dorefa.hw.generate.manifest import network_memories
from dorefa.hw.shell.board_core import BoardCore
from dorefa.hw.shell.stream_board import StreamBoard
from dorefa.hw.verilog import export as verilog

from ..targets.target import Target
from .catalog import Board
from .clock import Clock

MODULE = "dorefa_board"


def core_verilog(core: BoardCore | StreamBoard, target: Target) -> str:
    """Verilog of what a board runs as module :data:`MODULE`: the network of an engine, if any, in ``initial``
    blocks; with cells of the target where the engine's structure is ``mapped`` or the pipeline made for
    them."""
    return verilog.export(
        core,
        name=MODULE,
        preloaded=_preloaded(core),
        summary=core.summary,
        fabric=target.fabric_name,
    )


def _preloaded(core: BoardCore | StreamBoard) -> tuple[str, ...]:
    """Instances whose memories keep their contents."""
    if isinstance(core, StreamBoard):
        return core.preloaded
    return () if core.memories is None else network_memories(core.config)


class BoardTop(Elaboratable):
    """Connects the module :data:`MODULE` to a board's pins.

    `clock` is the one of the `board`.
    """

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def elaborate(self, platform: TemplatedPlatform) -> Module:
        m = Module()
        m.domains += ClockDomain("sync")
        m.submodules.clock = self._clock
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        sent, lights = Signal(), [Signal(name="busy"), Signal(name="error")]
        m.submodules.core = Instance(
            MODULE,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_rx=rx.i,
            o_tx=sent,
            o_busy=lights[0],
            o_error=lights[1],
        )
        # The line idles high from the first moment, the core's register only after its reset.
        m.d.comb += tx.o.eq(sent | ResetSignal())
        requested: dict[tuple[str, int], object] = {}
        for light, (name, number, part) in zip(lights, self._board.leds, strict=False):
            if (name, number) not in requested:
                requested[name, number] = platform.request(name, number, dir="-")
            port = requested[name, number]
            m.submodules[f"led_{light.name}"] = led = io.Buffer("o", getattr(port, part) if part else port)
            m.d.comb += led.o.eq(light)
        return m
