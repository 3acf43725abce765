"""The Python side of player.cpp: one engine's ports, beat by beat, right or wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from dorefa.sim.job.beats import Beat
from dorefa.sim.verilator import build
from dorefa.sim.verilator.model_process import ModelProcess, model_process

SOURCE = Path(__file__).with_name("player.cpp")
_RESET, _PLAN, _PLAY = 1, 2, 3


class TrunkFault(IntEnum):
    """What becomes of a packet of trunks on its way back."""

    SHORT = 0
    LONG = 1
    NO_LAST = 2
    LOST = 3
    REPEATED = 4
    OTHER_ID = 5
    EARLY_LAST = 6


class Operation(NamedTuple):
    """A write or read on AXI4-Lite, not before `cycle`; byte `address`."""

    cycle: int
    write: bool
    address: int
    word: int = 0
    strobes: int = 15


class Answer(NamedTuple):
    """What an operation was answered in `cycle`; response 4: nothing, because of a reset."""

    response: int
    word: int
    cycle: int


@dataclass(frozen=True)
class Packet:
    """A packet of results: `data`, whether it ended `with_error`, the cycle of its last beat."""

    data: bytes
    with_error: bool
    cycle: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of a run; `unfinished`: bytes of a packet that has not ended; `left`: beats of images and
    of weights that were not taken; `irq`: the cycle from which on the interrupt was high, None without."""

    cycles: int
    packets: list[Packet]
    unfinished: bytes
    answers: list[Answer]
    violations: list[str]
    left: tuple[int, int]
    irq: int | None


class Delayed(NamedTuple):
    """A beat, and for how many cycles it is not offered."""

    beat: Beat
    delay: int = 0


class Player:
    """See player.cpp."""

    def __init__(self, process: ModelProcess, port_bytes: int) -> None:
        self._process, self._port_bytes = process, port_bytes

    def _ask(self, *numbers: int) -> None:
        self._process.send(struct.pack(f"<{len(numbers)}Q", *numbers))

    def reset(self) -> None:
        """Reset, for four cycles."""
        self._ask(_RESET)
        self._process.numbers(1, 100)

    def plan(self, numbers: Sequence[int]) -> None:
        """Which packets of trunks come back, of every image."""
        self._ask(_PLAN, len(numbers), *numbers)
        self._process.numbers(1, 100)

    def play(
        self,
        *,
        cycles: int,
        packets: int,
        images: Sequence[Delayed] = (),
        weights: Sequence[Delayed] = (),
        operations: Sequence[Operation] = (),
        trunks: Mapping[int, TrunkFault] | None = None,
        quiet: int = 20,
        stalls: int = 0,
        reset: tuple[int, int] = (0, 0),
        deaf: tuple[int, int] = (0, 0),
    ) -> Seen:
        """Runs until `packets` of results have ended and nothing was left for `quiet` cycles, at most
        `cycles`; `packets` 0: for all of them. `reset`: cycle, and for how many; `deaf`: cycles in which no
        result is taken."""
        command = struct.pack("<9Q", _PLAY, cycles, packets, quiet, stalls, *reset, *deaf)
        for beats in (images, weights):
            command += struct.pack("<Q", len(beats))
            for beat, delay in beats:
                command += struct.pack("<4Q", delay, beat.last, beat.keep, beat.id)
                command += beat.data.to_bytes(self._port_bytes, "little")
        command += struct.pack("<Q", len(operations))
        for own in operations:
            command += struct.pack("<5Q", *own)
        faults = trunks or {}
        command += struct.pack(
            f"<{1 + 2 * len(faults)}Q", len(faults), *(n for p in faults.items() for n in p)
        )
        self._process.send(command)
        return self._seen(cycles)

    def _seen(self, limit: int) -> Seen:
        number = self._number
        cycles = number(limit)
        packets, data = [], b""
        for _ in range(number()):
            cycle, last, error, size = self._process.numbers(4, 0)
            data += self._process.receive(size, 0)
            if last:
                packets.append(Packet(data, bool(error), cycle))
                data = b""
        answers = [Answer(*self._process.numbers(3, 0)) for _ in range(number())]
        violations = [self._process.receive(number(), 0).decode() for _ in range(number())]
        left = number(), number()
        irq = number()
        return Seen(
            cycles=cycles,
            packets=packets,
            unfinished=data,
            answers=answers,
            violations=violations,
            left=left,
            irq=irq - 1 if irq else None,
        )

    def _number(self, cycles: int = 0) -> int:
        return self._process.numbers(1, cycles)[0]


@contextmanager
def player(verilog: str, port_bytes: int, *, seed: int = 1, cycles: int = 0) -> Iterator[Player]:
    """A :class:`Player` of the engine `verilog` after reset; `seed`: of uninitialized memory; `cycles`: how
    many will be simulated, about."""
    executable = build.build(verilog, {}, cycles=cycles, main=SOURCE)
    with model_process(executable, [str(1 + seed % 0x7FFFFFFE), str(port_bytes)]) as process:
        yield Player(process, port_bytes)
