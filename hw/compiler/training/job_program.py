"""One resident program that holds the jobs of a training step, each of its passes a program by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dorefa.golden.backward.job import Job
from dorefa.golden.errors import InputError
from dorefa.golden.network.encoding import Encoding

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.encodings import ACCEPTED_ENCODINGS
from ...interface.memory_map import MemoryMap
from .cut import JobPart, parts_of


@dataclass(frozen=True, kw_only=True)
class JobProgram:
    """`parts` of every job, and `starts`: of their descriptors the first word in the program memory. Passes
    with the same descriptor, as the parts of a job have, share one."""

    config: EngineConfig
    parts: dict[Job, tuple[JobPart, ...]]
    starts: dict[tuple[int, ...], int]

    @classmethod
    def of(cls, jobs: Iterable[Job], config: EngineConfig) -> JobProgram:
        """The program of `jobs` on an engine of `config`.

        Raises :class:`InputError` for an engine that runs no jobs, and for the first job that cannot run: it
        names the job, what it needs and what the engine has.
        """
        encodings = [name for name, own in ACCEPTED_ENCODINGS.items() if Encoding.BIPOLAR in own]
        for name, accepted in (("training", [1]), ("encoding", encodings)):
            value = getattr(config, name)
            if value not in accepted:
                raise InputError(
                    f"{name} is {value!r}; accepted for training steps: {' or '.join(map(str, accepted))}"
                )
        parts = {job: parts_of(job, config) for job in jobs}
        starts: dict[tuple[int, ...], int] = {}
        each = program.words_per_layer(config)
        for part in (part for own in parts.values() for part in own):
            starts.setdefault(part.computed.descriptor, each * len(starts))
        if len(starts) > config.layer_depth:
            raise InputError(
                f"program memory: the training step needs {len(starts)} passes, the engine has layer_depth = "
                f"{config.layer_depth}; accepted: at least {len(starts)}"
            )
        return cls(config=config, parts=parts, starts=starts)

    def start(self, part: JobPart) -> int:
        """Where the descriptor of a part begins, in words of the program memory."""
        return self.starts[part.computed.descriptor]

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits of the engine's memories: the program as it is filled, those of operands as they are."""
        config = self.config
        planes = config.feature_depth * (config.fetch_planes - config.image_planes)
        planes += config.image_depth * config.image_planes
        return {
            "program": program.WORD_BITS * sum(map(len, self.starts)),
            "weights": config.weight_depth * config.lanes * config.total_rows,
            "features": planes * config.fetch_bits,
        }

    def writes(self) -> Iterator[tuple[int, int]]:
        """(word address, 32-bit word) pairs that put the program into its memory."""
        memory_map = MemoryMap.of(self.config)
        for descriptor, start in self.starts.items():
            for offset, word in enumerate(descriptor):
                yield from memory_map.writes(memory_map.program, 0, start + offset, word)
