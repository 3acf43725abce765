"""The engine as a training step sees it: a session, its program of jobs, its registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import REGISTERS, Mode

from ..verilator.session import Session, session


@dataclass(kw_only=True)
class TrainingEngine:
    """An engine behind a `session`, which has `program` and is enabled (:func:`training_engine`)."""

    session: Session
    program: JobProgram
    _written: dict[int, int] = field(default_factory=dict)

    @cached_property
    def memory_map(self) -> MemoryMap:
        """Where its memories are."""
        return MemoryMap.of(self.program.config)

    def load(self) -> None:
        """Writes the program and enables the engine."""
        self.session.write(self.program.writes())
        self.set("control", enable=1)

    def set(self, register: str, **values: int) -> None:
        """Writes a register, unless it has these values already."""
        found = REGISTERS[register]
        word = found.encode(**values)
        if self._written.get(found.address) != word:
            self._written[found.address] = word
            self.session.write([(found.address, word)])

    def begin(
        self,
        mode: Mode,
        *,
        packet_bytes: int,
        layers: int = 0,
        start: int = 0,
        hold_weights: bool = False,
        noise: bool = False,
        code_bits: int = 0,
    ) -> None:
        """Says what the next packets are; weights that are held are forgotten."""
        self.set("job")
        self.set("layers", layers=layers)
        self.set("program_start", program_start=start)
        self.set("image_bytes", image_bytes=packet_bytes)
        self.set("job", mode=mode, hold_weights=hold_weights, noise=noise, code_bits=code_bits)

    @property
    def measured(self) -> int:
        """What the last packet that was measured has left."""
        return self.session.read(REGISTERS["measured"].address)


@contextmanager
def training_engine(
    program: JobProgram, *, cycles: int, stalls: int = 0, seed: int = 1
) -> Iterator[TrainingEngine]:
    """A :class:`TrainingEngine` with the jobs of `program`, exported as Verilog, compiled and loaded; it is gone
    when the block ends. `cycles`, `stalls`, `seed`, errors: as :func:`dorefa.sim.verilator.session.session`."""
    config = program.config
    verilog = engine_files(config)["engine.v"]
    with session(verilog, config, cycles=cycles, stalls=stalls, seed=seed) as opened:
        engine = TrainingEngine(session=opened, program=program)
        engine.load()
        yield engine
