"""Faults of the host: its bus, what it loads, what it says in registers."""

from __future__ import annotations

import random
from dataclasses import replace

from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import REGISTERS

from .player import Operation
from .scenarios import Scenario, kind, plain
from .subjects import Subject


def _registers(*names: str) -> list[int]:
    """Byte addresses of registers."""
    return [4 * REGISTERS[name].address for name in names]


def _windows(subject: Subject) -> list[int]:
    """Byte addresses of everything that was loaded."""
    memory_map = MemoryMap.of(subject.program.compiled.config)
    lowest = memory_map.address(memory_map.program, 0, 0)
    return [4 * address for address, _ in subject.program.writes if address >= lowest]


def _times(rng: random.Random, subject: Subject, count: int) -> list[int]:
    return sorted(rng.randrange(2 * subject.program.compiled.cycles) for _ in range(count))


@kind("bus abuse")
def foreign_addresses(rng: random.Random, subject: Subject) -> Scenario:
    """Reads and writes of any address, and with any strobes, but of what can be written."""
    bits = MemoryMap.of(subject.program.compiled.config).address_bits
    operations = []
    for at in _times(rng, subject, 20):
        address = 4 * rng.randrange(1 << bits)
        write = rng.randrange(2) == 1
        # A whole write might be one of a word that may be written.
        strobes = rng.choice((0, 1, 7, 14)) if write else 15
        operations.append(Operation(at, write, address, rng.getrandbits(32), strobes))
    return replace(plain(subject), operations=operations, right=2)


@kind("bus abuse")
def read_only_registers(rng: random.Random, subject: Subject) -> Scenario:
    """Writes of what can only be read."""
    places = _registers("identity", "version", "cycles", "array", "widths")
    operations = [
        Operation(at, True, rng.choice(places), rng.getrandbits(32)) for at in _times(rng, subject, 10)
    ]
    return replace(plain(subject), operations=operations, right=2)


@kind("writes while running")
def write_memory(rng: random.Random, subject: Subject) -> Scenario:
    """A word of a memory, any value."""
    at = 70 + rng.randrange(subject.program.compiled.cycles)
    operation = Operation(at, True, rng.choice(_windows(subject)), rng.getrandbits(32))
    return replace(plain(subject, 1), operations=[operation])


@kind("writes while running")
def write_register(rng: random.Random, subject: Subject) -> Scenario:
    """A register of the configuration, any value."""
    at = rng.randrange(80 + subject.program.compiled.cycles)
    names = ("layers", "image_bytes", "watchdog", "load_begin", "load_check")
    operation = Operation(at, True, rng.choice(_registers(*names)), rng.randrange(1 << rng.choice((3, 32))))
    return replace(plain(subject, 1), operations=[operation])


@kind("writes while running")
def disable(rng: random.Random, subject: Subject) -> Scenario:
    """Off and on again: what is under way goes on."""
    at = rng.randrange(80 + subject.program.compiled.cycles)
    control = REGISTERS["control"]
    operations = [
        Operation(at, True, control.offset, 0),
        Operation(at + rng.randrange(1, 500), True, control.offset, control.encode(enable=1)),
    ]
    return replace(plain(subject), operations=operations, right=2)


@kind("writes between images")
def overwritten_word(rng: random.Random, subject: Subject) -> Scenario:
    """A word of what was loaded is another, and nobody says that a load was finished."""
    scenario = plain(subject, 1)
    address = rng.choice(_windows(subject)) // 4
    old = dict(scenario.load)[address]
    word = old ^ (1 << rng.randrange(32))
    return replace(scenario, load=[*scenario.load, (address, word)], reloads=True)


@kind("wrong registers")
def wrong_layers(rng: random.Random, subject: Subject) -> Scenario:
    """Another number of passes than the program has."""
    return _with_register(rng, subject, "layers", (-1, 1, 2, 1 << 8, 1 << 12, None))


@kind("wrong registers")
def wrong_image_bytes(rng: random.Random, subject: Subject) -> Scenario:
    """Another number of bytes than the packet has."""
    return _with_register(rng, subject, "image_bytes", (-1, 1, 8, 1 << 20, 1 << 31, None))


def _with_register(
    rng: random.Random, subject: Subject, name: str, changes: tuple[int | None, ...]
) -> Scenario:
    """Another value of a register; None: 0."""
    scenario, address = plain(subject, 1), REGISTERS[name].address
    change = rng.choice(changes)
    load = [
        (place, (0 if change is None else word + change) if place == address else word)
        for place, word in scenario.load
    ]
    return replace(scenario, load=load, reloads=True, note=f"{name} {change}")


@kind("no program")
def nothing_loaded(rng: random.Random, subject: Subject) -> Scenario:
    """Registers alone."""
    scenario = plain(subject, 1)
    names = ("layers", "image_bytes", "watchdog", "control")
    places = {REGISTERS[name].address for name in names[rng.randrange(4) :]}
    return replace(scenario, load=[pair for pair in scenario.load if pair[0] in places], reloads=True)


@kind("no program")
def load_that_ends(rng: random.Random, subject: Subject) -> Scenario:
    """The first part of a load, and then the registers."""
    scenario = plain(subject, 1)
    cut = rng.randrange(len(scenario.load) - 5)
    registers = scenario.load[-4:]
    return replace(scenario, load=scenario.load[:cut] + registers, reloads=True)


@kind("corrupted load")
def flipped_bit(rng: random.Random, subject: Subject) -> Scenario:
    """One bit of one word, or of its address."""
    scenario = plain(subject, 1)
    load = list(scenario.load)
    at = rng.randrange(len(load))
    address, word = load[at]
    if rng.randrange(2):
        load[at] = address, word ^ (1 << rng.randrange(32))
    else:
        load[at] = (
            address ^ (1 << rng.randrange(MemoryMap.of(subject.program.compiled.config).address_bits)),
            word,
        )
    return replace(scenario, load=load, reloads=True, note=f"write {at} of {len(load)} at {address:#x}")


@kind("corrupted load")
def lost_write(rng: random.Random, subject: Subject) -> Scenario:
    """A write that never comes."""
    scenario = plain(subject, 1)
    at = rng.randrange(len(scenario.load))
    return replace(
        scenario, load=scenario.load[:at] + scenario.load[at + 1 :], reloads=True, note=f"write {at}"
    )


@kind("corrupted load")
def repeated_write(rng: random.Random, subject: Subject) -> Scenario:
    """A write that comes twice."""
    scenario = plain(subject, 1)
    at = rng.randrange(len(scenario.load))
    return replace(scenario, load=scenario.load[: at + 1] + scenario.load[at:], reloads=True)


@kind("corrupted load")
def swapped_writes(rng: random.Random, subject: Subject) -> Scenario:
    """Two words that change places."""
    scenario = plain(subject, 1)
    load = list(scenario.load)
    first, second = (rng.randrange(len(load)) for _ in range(2))
    (a, x), (b, y) = load[first], load[second]
    load[first], load[second] = (a, y), (b, x)
    return replace(scenario, load=load, reloads=True)


@kind("second network")
def other_network(rng: random.Random, subject: Subject) -> Scenario:
    """Another network is loaded while the engine is enabled, in the documented order."""
    other = subject.other
    return Scenario(
        load=[*subject.program.writes, *other.writes],
        images=[beat for number in (0, 1) for beat in other.image(number)],
        weights=[beat for _ in (0, 1) for packet in other.weights for beat in packet],
        sent=[0, 1],
        program=other,
        right=2,
        reloads=True,
    )
