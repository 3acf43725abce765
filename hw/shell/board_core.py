"""What a board runs, without its pins and clock: an engine with its network behind a serial line."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError

from ..engine.engine import Engine
from ..interface.register import Register
from ..interface.registers import board_registers
from .serial_host import SerialHost
from .uart import UartReceiver, UartTransmitter, baud_divisor


class BoardCore(wiring.Component):
    """An engine (submodule ``core``) that starts with the network of `compiled` in its memories.

    `compiled`: a :class:`CompiledNetwork`; `clock_hz`: rate of the `sync` domain; `baud`: bits per second
    on the line. Raises :class:`InputError` for a rate that the clock cannot make, for an engine that a
    serial line cannot feed and for a network whose sizes do not fit the board's words.

    Ports: `rx`, `tx`, the line (8N1, protocol in :mod:`.serial_host`); `busy`, an image comes in or is
    computed; `error`, until the host clears it.
    """

    def __init__(self, compiled: Any, *, clock_hz: float, baud: int) -> None:
        config = compiled.config
        for name, accepted, reason in (
            ("port_bytes", 1, "its serial line carries one byte at a time"),
            ("weights", "onchip", "its serial line is too slow for weights"),
            ("trunks", "onchip", "its serial line is too slow for residual trunks"),
            ("batch", 1, "results of an image are answered before the next one is sent"),
        ):
            if getattr(config, name) != accepted:
                raise InputError(
                    f"{name} is {getattr(config, name)!r}; accepted on a board: {accepted!r}, because "
                    f"{reason}"
                )
        self._compiled = compiled
        self._divisor = baud_divisor(clock_hz, baud)
        self._registers = board_registers(
            compiled.network.input_shape,
            classes=compiled.network.classes,
            result_bytes=config.result_bits // 8,
        )
        super().__init__({"rx": In(1), "tx": Out(1, init=1), "busy": Out(1), "error": Out(1)})

    @property
    def compiled(self) -> Any:
        """The :class:`CompiledNetwork` inside."""
        return self._compiled

    @property
    def registers(self) -> dict[str, Register]:
        """The board's own words, with its constants."""
        return self._registers

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        compiled = self._compiled
        m.submodules.core = engine = Engine(compiled.config, memories=compiled.memories)
        m.submodules.host = host = SerialHost(compiled.config, self._registers)
        m.submodules.receiver = receiver = UartReceiver(self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self._divisor)
        wiring.connect(m, host.image, engine.i)
        wiring.connect(m, engine.o, host.result)
        wiring.connect(m, host.host, engine.host)
        wiring.connect(m, host.o, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            host.data.eq(receiver.data),
            host.valid.eq(receiver.valid),
            host.broken.eq(receiver.broken),
            self.tx.eq(transmitter.tx),
            self.busy.eq(engine.status.busy | host.receiving),
            self.error.eq(host.errors.any()),
        ]
        return m
