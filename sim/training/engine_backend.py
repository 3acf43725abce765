"""A training step's convolutions and quantizers on the engine."""

from __future__ import annotations

import numpy as np

from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.quantizers.dorefa import weight_scale
from dorefa.golden.quantizers.noise import stream_state
from dorefa.golden.train.job_backend import JobBackend
from dorefa.hw.compiler.training.step_cost import LayerCost, layer_costs
from dorefa.hw.compiler.training.step_jobs import StepJobs

from .engine import TrainingEngine
from .engine_quantizers import EngineQuantizers
from .engine_runner import EngineRunner


class EngineBackend(JobBackend):
    """A :class:`dorefa.golden.train.backend.Backend` on an `engine` with the program of `step`. `noise_seed`:
    seed of the gradient quantizer's noise, None to round to nearest.

    Every product of the three convolutions and every code of weights and gradients comes from the engine;
    scales of one-bit weights, thresholds, and what lies between are the host's.
    """

    def __init__(self, engine: TrainingEngine, step: StepJobs, noise_seed: int | None):
        self.runner = EngineRunner(engine=engine)
        super().__init__(self.runner, noise_seed, lambda shape, batch: step.forms[shape])
        self.quantizers = EngineQuantizers(engine=engine)
        self._step = step

    def quantize_weights(self, shape: ConvolutionShape, weights: np.ndarray) -> tuple[np.ndarray, np.float32]:
        """See :class:`dorefa.golden.train.backend.Backend`."""
        codes = self.quantizers.weights(shape.name, weights, shape.w_bits)
        return codes, weight_scale(weights, shape.w_bits)

    def quantize_gradients(
        self, shape: ConvolutionShape, index: int, step: int, words: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`dorefa.golden.train.backend.Backend`."""
        states = None
        if self.noise_seed is not None:
            states = [stream_state(self.noise_seed, step, index, sample) for sample in range(len(words))]
        return self.quantizers.gradients(shape.name, words, shape.g_bits, states)

    def backward_weight(
        self, shape: ConvolutionShape, gradients: np.ndarray, scales: np.ndarray, activations: np.ndarray
    ) -> np.ndarray:
        """See :class:`dorefa.golden.train.backend.Backend`. A batch that is not full, the last one of an
        epoch, is filled up with samples of scale 0, because jobs of form B are for full ones."""
        missing = self._step.batch - len(gradients)
        if missing > 0 and self._step.forms[shape].name == "B":
            gradients, scales, activations = (
                np.concatenate([own, np.zeros((missing, *own.shape[1:]), own.dtype)])
                for own in (gradients, scales, activations)
            )
        return super().backward_weight(shape, gradients, scales, activations)

    @property
    def jobs(self) -> int:
        """Jobs of convolutions so far."""
        return self.runner.runs

    def costs(self, steps: int) -> list[LayerCost]:
        """What the `steps` so far cost, as counted at the ports."""
        config = self.runner.engine.program.config
        return layer_costs(self._step, config, self.runner.costs, self.quantizers.costs, steps)
