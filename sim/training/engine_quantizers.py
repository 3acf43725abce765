"""The quantizers of a training step in the engine's units, which measure a packet, then make its codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dorefa.golden.quantizers.gradient import reciprocals
from dorefa.golden.quantizers.weight_thresholds import threshold_words, weight_thresholds
from dorefa.hw.compiler.training.cost import PassCost, is_measured
from dorefa.hw.interface.registers import Mode

from .engine import TrainingEngine

# Cycles that a packet of words may take beyond those of its beats.
_LIMIT = 1000


@dataclass(kw_only=True)
class EngineQuantizers:
    """Codes from the units of an `engine`. `costs`: by the layer's name and the quantizer
    (:data:`dorefa.hw.compiler.training.cost.QUANTIZERS`), of all packets so far, those measured included."""

    engine: TrainingEngine
    costs: dict[tuple[str, str], PassCost] = field(default_factory=dict)
    _table_bits: int = 0

    def gradients(
        self, layer: str, words: np.ndarray, bits: int, states: Sequence[int] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What :func:`dorefa.golden.quantizers.gradient.quantize_words` returns of int16 words (N, ...).
        `states`: of every sample's noise (:func:`dorefa.golden.quantizers.noise.stream_state`), None without
        noise; `layer` is whose costs these are."""
        memory_map = self.engine.memory_map
        if self._table_bits != bits:
            self.engine.fill(memory_map.reciprocals, 0, reciprocals(bits))
            self._table_bits = bits
        codes, scales = np.empty(words.shape, np.uint8), np.empty(len(words), np.int64)
        key = layer, "quantize_gradients"
        for sample, own in enumerate(words):
            packet = own.astype("<i2").reshape(1, -1).view(np.uint8)
            self.engine.begin(Mode.MEASURE_GRADIENTS, packet_bytes=packet.size)
            self._run(key, packet, 0)
            scales[sample] = self.engine.measured()
            self.engine.begin(
                Mode.QUANTIZE_GRADIENTS,
                packet_bytes=packet.size,
                code_bits=bits,
                noise_state=None if states is None else states[sample],
            )
            codes[sample] = self._run(key, packet, own.size).reshape(own.shape)
        return codes, scales

    def weights(self, layer: str, weights: np.ndarray, bits: int) -> np.ndarray:
        """The codes of :func:`dorefa.golden.quantizers.dorefa.quantize_weights` of float32 weights."""
        packet = weights.astype("<f4").reshape(1, -1).view(np.uint8)
        key = layer, "quantize_weights"
        largest = np.float32(0)
        if is_measured("quantize_weights", bits):
            self.engine.begin(Mode.MEASURE_WEIGHTS, packet_bytes=packet.size)
            self._run(key, packet, 0)
            largest = np.uint32(self.engine.measured()).view(np.float32)
        thresholds = threshold_words(weight_thresholds(largest, bits))
        self.engine.fill(self.engine.memory_map.thresholds, 1, thresholds)
        self.engine.begin(Mode.QUANTIZE_WEIGHTS, packet_bytes=packet.size, code_bits=bits)
        return self._run(key, packet, weights.size).reshape(weights.shape)

    def _run(self, key: tuple[str, str], packet: np.ndarray, count: int) -> np.ndarray:
        """The codes uint8 (count,) that a packet of words, uint8 (1, bytes), is answered with."""
        limit = 2 * packet.size // self.engine.program.config.port_bytes + _LIMIT
        answers = self.engine.session.run(packet, answer_bytes=count, limit=limit)
        found = PassCost(
            packets=1,
            cycles=int(answers.spans.sum()),
            image_bytes=packet.size,
            result_bytes=count,
        )
        self.costs[key] = self.costs.get(key, PassCost()) + found
        return answers.results[0]
