"""The engine as a training step sees it: a session, its program of jobs, its registers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import numpy as np

from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.interface.load_check import checked
from dorefa.hw.interface.memory_map import MemoryMap, Window
from dorefa.hw.interface.register import WORD_BITS
from dorefa.hw.interface.registers import REGISTERS, Mode
from dorefa.hw.shell.engine_ports import EnginePorts

from ..job.errors import SimulationError
from ..verilator.session import session

_SEEDS = [name for name in REGISTERS if name.startswith("noise_seed")]
# Reads of the status until what was measured is there: some cycles each.
_LONGEST = 100


@dataclass(kw_only=True)
class TrainingEngine:
    """An engine behind a `session`, a process of its model or a board; :meth:`load` gives it `program`."""

    session: EnginePorts
    program: JobProgram
    _written: dict[int, int] = field(default_factory=dict)

    @cached_property
    def memory_map(self) -> MemoryMap:
        """Where its memories are."""
        return MemoryMap.of(self.program.config)

    def load(self) -> None:
        """Writes the program and enables the engine."""
        self.write_memories(self.program.writes())
        self._set({"control": {"enable": 1}})

    def write_memories(self, writes: Iterable[tuple[int, int]]) -> None:
        """Writes (word address, 32-bit word) pairs of memories, and checks them where the engine can."""
        self.session.write(checked(self.program.config, writes))

    def fill(self, window: Window | None, first: int, words: np.ndarray) -> None:
        """Writes words of a memory, int (count,), from address `first` on."""
        assert window is not None, "a memory that engines which train have"
        memory_map = self.memory_map
        writes = (
            memory_map.writes(window, 0, address, word) for address, word in enumerate(words.tolist(), first)
        )
        self.write_memories(chain.from_iterable(writes))

    def begin(
        self,
        mode: Mode,
        *,
        packet_bytes: int,
        layers: int = 0,
        start: int = 0,
        hold_weights: bool = False,
        code_bits: int = 0,
        noise_state: int | None = None,
    ) -> None:
        """Says what the next packets are; weights that were held are forgotten. `noise_state`: of gradients,
        with which their noise begins, None without."""
        mask, noise = (1 << WORD_BITS) - 1, noise_state is not None
        state = noise_state or 0
        self._set(
            {
                "job": {},
                "layers": {"layers": layers},
                "program_start": {"program_start": start},
                "image_bytes": {"image_bytes": packet_bytes},
                **{
                    name: {name: state >> (WORD_BITS * number) & mask}
                    for number, name in enumerate(_SEEDS if noise else ())
                },
            }
        )
        job = {"mode": mode, "hold_weights": hold_weights, "noise": noise, "code_bits": code_bits}
        self._set({"job": job})

    def _set(self, registers: Mapping[str, Mapping[str, int]]) -> None:
        """Writes registers, by name and field, that have not these values already."""
        words = {
            REGISTERS[name].address: REGISTERS[name].encode(**values) for name, values in registers.items()
        }
        new = [pair for pair in words.items() if self._written.get(pair[0]) != pair[1]]
        self._written |= words
        self.session.write(new)

    def measured(self) -> int:
        """What the last packet that was measured has left."""
        status = REGISTERS["status"]
        for _ in range(_LONGEST):
            if not status.decode(self.session.read(status.address))["busy"]:
                return self.session.read(REGISTERS["measured"].address)
        raise SimulationError(f"the engine is busy after {_LONGEST} reads of its status")


@contextmanager
def training_engine(
    program: JobProgram, *, cycles: int, stalls: int = 0, seed: int = 1
) -> Iterator[TrainingEngine]:
    """A :class:`TrainingEngine` with the jobs of `program`, exported as Verilog, compiled and loaded; it is
    gone when the block ends. `cycles`, `stalls`, `seed` and errors are those of
    :func:`dorefa.sim.verilator.session.session`."""
    config = program.config
    verilog = engine_files(config)["engine.v"]
    with session(verilog, config, cycles=cycles, stalls=stalls, seed=seed) as opened:
        engine = TrainingEngine(session=opened, program=program)
        engine.load()
        yield engine
