"""Jobs of a training step on the compiled model of the exported Verilog, seen at its ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.cost import PassCost, has_own_weights, part_cost
from dorefa.hw.compiler.training.cut import JobPart
from dorefa.hw.compiler.training.weight_operands import weight_packets, weight_writes
from dorefa.hw.interface.registers import Mode
from dorefa.hw.interface.weight_sources import weight_source

from .engine import TrainingEngine

# A packet may take this many times its predicted cycles before the watchdog calls it stuck.
_PATIENCE = 4
_LEAST_LIMIT = 10_000


@dataclass(kw_only=True)
class EngineRunner:
    """A :data:`dorefa.golden.backward.job.Runner` on an `engine`, for the jobs of its program. `costs`: what
    every job has cost so far, as counted at the ports; `predicted`: what the compiler says, which is the same
    where no port stalls; `runs`: how many jobs were run."""

    engine: TrainingEngine
    costs: dict[Job, PassCost] = field(default_factory=dict)
    predicted: dict[Job, PassCost] = field(default_factory=dict)
    runs: int = 0

    def __call__(self, job: Job, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sums int64 (N, Ho, Wo, out_channels) of a job. Raises :class:`InputError` for a job that is not
        in the program, and SimulationError where the engine does not answer as it should."""
        job.check(images, weights)
        program = self.engine.program
        if job not in program.parts:
            raise InputError(f"job {job.name}: it is not in the engine's program; accepted: jobs of the step")
        self.runs += 1
        if has_own_weights(job):
            weights = np.broadcast_to(weights, (len(images), *weights.shape[1:]))
        sums = np.empty((len(images), *job.out_shape), np.int64)
        for part in program.parts[job]:
            part.put(self._run(part, part.images(images), part.weights(weights)), sums)
        return sums

    def _run(self, part: JobPart, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
        computed = part.computed
        packets = computed.packets(images)
        self.engine.begin(
            Mode.IMAGE,
            packet_bytes=computed.image_bytes,
            layers=1,
            start=self.engine.program.start(part),
            hold_weights=not has_own_weights(part.job),
        )
        if weight_source(computed.config).streams:
            results = self._send(part, packets, weight_packets(computed, weights))
        else:
            own = np.array_split(packets, len(weights))
            results = np.concatenate(
                [self._written(part, *operands) for operands in zip(own, weights, strict=True)]
            )
        expected = part_cost(part, len(images))
        self.predicted[part.job] = self.predicted.get(part.job, PassCost()) + expected
        return computed.answers(results, weights)

    def _written(self, part: JobPart, packets: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Results of images with the same weights, which are written into the weight memory."""
        self.engine.write_memories(weight_writes(part.computed, weights))
        return self._send(part, packets, ())

    def _send(self, part: JobPart, images: np.ndarray, weights: Sequence[bytes]) -> np.ndarray:
        """Results uint8 (N, bytes) of packets of images and weights."""
        computed = part.computed
        answers = self.engine.session.run(
            images,
            weights,
            answer_bytes=computed.result_bytes,
            limit=_PATIENCE * (computed.lead + computed.cost.cycles) + _LEAST_LIMIT,
        )
        found = PassCost(
            packets=len(images),
            cycles=int(answers.spans.sum()),
            computing=int(answers.cycles.sum()),
            image_bytes=images.size,
            weight_bytes=sum(map(len, weights)),
            result_bytes=answers.results.size,
        )
        self.costs[part.job] = self.costs.get(part.job, PassCost()) + found
        return answers.results
