"""What the packets of a training step cost: cycles, and bytes at the ports."""

from __future__ import annotations

from dataclasses import dataclass

from dorefa.golden.backward.job import Job

from ...config.engine import EngineConfig
from ...engine.training.gradient_quantizer import GradientQuantizer
from ...engine.training.weight_quantizer import WeightQuantizer
from ...interface.streams import beats_per_address
from ...interface.weight_sources import weight_source
from .cut import JobPart, parts_of

QUANTIZERS = ("quantize_weights", "quantize_gradients")
# Bytes of a word, and cycles from it to its code.
_WORDS = dict(zip(QUANTIZERS, ((4, WeightQuantizer.latency), (2, GradientQuantizer.latency)), strict=True))
CODES = 2  # around the unit, between the ports


@dataclass(frozen=True, kw_only=True)
class PassCost:
    """Of some packets of one pass or several, or of a quantizer: `packets`; `cycles` from each one's first
    beat to its last, or that of its results; `computing` of them from the first feature read on; bytes of
    images (or words), weights and results (or codes) at the ports."""

    packets: int = 0
    cycles: int = 0
    computing: int = 0
    image_bytes: int = 0
    weight_bytes: int = 0
    result_bytes: int = 0

    def __add__(self, other: PassCost) -> PassCost:
        names = self.__dataclass_fields__
        return PassCost(**{name: getattr(self, name) + getattr(other, name) for name in names})


def has_own_weights(job: Job) -> bool:
    """Whether every image of a job comes with weights of its own: gradients, where others are held."""
    return job.kind == "weight"


def part_cost(part: JobPart, images: int) -> PassCost:
    """Prediction for a part of a job with so many images."""
    computed = part.computed
    config, cost = computed.config, computed.cost
    with_weights = images if has_own_weights(part.job) else min(images, 1)
    computing = with_weights * cost.cycles + (images - with_weights) * cost.computing
    transfers = computed.geometry.weight_words * beats_per_address(config) * config.port_bytes
    return PassCost(
        packets=images,
        cycles=images * computed.lead + computing,
        computing=computing,
        image_bytes=images * computed.image_bytes,
        weight_bytes=with_weights * transfers if weight_source(config).streams else 0,
        result_bytes=images * computed.result_bytes,
    )


def job_cost(job: Job, images: int, config: EngineConfig) -> PassCost:
    """Prediction for a job with so many images; InputError where it cannot run on an engine of `config`."""
    return sum((part_cost(part, images) for part in parts_of(job, config)), PassCost())


def is_measured(kind: str, bits: int) -> bool:
    """Whether what is quantized to so many bits is measured before; the sign of a weight needs no scale."""
    return kind != "quantize_weights" or bits > 1


def quantizer_cost(kind: str, bits: int, packets: int, words: int, config: EngineConfig) -> PassCost:
    """Prediction for `packets` of so many words each, measured where they must be and then quantized to
    `bits`: `kind` is one of QUANTIZERS."""
    size, latency = _WORDS[kind]
    times = 2 if is_measured(kind, bits) else 1
    beats = -(-words * size // config.port_bytes)
    return PassCost(
        packets=times * packets,
        cycles=packets * (times * beats + latency + CODES),
        image_bytes=packets * times * words * size,
        result_bytes=packets * words,
    )
