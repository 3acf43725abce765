"""The reports say how bipolar activations are computed, and what that costs."""

import numpy as np
import onnx
import pytest
from onnx import helper

from dorefa.golden.onnx import importer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit

from .onnx_support import QONNX, model_of

ENGINE = {"lanes": 16, "rows": 4}
OPTIONS = [f"--{name}={value}" for name, value in ENGINE.items()]


@pytest.fixture
def model(tmp_path):
    """A bipolar image, two convolutions with bipolar weights and activations, the second padded."""
    rng = np.random.default_rng(0)
    constants = {
        "w0": rng.normal(size=(8, 2, 3, 3)),
        "w1": rng.normal(size=(8, 8, 3, 3)),
        "w2": rng.normal(size=(3, 8 * 16)),
        "one": 1,
    }
    nodes = [
        helper.make_node("BipolarQuant", [name, "one"], [f"{name}q"], domain=QONNX)
        for name in ("x", "w0", "w1", "w2")
    ]
    for name, tensor, weights, pads in (("a", "xq", "w0q", 0), ("b", "aq", "w1q", 1)):
        nodes.append(helper.make_node("Conv", [tensor, weights], [name], name=name, pads=[pads] * 4))
        nodes.append(helper.make_node("BipolarQuant", [name, "one"], [f"{name}q"], domain=QONNX))
    nodes.append(helper.make_node("Flatten", ["bq"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "w2q"], ["y"], name="fc", transB=1))
    path = tmp_path / "bipolar.onnx"
    onnx.save(model_of(nodes, constants, (2, 6, 6), 3), path)
    return path


def expected(path):
    """(layer, padded, cycles): with one plane the array takes half of its tiling bound."""
    network = importer.load(path)
    compiled = compile_network(network, fit(network, **ENGINE))
    return [
        {
            "layer": layer.name,
            "encoding": "twos_complement",
            "planes": 2,
            "padded": layer.name == "b",
            "cycles": layer.bound / 2,
        }
        for layer in compiled.layers[1:]
    ]


def test_check_says_how_and_what_it_costs(dorefa, model):
    outcome = dorefa("check", model, *OPTIONS, "--json", "-")
    assert outcome.status == 0, outcome
    entries = expected(model)
    assert outcome.report["bipolar_activations"] == entries
    # 16 pixels, 8 channels on 4 rows, 72 products on 16 lanes, one more plane.
    assert entries[0]["cycles"] == 16 * 2 * 5
    assert (
        "b: reads padded bipolar activations as two's complement, 2 planes instead of 1; that takes "
        "160 of its cycles\n"
    ) in outcome.err
    assert "fc: reads bipolar activations as two's complement" in outcome.err


def test_simulate_says_it_and_is_bit_exact(dorefa, model):
    outcome = dorefa("simulate", model, *OPTIONS, "--limit", 3, "--json", "-")
    assert outcome.status == 0 and outcome.report["bit_exact"], outcome
    assert outcome.report["bipolar_activations"] == expected(model)
    assert "b: reads padded bipolar activations as two's complement" in outcome.err


def test_nothing_is_said_of_unsigned_activations(dorefa, small):
    outcome = dorefa("check", small[0], "--json", "-")
    assert outcome.report["bipolar_activations"] == [] and "bipolar activations" not in outcome.err
