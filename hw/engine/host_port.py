"""The host's side: registers, and words put together for the memories."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..config.engine import EngineConfig
from ..interface.host_bus import host_signature
from ..interface.memory_map import MemoryMap, bits_for
from ..interface.register import Access, Field, Register
from ..interface.registers import REGISTER_BITS, engine_registers


class HostPort(wiring.Component):
    """The registers of :mod:`dorefa.hw.interface.registers`, and one write port for all memories.

    Ports: `host`; per window NAME of the map `NAME_en` (one bit per memory), `NAME_address`, `NAME_data`; by
    the field's name an output for every field that the host sets and an input for every one that it reads.
    The input of a field that is cleared by writing 1 is a pulse that sets it. Constants have no port.
    `init`: words that the registers of a preloaded engine begin with.

    Latency: one cycle from `host` to the registers, to the answer and to the memories' write ports.
    """

    def __init__(self, config: EngineConfig, *, init: Mapping[str, int] | None = None) -> None:
        self._config = config
        self._preloaded = init is not None
        self._registers = engine_registers(config, init)
        self._map = MemoryMap.of(config)
        # Fields that never get as great as the map allows have no register for the upper bits.
        kept = {
            "layers": config.layer_depth.bit_length(),
            "image_bytes": config.image_bytes_bits,
            "program_start": bits_for(self._map.program.depth),
        }
        ports = {"host": In(host_signature(config))}
        for register in self._registers.values():
            for field in register.fields:
                if field.access is Access.READ_WRITE:
                    bits = min(field.width, kept.get(field.name, field.width))
                    ports[field.name] = Out(bits, init=field.reset)
                elif field.access is not Access.CONSTANT:
                    ports[field.name] = In(field.width)
        for window in self._map.windows:
            ports |= {f"{window.name}_{part}": Out(shape) for part, shape in window.write_ports(1).items()}
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._write_memories(m)
        # Registers repeat up to the first window, which leaves few bits of an address to compare.
        chosen = self.host.addr[self._map.select_shift :] == 0
        place = self.host.addr[:REGISTER_BITS]
        wrong = Signal(sum(len(self._events(register)) for register in self._registers.values()))
        seen, first = {}, 0
        for name, register in self._registers.items():
            behind = first + len(self._events(register))
            seen[name], first = wrong[first:behind], behind
        self._write_registers(m, chosen, place, seen)
        self._read_registers(m, chosen, place, seen)
        return m

    def _events(self, register: Register) -> list[Field]:
        """The fields that are cleared by writing 1, of those that this engine has."""
        return [
            field for field in register.fields if field.access is Access.CLEAR and field.exists(self._config)
        ]

    def _write_memories(self, m: Module) -> None:
        """Words of the windows from their pieces."""
        host = self.host
        select = host.addr[self._map.select_shift :]
        widest = max(window.pieces for window in self._map.windows)
        earlier = [Signal(32, name=f"piece_{piece}", reset_less=True) for piece in range(widest - 1)]
        # Memories lie all over the device: what goes there comes from registers. Before a reset these hold
        # anything, and must not write to a memory that is preloaded.
        addr, w_data = (Signal.like(value, reset_less=True) for value in (host.addr, host.w_data))
        m.d.sync += [addr.eq(host.addr), w_data.eq(host.w_data)]
        taken = [0] * len(earlier)
        for window in self._map.windows:
            piece = host.addr[: window.piece_bits]
            chosen = host.w_en & (select == window.select)
            depth_ends = window.piece_bits + window.depth_bits
            memory = host.addr[depth_ends : window.offset_bits]
            complete = Signal(window.memories, name=f"{window.name}_complete")
            completes = chosen & (piece == window.pieces - 1)
            m.d.sync += complete.eq(Cat(completes & (memory == number) for number in range(window.memories)))
            enables = complete & ~ResetSignal().replicate(window.memories) if self._preloaded else complete
            m.d.comb += [
                getattr(self, f"{window.name}_en").eq(enables),
                getattr(self, f"{window.name}_address").eq(addr[window.piece_bits : depth_ends]),
                getattr(self, f"{window.name}_data").eq(Cat(*earlier[: window.pieces - 1], w_data)),
            ]
            for number in range(window.pieces - 1):
                taken[number] |= chosen & (piece == number)
        for number, own in enumerate(earlier):
            takes = Signal(name=f"takes_{number}")
            m.d.sync += takes.eq(taken[number])
            with m.If(takes):
                m.d.sync += own.eq(w_data)

    def _write_registers(self, m: Module, chosen: Value, place: Value, seen: dict[str, Value]) -> None:
        """`chosen`: the address is that of a register, `place` tells which; `seen`, by the names of
        registers: the bits of :meth:`_events`."""
        host = self.host
        with m.If(host.w_en & chosen):
            with m.Switch(place):
                for register in self._registers.values():
                    if register.access == "ro":
                        continue
                    with m.Case(register.address):
                        for field in register.fields:
                            if field.access is Access.READ_WRITE:
                                m.d.sync += getattr(self, field.name).eq(field.of(host.w_data))
                        if events := self._events(register):
                            bits = seen[register.name]
                            m.d.sync += bits.eq(bits & ~Cat(field.of(host.w_data) for field in events))
        for register in self._registers.values():
            for field, bit in zip(self._events(register), seen[register.name], strict=True):
                with m.If(getattr(self, field.name)):
                    m.d.sync += bit.eq(1)

    def _read_registers(self, m: Module, chosen: Value, place: Value, seen: dict[str, Value]) -> None:
        """The bus's answer, a cycle after the address; arguments as of :meth:`_write_registers`."""
        # All words but the one that is read are zero: joining them a cycle later takes less than a choice.
        reads = [Signal(32, name="read_fixed")]
        m.d.sync += reads[0].eq(0)
        constant = [register for register in self._registers.values() if register.constant]
        with m.If(chosen):
            with m.Switch(place):
                for register in constant:
                    with m.Case(register.address):
                        m.d.sync += reads[0].eq(register.reset_word)
        for register in self._registers.values():
            if register not in constant:
                value = register.join(self._values(register, seen[register.name]))
                read = Signal(len(value), name=f"read_{register.name}")
                m.d.sync += read.eq(Mux(chosen & (place == register.address), value, 0))
                reads.append(read)
        m.d.comb += self.host.r_data.eq(reduce(or_, reads))

    def _values(self, register: Register, seen: Value) -> dict[str, Value | int]:
        """Name -> value of the register's fields that this engine has."""
        values = {field.name: bit for field, bit in zip(self._events(register), seen, strict=True)}
        for field in register.fields:
            if field.access is Access.CONSTANT:
                values[field.name] = field.reset
            elif field.access is not Access.CLEAR:
                values[field.name] = getattr(self, field.name)
        return values
