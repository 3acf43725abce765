"""dorefa.hw.compiler.training.weight_operands: the words that the compiler makes of a network's weights."""

import dataclasses
import itertools

import numpy as np
import pytest

from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.memory_images import weight_words
from dorefa.hw.compiler.packets import weight_packet
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.compiler.training.weight_operands import weight_packets, weight_writes
from dorefa.hw.interface.memory_map import MemoryMap

from .support import CONFIG, job_of, operands, shared_job

JOBS = [job_of(), job_of(groups=2, w_bits=8), shared_job()]
CONFIGS = [CONFIG, CONFIG.replace(port_bytes=8), CONFIG.replace(lanes=40, rows=3, engines=2, quant=1)]


def words_of(own, codes):
    """Per row the words that the compiler makes of a layer with these codes."""
    one = own.schedule.passes[0]
    layer = dataclasses.replace(own.layer, codes=codes)
    geometry = PassGeometry.of(layer, own.config, source=own.source)
    words = weight_words(dataclasses.replace(one, geometry=geometry))
    return [row[: own.geometry.weight_words] for row in words]


def all_codes(job, weights):
    return np.tile(weights, (job.groups, 1, 1, 1)) if job.shared_weights else weights


@pytest.mark.parametrize("config", CONFIGS, ids=["narrow", "rows to a beat", "beats to a word"])
@pytest.mark.parametrize("job", JOBS, ids=["dense", "groups", "shared"])
def test_packets(job, config, rng):
    own = JobPass(part=job, config=config)
    _, weights = operands(job, rng)
    expected = [weight_packet(words_of(own, all_codes(job, codes)), config) for codes in weights]
    assert weight_packets(own, weights) == expected


@pytest.mark.parametrize("config", CONFIGS, ids=["narrow", "rows to a beat", "pieces of a word"])
@pytest.mark.parametrize("job", JOBS, ids=["dense", "groups", "shared"])
def test_writes(job, config, rng):
    config = config.replace(weights="onchip")
    own = JobPass(part=job, config=config)
    _, weights = operands(job, rng, weights=1)
    memory_map = MemoryMap.of(config)
    expected = itertools.chain.from_iterable(
        memory_map.writes(memory_map.weights, row, address, word)
        for row, words in enumerate(words_of(own, all_codes(job, weights[0])))
        for address, word in enumerate(words)
    )
    assert [*weight_writes(own, weights[0])] == [*expected]
