"""The table of docs/training.md is what the compiler predicts."""

import re
from pathlib import Path

import pytest

from dorefa.golden.train.network import convolution_shapes
from dorefa.golden.train.recipe import Recipe
from dorefa.golden.zoo.architectures import find
from dorefa.hw.compiler.training.sizing import fit_training
from dorefa.hw.compiler.training.step_cost import step_costs
from dorefa.hw.compiler.training.step_jobs import StepJobs

GUIDE = (Path(__file__).parents[4] / "docs" / "training.md").read_text()
ROWS = re.findall(r"^\| `([\w-]+)` \| (\d) \| (\d+) \| (.*) \|$", GUIDE, flags=re.M)
KINDS = ("forward", "input", "weight")


def costs_of(name, g_bits, batch):
    recipe = Recipe(w_bits=1, a_bits=2, g_bits=g_bits, batch=batch, epochs=1, seed=0)
    shapes = convolution_shapes(find(name), recipe)
    config = fit_training(shapes, batch, lanes=64, rows=32)
    return step_costs(StepJobs.of(shapes, batch, config), config)


def test_there_are_rows():
    assert len(ROWS) == 8


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[:3]))
def test_what_a_step_costs(row):
    name, g_bits, batch, rest = row
    costs = costs_of(name, int(g_bits), int(batch))
    images = int(batch)
    cycles, computing = (
        {kind: sum(getattr(cost.cost, unit) for cost in costs if cost.kind == kind) for kind in KINDS}
        for unit in ("cycles", "computing")
    )
    step = sum(cost.cost.cycles for cost in costs)
    alone = sum(computing.values())
    quantizers = step - sum(cycles.values())
    forwards = f"{step / cycles['forward']:.2f} ({alone / computing['forward']:.2f})"
    per_image = [f"{round(count / images):,}" for count in (*cycles.values(), quantizers)]
    assert rest.split(" | ") == [*per_image, f"{step:,}", f"{alone:,}", forwards]


def test_utilization_of_large_layers():
    """Those that the guide names."""
    found = {cost.kind: cost.utilization for cost in costs_of("svhn-a", 6, 8) if cost.layer == "conv2"}
    assert (f"{found['input']:.3f}", f"{found['weight']:.3f}") == ("0.958", "0.843")
    assert "has a utilization of 0.958 in backward-input" in GUIDE and "0.843 in backward-weight" in GUIDE
    digits = {(cost.layer, cost.kind): f"{cost.utilization:.3f}" for cost in costs_of("digits", 6, 8)}
    for layer, kind, said in (
        ("conv4", "weight", "`digits` conv4 0.066"),
        ("fc1", "weight", "fc1 0.044"),
        ("conv0", "forward", "25 products in 64 lanes: 0.194"),
        ("conv0", "weight", "gradients are split (0.932"),
        ("conv1", "input", "16 of 32 rows, 0.431"),
    ):
        assert said in GUIDE and said.endswith(digits[layer, kind])
