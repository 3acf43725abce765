"""The top of a board's bitstream: the exported core, its pins, its clock."""

from __future__ import annotations

from amaranth import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import io

from dorefa.hw.fabric.families import FABRICS
from dorefa.hw.generate.manifest import network_memories
from dorefa.hw.verilog import export as verilog

MODULE = "dorefa_board"


def core_verilog(core, family):
    """Verilog of a :class:`~dorefa.hw.shell.board_core.BoardCore` as module :data:`MODULE`, its network in
    ``initial`` blocks, with cells of the device family where the engine's structure is ``mapped``."""
    config = core.compiled.config
    return verilog.export(
        core,
        name=MODULE,
        preloaded=network_memories(config),
        summary=config.as_dict(),
        fabric=family if family in FABRICS else None,
    )


class BoardTop(Elaboratable):
    """Connects the module :data:`MODULE` to a board's pins.

    `board`: a :class:`~dorefa.synth.boards.catalog.Board`; `clock`: its
    :class:`~dorefa.synth.boards.clock.Clock`.
    """

    def __init__(self, board, clock):
        self._board = board
        self._clock = clock

    def elaborate(self, platform):
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
        requested = {}
        for light, (name, number, part) in zip(lights, self._board.leds, strict=False):
            if (name, number) not in requested:
                requested[name, number] = platform.request(name, number, dir="-")
            port = requested[name, number]
            m.submodules[f"led_{light.name}"] = led = io.Buffer("o", getattr(port, part) if part else port)
            m.d.comb += led.o.eq(light)
        return m
