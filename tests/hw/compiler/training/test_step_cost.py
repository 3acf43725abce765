"""dorefa.hw.compiler.training.step_cost: a step's costs by layer and kind."""

from dataclasses import replace

from dorefa.hw.compiler.training.cost import PassCost, job_cost
from dorefa.hw.compiler.training.sizing import fit_training
from dorefa.hw.compiler.training.step_cost import layer_costs, step_costs
from dorefa.hw.compiler.training.step_jobs import StepJobs

from .support import CONFIG, LARGE, NETWORK

QUANTIZERS = ["quantize_weights", "quantize_gradients"]


def test_kinds_of_layers_in_order():
    costs = step_costs(StepJobs.of(NETWORK, 8, CONFIG), CONFIG)
    assert [(cost.layer, cost.kind) for cost in costs] == [
        ("conv0", kind) for kind in ("forward", "weight", *QUANTIZERS)
    ] + [(layer, kind) for layer in ("conv1", "fc") for kind in ("forward", "input", "weight", *QUANTIZERS)]
    assert {cost.form for cost in costs if cost.kind != "weight"} == {""}
    assert {cost.form for cost in costs if cost.kind == "weight"} <= {"P", "B"}


def test_costs_are_those_of_all_jobs():
    step = StepJobs.of(NETWORK, 8, CONFIG)
    costs = step_costs(step, CONFIG)
    jobs = sum((job_cost(job, job.images(8), CONFIG) for job in step.jobs), PassCost())
    assert sum((cost.cost for cost in costs if cost.kind not in QUANTIZERS), PassCost()) == jobs
    quantized = [cost.cost for cost in costs if cost.kind == "quantize_gradients"]
    # Maps of 8x8x4, 4x4x6 and one pixel of 3 words, for 8 samples.
    assert [cost.result_bytes for cost in quantized] == [8 * 256, 8 * 96, 8 * 3]


def test_operations_are_those_of_the_layer():
    step = StepJobs.of(NETWORK, 8, CONFIG)
    costs = {(cost.layer, cost.kind): cost for cost in step_costs(step, CONFIG)}
    products = 8 * 4 * 4 * 6 * 9 * 4
    for kind, planes in (("forward", 1 * 2), ("input", 1 * 4), ("weight", 2 * 4)):
        cost = costs["conv1", kind]
        assert cost.operations == products * planes
        assert cost.utilization == cost.operations / (cost.cost.computing * 16 * 4)
    assert costs["conv1", "quantize_weights"].utilization == 0


def test_costs_of_several_steps():
    step = StepJobs.of(NETWORK[:1], 2, CONFIG)
    jobs = {job: job_cost(job, job.images(2), CONFIG) for job in step.jobs}
    twice = {job: cost + cost for job, cost in jobs.items()}
    (one, _), (two, _) = (layer_costs(step, CONFIG, *args) for args in ((jobs, {}), (twice, {}, 2)))
    assert two.operations == 2 * one.operations and two.utilization == one.utilization


def test_a_large_layer_keeps_the_array_busy():
    # 64 lanes x 32 rows; the first layer is there because it has no input gradients.
    shapes = [replace(LARGE, name="conv1"), LARGE]
    config = fit_training(shapes, 8, lanes=64, rows=32, quant=8, port_bytes=8)
    costs = {cost.kind: cost for cost in step_costs(StepJobs.of(shapes, 8, config), config)}
    assert costs["input"].utilization >= 0.95 and costs["weight"].utilization >= 0.80
