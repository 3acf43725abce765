"""dorefa.hw.compiler.training.sizing: the least engine that runs a network's training steps."""

import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.compiler.training.sizing import fit_training
from dorefa.hw.compiler.training.step_cost import step_costs
from dorefa.hw.compiler.training.step_jobs import StepJobs

from .support import NETWORK, shape_of


def runs(config, batch):
    """The passes of the network's steps on an engine, or None where it is too small."""
    try:
        return len(JobProgram.of(StepJobs.of(NETWORK, batch, config).jobs, config).starts)
    except InputError:
        return None


def test_it_trains_and_has_what_was_asked_for():
    config = fit_training(NETWORK, 4, lanes=16, rows=8, quant=4, port_bytes=8)
    asked = {"lanes": 16, "rows": 8, "quant": 4, "port_bytes": 8, "training": 1, "results": "wide"}
    assert {name: getattr(config, name) for name in asked} == asked
    assert (config.weights, config.encoding, config.w_bits, config.a_bits) == ("stream", "bipolar", 8, 8)
    # A beat of 8 bytes has 4 words of gradients, whose codes one sum has room for.
    assert fit_training(NETWORK, 4, lanes=16, rows=8, port_bytes=16).quant >= 2
    assert runs(config, 4) <= config.layer_depth


@pytest.mark.parametrize("encoding", ["bipolar", "any"])
def test_every_size_is_the_least(encoding):
    config = fit_training(NETWORK, 4, lanes=16, rows=8, quant=4, encoding=encoding)
    needed = {job.form for job in StepJobs.of(NETWORK, 4, config).jobs}
    assert needed == {"", "P", "B"}
    for name in ("acc_bits", "patch_depth", "image_patch_depth", "w_bits", "a_bits", "image_depth"):
        smaller = config.replace(**{name: getattr(config, name) - 1})
        assert cheaper(smaller, config) is None, name


def cheaper(smaller, config):
    """Cycles of a step on the smaller engine, if it does everything in as few passes."""
    found, expected = runs(smaller, 4), runs(config, 4)
    if found is None or found > expected:
        return None
    cycles = [
        sum(cost.cost.cycles for cost in step_costs(StepJobs.of(NETWORK, 4, own), own))
        for own in (smaller, config)
    ]
    return cycles[0] if cycles[0] <= cycles[1] else None


def test_overrides_are_kept():
    config = fit_training(NETWORK, 4, lanes=32, fetch_bits=32, out_bits=3, weight_depth=600, acc_bits=40)
    assert (config.fetch_bits, config.out_bits, config.weight_depth, config.acc_bits) == (32, 3, 600, 40)
    onchip = fit_training(NETWORK, 4, weights="onchip")
    assert runs(onchip, 4) and onchip.weight_depth < fit_training(NETWORK, 4).weight_depth


def test_large_jobs_are_cut():
    shapes = [*NETWORK[:2], shape_of(name="fc", in_shape=(4, 4, 64), kernel=(4, 4), padding=0, channels=500)]
    config = fit_training(shapes, 4, lanes=16, rows=8, quant=4)
    assert config.weight_depth == 1024
    program = JobProgram.of(StepJobs.of(shapes, 4, config).jobs, config)
    assert max(len(parts) for parts in program.parts.values()) > 1


@pytest.mark.parametrize(("channels", "lanes", "rows"), [(16, 32, 16), (256, 64, 32)])
def test_the_array_suits_the_network(channels, lanes, rows):
    config = fit_training([shape_of(in_shape=(16, 16, 64), channels=channels)], 1)
    assert (config.lanes, config.rows) == (lanes, rows)


@pytest.mark.parametrize(
    ("sizes", "port_bytes"),
    [
        ({}, 16),
        ({"lanes": 8, "rows": 4}, 8),
        ({"fetch_bits": 8}, 8),
        ({"quant": 1}, 8),
        ({"quant": 2}, 16),
        ({"quant": 1, "engines": 2}, 16),
        ({"port_bytes": 4}, 4),
    ],
)
def test_the_port_is_the_widest_there_is_room_for(sizes, port_bytes):
    assert fit_training(NETWORK, 4, **sizes).port_bytes == port_bytes


@pytest.mark.parametrize(("name", "lanes"), [("quant", 32), ("fetch_bits", 64)])
def test_wider_is_not_much_faster(name, lanes):
    def cycles(config):
        return sum(cost.cost.cycles for cost in step_costs(StepJobs.of(NETWORK, 4, config), config))

    sizes = {"lanes": lanes, "port_bytes": 4}
    config = fit_training(NETWORK, 4, **sizes)
    value = getattr(config, name)
    narrow, wide = (fit_training(NETWORK, 4, **sizes | {name: other}) for other in (value // 2, 2 * value))
    assert cycles(config) < 1.02 * cycles(wide)
    assert cycles(narrow) > 1.005 * cycles(config)


def test_unknown_parameters():
    with pytest.raises(InputError, match="^unknown engine parameter 'lane'; accepted: lanes, rows, "):
        fit_training(NETWORK, 4, lane=3)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "the network has no layers to train; accepted: at least one"),
        (
            [shape_of(in_shape=(1, 1, 140_000), kernel=(1, 1), padding=0, w_bits=8)],
            "job conv forward 0: it needs patch_depth of 4375, the engine has 4096; accepted: at least 4375",
        ),
    ],
)
def test_what_no_engine_does(shapes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_training(shapes, 2)
