"""Jobs of a training step on the compiled model of the exported Verilog, seen at its ports."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.cost import PassCost, has_own_weights, part_cost
from dorefa.hw.compiler.training.cut import JobPart
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.compiler.training.weight_operands import weight_packets
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import REGISTERS

from ..job.errors import SimulationError
from ..verilator.session import Session

# A packet may take this many times its predicted cycles before the watchdog calls it stuck.
_PATIENCE = 4
_LEAST_LIMIT = 10_000


@dataclass(kw_only=True)
class EngineRunner:
    """A :data:`dorefa.golden.backward.job.Runner` on the engine of a `session`, whose jobs are those of
    `program`. `costs`: what every job has cost so far, as counted at the ports; `predicted`, where that is
    what the compiler predicts, which it is where no port stalls."""

    session: Session
    program: JobProgram
    costs: dict[Job, PassCost] = field(default_factory=dict)
    predicted: dict[Job, PassCost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._selected: dict[int, int] = {}
        memory_map = MemoryMap.of(self.program.config)
        params = memory_map.params
        for memory in range(params.memories):
            for address in range(params.depth):
                self.session.write(memory_map.writes(params, memory, address, 0))
        self.session.write([(REGISTERS["control"].address, REGISTERS["control"].encode(enable=1))])

    def __call__(self, job: Job, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sums int64 (N, Ho, Wo, out_channels) of a job. Raises :class:`InputError` for a job that is not
        in the program, and :class:`SimulationError` where the engine does not answer as it should."""
        job.check(images, weights)
        if job not in self.program.parts:
            raise InputError(f"job {job.name}: it is not in the engine's program; accepted: jobs of the step")
        if has_own_weights(job):
            weights = np.broadcast_to(weights, (len(images), *weights.shape[1:]))
        sums = np.empty((len(images), *job.out_shape), np.int64)
        for part in self.program.parts[job]:
            part.put(self._run(part, part.images(images), part.weights(weights)), sums)
        return sums

    def _run(self, part: JobPart, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
        computed = part.computed
        self._select(part)
        packets = weight_packets(computed, weights)
        image_packets = computed.packets(images)
        answers = self.session.run(
            image_packets,
            packets if len(packets) == len(images) else packets * len(images),
            answer_bytes=computed.result_bytes,
            limit=_PATIENCE * (computed.lead + computed.cost.cycles) + _LEAST_LIMIT,
        )
        none = PassCost()
        found = PassCost(
            packets=len(images),
            cycles=int((answers.last_out - answers.first_in + 1).sum()),
            computing=int(answers.cycles.sum()),
            image_bytes=image_packets.size,
            weight_bytes=sum(map(len, packets)),
            result_bytes=answers.results.size,
        )
        self.costs[part.job] = self.costs.get(part.job, none) + found
        self.predicted[part.job] = self.predicted.get(part.job, none) + part_cost(part, len(images))
        return computed.answers(answers.results, weights)

    def _select(self, part: JobPart) -> None:
        """Writes the registers with which the next packets are images of a part."""
        memory_map = MemoryMap.of(self.program.config)
        for offset, word in enumerate(part.computed.descriptor):
            self.session.write(memory_map.writes(memory_map.program, 0, offset, word))
        words = {"layers": 1, "image_bytes": part.computed.image_bytes}
        self.session.write((REGISTERS[name].address, word) for name, word in words.items())
