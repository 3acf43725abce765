"""`dorefa quantize` of networks whose outputs have any form, and of one that is quantized."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from .test_quantize import quantize


@pytest.mark.parametrize("form", ["map", "channels last", "anchors", "signal"])
def test_signal_to_noise_of_outputs_of_any_form(form, dorefa, tmp_path, rng):
    """They are compared number by number, wherever the file puts the channels."""
    shape = (2, 20) if form == "signal" else (2, 4, 5)
    axes = len(shape) - 1
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * (2 * axes))]
    if form == "channels last":
        nodes.append(helper.make_node("Transpose", ["y"], ["z"], perm=[0, 2, 3, 1]))
    if form == "anchors":
        nodes.append(helper.make_node("Reshape", ["y", "sizes"], ["boxes"]))
        nodes.append(helper.make_node("Transpose", ["boxes"], ["z"], perm=[0, 1, 3, 4, 2]))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *shape))],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(rng.normal(size=(6, 2, *[3] * axes)).astype(np.float32), "w"),
            numpy_helper.from_array(np.array([1, 3, 2, 4, 5]), "sizes"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, tmp_path / "net.onnx")
    np.save(tmp_path / "data.npy", rng.uniform(0, 2, (6, *shape)).astype(np.float32))
    done = quantize(dorefa, tmp_path, "--json", tmp_path / "report.json")
    assert done.status == 0, done.err
    points = json.loads((tmp_path / "report.json").read_text())["points"]
    assert points[0]["signal_to_noise_db"] > 30


def test_a_network_that_is_quantized(dorefa, tmp_path, rng):
    test_signal_to_noise_of_outputs_of_any_form("map", dorefa, tmp_path, rng)
    (tmp_path / "q.onnx").rename(tmp_path / "net.onnx")
    done = quantize(dorefa, tmp_path)
    assert done.status == 1
    assert re.search(
        r"net.onnx: node \S+ \((Deq|Q)uantizeLinear\): quantizes already; accepted: a float", done.err
    )
