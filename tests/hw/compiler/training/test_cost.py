"""dorefa.hw.compiler.training.cost: what packets cost; tests/sim/training compares with the Verilog."""

import dataclasses

from dorefa.hw.compiler.training.cost import PassCost, job_cost, quantizer_cost
from dorefa.hw.compiler.training.cut import parts_of

from .support import CONFIG, job_of, shared_job


def test_held_weights_come_once():
    job = job_of(w_bits=8)
    (part,) = parts_of(job, CONFIG)
    own = part.computed
    one, five = job_cost(job, 1, CONFIG), job_cost(job, 5, CONFIG)
    assert one == PassCost(
        packets=1,
        cycles=own.lead + own.cost.cycles,
        computing=own.cost.cycles,
        image_bytes=5 * 4 * 6,
        weight_bytes=3 * 3 * 8 * 4 * 2,  # tiles, words, planes, rows, bytes
        result_bytes=4 * 3 * 3 * 10,
    )
    more = dataclasses.replace(one, cycles=own.lead + own.cost.computing, computing=own.cost.computing)
    assert own.cost.computing < own.cost.cycles
    assert five == one + sum([dataclasses.replace(more, weight_bytes=0)] * 4, PassCost())


def test_gradients_come_with_every_map():
    one = job_cost(shared_job(), 1, CONFIG)
    assert job_cost(shared_job(), 3, CONFIG) == one + one + one


def test_parts_cost_what_they_do():
    config = CONFIG.replace(weight_depth=18)
    whole, cut = job_cost(job_of(), 2, CONFIG), job_cost(job_of(), 2, config)
    assert (cut.packets, cut.image_bytes) == (3 * whole.packets, 3 * whole.image_bytes)
    assert (cut.weight_bytes, cut.result_bytes) == (whole.weight_bytes, whole.result_bytes)
    assert job_cost(job_of(), 2, CONFIG.replace(weights="onchip")).weight_bytes == 0


def test_quantizers_take_words_twice():
    weights = quantizer_cost("quantize_weights", 2, 1, 10, CONFIG)
    assert (weights.packets, weights.image_bytes, weights.result_bytes) == (2, 80, 10)
    gradients = quantizer_cost("quantize_gradients", 1, 3, 9, CONFIG)
    assert (gradients.packets, gradients.image_bytes, gradients.result_bytes) == (6, 3 * 36, 27)
    # 9 words are 5 beats, measured and quantized.
    assert gradients.cycles == 3 * (10 + 6) and weights.cycles == 20 + 20


def test_signs_of_weights_are_not_measured():
    weights = quantizer_cost("quantize_weights", 1, 1, 10, CONFIG)
    assert (weights.packets, weights.image_bytes, weights.result_bytes) == (1, 40, 10)
    assert weights.cycles == 10 + 20
