"""The host's side: registers, and words put together for the memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..config.engine import EngineConfig
from ..interface.address_space import EngineSpace
from ..interface.faults import FAULTS, FIRST_BIT, Fault
from ..interface.host_bus import host_signature
from ..interface.memory_map import MemoryMap, bits_for
from ..interface.register import Access, Field, Register
from ..interface.registers import REGISTER_BITS, REGISTERS, engine_registers
from .load_check import LoadCheck


@dataclass(frozen=True)
class _Bus:
    """A write in this cycle (`writes`), to a register if `chosen`, and `place` tells to which; `addr` and
    `w_data` of the bus, a cycle later."""

    writes: Signal
    chosen: Value
    place: Value
    addr: Signal
    w_data: Signal

    def register_written(self, register: Register) -> Value:
        """Whether this register is written."""
        return self.writes & self.chosen & (self.place == register.address)


class HostPort(wiring.Component):
    """The registers of :mod:`dorefa.hw.interface.registers`, and one write port for all memories.

    Ports: `host`; per window NAME of the map `NAME_en` (one bit per memory), `NAME_address`, `NAME_data`; by
    the field's name an output for every field that the host sets and an input for every one that it reads.
    The input of a field that is cleared by writing 1 is a pulse that sets it. Constants have no port, and
    what this component knows by itself has none.
    `init`: words that the registers of a preloaded engine begin with.

    Where the engine is guarded: `under_way`, an image begins or is under way, while which nothing is written
    but what is free (:class:`.EngineSpace`); `writing`, while what was written is not there yet for an image
    that begins; `runnable`, whether there is a program that was found right; `interrupt`. The engine is
    enabled only where it is.

    Latency: one cycle from `host` to the registers, to the answer and to the memories' write ports; two to
    `enable` where the engine is guarded.
    """

    # Fields whose values come from this component itself.
    _OWN = ("load_crc", "write_refused", "wrong_load")

    def __init__(self, config: EngineConfig, *, init: Mapping[str, int] | None = None) -> None:
        self._config = config
        self._preloaded = init is not None
        self._registers = engine_registers(config, init)
        self._map = MemoryMap.of(config)
        # Fields that never get as great as the map allows have no register for the upper bits, and are 0
        # where these are written.
        kept = {
            "layers": config.layer_depth.bit_length(),
            "image_bytes": config.image_bytes_bits,
            "program_start": bits_for(self._map.program.depth),
        }
        ports = {"host": In(host_signature(config))}
        if config.guarded:
            ports |= {
                "under_way": In(1),
                "writing": Out(1),
                "runnable": Out(1),
                "interrupt": Out(1),
            }
        for register in self._registers.values():
            for field in register.fields:
                if field.access is Access.READ_WRITE:
                    bits = min(field.width, kept.get(field.name, field.width))
                    ports[field.name] = Out(bits, init=field.reset)
                elif field.access in (Access.READ_ONLY, Access.CLEAR) and field.name not in self._OWN:
                    if field.exists(config):
                        ports[field.name] = In(field.width)
        for window in self._map.windows:
            ports |= {f"{window.name}_{part}": Out(shape) for part, shape in window.write_ports(1).items()}
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        host = self.host
        # Registers repeat up to the first window, which leaves few bits of an address to compare.
        bus = _Bus(
            writes=Signal(),
            chosen=host.addr[self._map.select_shift :] == 0,
            place=host.addr[:REGISTER_BITS],
            # What goes on a cycle later. Before a reset it holds anything, which must not write to a memory
            # that is preloaded.
            addr=Signal.like(host.addr, reset_less=True),
            w_data=Signal.like(host.w_data, reset_less=True),
        )
        m.d.sync += [bus.addr.eq(host.addr), bus.w_data.eq(host.w_data)]
        m.d.comb += bus.writes.eq(host.w_en)
        # Events and values by the names of their fields.
        inputs = {name: getattr(self, name) for name, member in self.signature.members.items()}
        if self._config.guarded:
            self._guard(m, bus, inputs)
        self._write_memories(m, bus)
        wrong = Signal(sum(len(self._events(register)) for register in self._registers.values()))
        seen, first = {}, 0
        for name, register in self._registers.items():
            behind = first + len(self._events(register))
            seen[name], first = wrong[first:behind], behind
        self._write_registers(m, bus, seen, inputs)
        self._read_registers(m, bus, seen, inputs)
        if self._config.guarded:
            raised = Cat(self.interrupts[fault.bit - FIRST_BIT] for fault in FAULTS if self._has(fault))
            m.d.comb += self.interrupt.eq((seen["status"] & raised).any())
        return m

    def _has(self, fault: Fault) -> bool:
        """Whether this engine can tell of a fault."""
        return any(field.name == fault.name for field in self._events(self._registers["status"]))

    def _events(self, register: Register) -> list[Field]:
        """The fields that are cleared by writing 1, of those that this engine has."""
        return [
            field for field in register.fields if field.access is Access.CLEAR and field.exists(self._config)
        ]

    def _guard(self, m: Module, bus: _Bus, inputs: dict[str, Value]) -> None:
        """Lets no write through while an image is under way, and enables nothing without a program."""
        host, locked, wrote, asked = self.host, Signal(), Signal(), Signal()
        loaded: Value = Const(1)
        refused = host.w_en & locked & ~EngineSpace(self._config).free(host.addr)
        inputs["write_refused"] = refused
        if self._config.checksum:
            loaded = self._check_load(m, bus, inputs)
        control = bus.register_written(REGISTERS["control"])
        m.d.sync += [
            locked.eq(self.under_way),
            wrote.eq(host.w_en),
            asked.eq(control & _field("control", "enable").of(host.w_data)),
        ]
        m.d.comb += [
            host.locked.eq(self.under_way),
            bus.writes.eq(host.w_en & ~refused),
            # Memories and the checksum have a word a cycle later.
            self.writing.eq(host.w_en | wrote),
            self.runnable.eq(loaded if self._config.training else loaded & (self.layers != 0)),
        ]
        with m.If(asked):
            m.d.sync += self.enable.eq(self.runnable)
        inputs["invalid_program"] = self.invalid_program | (asked & ~self.runnable)

    def _check_load(self, m: Module, bus: _Bus, inputs: dict[str, Value]) -> Value:
        """The checksum of what is written to memories; returns whether it was right."""
        m.submodules.load_check = check = LoadCheck(preloaded=self._preloaded)
        judges = Signal()
        m.d.sync += [
            check.valid.eq(bus.writes & ~bus.chosen),
            check.start.eq(bus.register_written(REGISTERS["load_begin"])),
            judges.eq(bus.register_written(REGISTERS["load_check"])),
        ]
        m.d.comb += [check.check.eq(judges), check.word.eq(bus.w_data ^ Mux(judges, 0, bus.addr))]
        inputs |= {"wrong_load": check.wrong, "load_crc": check.crc}
        return check.loaded

    def _write_memories(self, m: Module, bus: _Bus) -> None:
        """Words of the windows from their pieces."""
        host = self.host
        select = host.addr[self._map.select_shift :]
        widest = max(window.pieces for window in self._map.windows)
        earlier = [Signal(32, name=f"piece_{piece}", reset_less=True) for piece in range(widest - 1)]
        taken: list[Value] = [Const(0)] * len(earlier)
        for window in self._map.windows:
            piece = host.addr[: window.piece_bits]
            chosen = bus.writes & (select == window.select)
            depth_ends = window.piece_bits + window.depth_bits
            memory = host.addr[depth_ends : window.offset_bits]
            complete = Signal(window.memories, name=f"{window.name}_complete")
            completes = chosen & (piece == window.pieces - 1)
            m.d.sync += complete.eq(Cat(completes & (memory == number) for number in range(window.memories)))
            enables = complete & ~ResetSignal().replicate(window.memories) if self._preloaded else complete
            # Memories lie all over the device: what goes there comes from registers.
            m.d.comb += [
                getattr(self, f"{window.name}_en").eq(enables),
                getattr(self, f"{window.name}_address").eq(bus.addr[window.piece_bits : depth_ends]),
                getattr(self, f"{window.name}_data").eq(Cat(*earlier[: window.pieces - 1], bus.w_data)),
            ]
            for number in range(window.pieces - 1):
                taken[number] |= chosen & (piece == number)
        for number, own in enumerate(earlier):
            takes = Signal(name=f"takes_{number}")
            m.d.sync += takes.eq(taken[number])
            with m.If(takes):
                m.d.sync += own.eq(bus.w_data)

    def _write_registers(
        self, m: Module, bus: _Bus, seen: dict[str, Value], inputs: Mapping[str, Value]
    ) -> None:
        """`seen`, by the names of registers: the bits of :meth:`_events`; `inputs`, by the names of fields:
        what happens."""
        w_data = self.host.w_data
        with m.If(bus.writes & bus.chosen):
            with m.Switch(bus.place):
                for register in self._registers.values():
                    if register.access != "rw":
                        continue
                    with m.Case(register.address):
                        for field in register.fields:
                            if field.access is Access.READ_WRITE:
                                value, kept = field.of(w_data), len(getattr(self, field.name))
                                # What is too great is nothing, rather than its lower bits.
                                value = Mux(value[kept:].any(), 0, value[:kept])
                                if field.name == "enable" and self._config.guarded:
                                    value = value & self.enable
                                m.d.sync += getattr(self, field.name).eq(value)
                        if events := self._events(register):
                            bits = seen[register.name]
                            m.d.sync += bits.eq(bits & ~Cat(field.of(w_data) for field in events))
        for register in self._registers.values():
            for field, bit in zip(self._events(register), seen[register.name], strict=True):
                with m.If(inputs[field.name]):
                    m.d.sync += bit.eq(1)

    def _read_registers(
        self, m: Module, bus: _Bus, seen: dict[str, Value], inputs: Mapping[str, Value]
    ) -> None:
        """The bus's answer, a cycle after the address; arguments as of :meth:`_write_registers`."""
        # All words but the one that is read are zero: joining them a cycle later takes less than a choice.
        reads = [Signal(32, name="read_fixed")]
        m.d.sync += reads[0].eq(0)
        constant = [register for register in self._registers.values() if register.constant]
        with m.If(bus.chosen):
            with m.Switch(bus.place):
                for register in constant:
                    with m.Case(register.address):
                        m.d.sync += reads[0].eq(register.reset_word)
        for name, register in self._registers.items():
            if register not in constant and register.access != "wo":
                values = self._values(register, seen[name], inputs)
                # No register for bits of which nothing is ever seen.
                layout = data.StructLayout({field: len(value) for field, value in values.items()})
                read = Signal(layout, name=f"read_{name}")
                shown = Mux(bus.chosen & (bus.place == register.address), Cat(values.values()), 0)
                m.d.sync += read.as_value().eq(shown)
                reads.append(register.join({field: read[field] for field in values}))
        m.d.comb += self.host.r_data.eq(reduce(or_, reads))

    def _values(self, register: Register, seen: Value, inputs: Mapping[str, Value]) -> dict[str, Value]:
        """Name -> value of the register's fields that this engine has."""
        values: dict[str, Value] = {
            field.name: bit for field, bit in zip(self._events(register), seen, strict=True)
        }
        for field in register.fields:
            if field.access is Access.CONSTANT:
                values[field.name] = Const(field.reset_number, field.width)
            elif field.access is not Access.CLEAR:
                values[field.name] = inputs[field.name]
        return values


def _field(register: str, name: str) -> Field:
    """A field of the table."""
    return next(field for field in REGISTERS[register].fields if field.name == name)
