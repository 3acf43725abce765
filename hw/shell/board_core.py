# amaranth: UnusedElaboratable=no
"""What a board runs, without its pins and clock: an engine behind a serial line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError

from ..config.engine import EngineConfig
from ..engine.engine import Engine
from ..interface.host_bus import host_signature
from ..interface.register import Register
from ..interface.registers import board_registers, training_board_registers
from ..interface.result_ports import result_port
from ..interface.streams import image_layout
from .scores import check_scores
from .serial_host import SerialHost, connect_line
from .uart import baud_divisor

_PAUSE = 1.0  # seconds that a host may pause in an image


class BoardCore(wiring.Component):
    """An engine (submodule ``core``) of `config` that starts with `memories`
    (:attr:`CompiledNetwork.memories`), or where there are none waits for what a host loads.

    `registers`: the board's own words; `clock_hz`: rate of the `sync` domain; `baud`: bits per second on the
    line. Raises :class:`InputError` for a rate that the clock cannot make and for an engine that a serial
    line cannot feed.

    Ports: `rx`, `tx`, the line (8N1, protocol in :mod:`.serial_host`); `busy`, an image comes in or is
    computed; `error`, until the host clears it.
    """

    kind, shrinks = "engine", "fewer --lanes or --rows"

    def __init__(
        self,
        config: EngineConfig,
        registers: dict[str, Register],
        *,
        memories: Mapping[str, Any] | None = None,
        clock_hz: float,
        baud: int,
    ) -> None:
        # A core that is refused is never elaborated, which the file's first line says is no mistake.
        for name, accepted, reason in (
            ("port_bytes", 4 if config.training else 1, "its serial line carries one byte at a time"),
            ("weights", "onchip", "its serial line is too slow for weights"),
            ("trunks", "onchip", "its serial line is too slow for residual trunks"),
            ("batch", 1, "results of an image are answered before the next one is sent"),
        ):
            if getattr(config, name) != accepted:
                raise InputError(
                    f"{name} is {getattr(config, name)!r}; accepted on a board: {accepted!r}, because "
                    f"{reason}"
                )
        self.config = config
        self.registers = registers
        self.memories = memories
        self._divisor = baud_divisor(clock_hz, baud)
        super().__init__({"rx": In(1), "tx": Out(1, init=1), "busy": Out(1), "error": Out(1)})

    @property
    def summary(self) -> Mapping[str, object]:
        """What its Verilog says of it."""
        return self.config.summary()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = engine = Engine(self.config, memories=self.memories)
        m.submodules.host = host = SerialHost(self.registers, **port_shapes(self.config))
        wiring.connect(m, host.image, engine.i)
        wiring.connect(m, engine.o, host.result)
        wiring.connect(m, host.host, engine.host)
        connect_line(m, host, self._divisor, self.rx, self.tx)
        m.d.comb += [
            self.busy.eq(engine.status.busy | host.receiving),
            self.error.eq(host.errors.any()),
        ]
        return m


def port_shapes(config: EngineConfig) -> dict[str, Any]:
    """What a :class:`.SerialHost` has to know of the ports of an engine, by its parameters."""
    return {
        "image": image_layout(config),
        "result": result_port(config).layout(config),
        "host": host_signature(config),
    }


def network_board(compiled: Any, *, clock_hz: float, baud: int) -> BoardCore:
    """A :class:`BoardCore` with the network of a :class:`CompiledNetwork`. Raises :class:`InputError` for a
    network whose sizes do not fit the board's words too."""
    config, network, memories = compiled.config, compiled.network, compiled.memories
    check_scores(network)
    if config.guarded:
        # A host at the other end of a line pauses for longer than one on the same chip.
        limit = max(memories["registers"].get("watchdog", 0), round(_PAUSE * clock_hz))
        memories = memories | {"registers": memories["registers"] | {"watchdog": limit}}
    registers = board_registers(
        network.input_shape, classes=network.classes, result_bytes=config.result_bits // 8
    )
    return BoardCore(config, registers, memories=memories, clock_hz=clock_hz, baud=baud)


def training_board(config: EngineConfig, interface_sha256: str, *, clock_hz: float, baud: int) -> BoardCore:
    """A :class:`BoardCore` whose engine trains: the program and all operands come from the host.
    `interface_sha256`: that of `config`, by which the host knows the engine."""
    registers = training_board_registers(interface_sha256, result_bytes=config.result_bits // 8)
    return BoardCore(config, registers, clock_hz=clock_hz, baud=baud)
