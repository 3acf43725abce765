"""One long-lived process of the compiled model, seen at its ports only: AXI4-Lite, images and weights in,
results out."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.interface.registers import REGISTERS
from dorefa.hw.shell.engine_ports import Answers

from . import build as model
from .model_process import ModelProcess, model_process

_WRITE, _READ, _RUN = 1, 2, 3
_STAMPS = 5  # numbers in front of what a packet was answered


@dataclass(frozen=True, kw_only=True)
class StampedAnswers(Answers):
    """:class:`Answers` with the cycles, from reset, of each packet's first and last beat in (`first_in`,
    `last_in`) and out (`first_out`, `last_out`, 0 where nothing came out), int64 (packets,)."""

    first_in: np.ndarray
    last_in: np.ndarray
    first_out: np.ndarray
    last_out: np.ndarray


class Session:
    """The engine's ports, see :func:`session`. Every method raises :class:`SimulationError` where the engine
    breaks a protocol, does not answer, or takes longer than its watchdogs allow; the session is over then."""

    def __init__(self, process: ModelProcess, stalls: int) -> None:
        self._process = process
        self._stalls = stalls

    def write(self, words: Iterable[tuple[int, int]]) -> int:
        """Writes (word address, 32-bit word) pairs through AXI4-Lite; returns the cycles that took."""
        pairs = np.array([*words], np.uint64).reshape(-1, 2)
        if not len(pairs):
            return 0
        pairs[:, 0] *= 4
        self._process.send(struct.pack("<QQ", _WRITE, len(pairs)), pairs.astype("<u8").tobytes())
        return self._process.numbers(1, 100 * len(pairs))[0]

    def read(self, address: int) -> int:
        """The 32-bit word at a word address, through AXI4-Lite."""
        self._process.send(struct.pack("<QQ", _READ, 4 * address))
        return self._process.numbers(1, 1000)[0]

    def run(
        self, images: np.ndarray, weights: Sequence[bytes] = (), *, answer_bytes: int, limit: int
    ) -> StampedAnswers:
        """See :class:`dorefa.hw.shell.engine_ports.EnginePorts`."""
        size = len(weights[0]) if weights else 0
        if any(len(packet) != size for packet in weights):
            raise ValueError("packets of weights have one size")
        images = np.ascontiguousarray(images, np.uint8)
        limit = limit * 100 // (100 - self._stalls) * (2 if self._stalls else 1)
        head = (_RUN, *images.shape, len(weights), size, answer_bytes, limit)
        self._process.send(struct.pack("<8Q", *head, REGISTERS["cycles"].offset), images.tobytes(), *weights)
        stamps, results = [], []
        for _ in images:
            stamps.append(self._process.numbers(_STAMPS, limit))
            results.append(np.frombuffer(self._process.receive(answer_bytes, 0), np.uint8))
        self._process.numbers(1, 0)  # the end, which an engine does not reach that leaves weights
        first_in, last_in, first_out, last_out, cycles = np.array(stamps, np.int64).reshape(-1, _STAMPS).T
        return StampedAnswers(
            results=np.stack(results) if results else np.zeros((0, answer_bytes), np.uint8),
            spans=np.maximum(last_in, last_out) - first_in + 1,
            cycles=cycles,
            first_in=first_in,
            last_in=last_in,
            first_out=first_out,
            last_out=last_out,
        )


@contextmanager
def session(
    verilog: str, config: EngineConfig, *, cycles: int, stalls: int = 0, seed: int = 1
) -> Iterator[Session]:
    """A :class:`Session` with the engine `verilog` of `config`, after reset; its process and files are gone
    when the block ends, however it does.

    cycles: how many will be simulated, about (:func:`.build.build`); stalls: chance in percent that a stream
    waits in a cycle, on either side; seed: of these and of uninitialized memory. Raises what
    :func:`.build.build` raises, and :class:`SimulationError` where the process does not start.
    """
    executable = model.build(verilog, {}, cycles=cycles, main=model.SESSION)
    # Verilator takes its seed as a positive 31-bit number.
    arguments = [str(1 + seed % 0x7FFFFFFE), str(config.port_bytes), str(stalls)]
    with model_process(executable, arguments) as process:
        yield Session(process, stalls)
