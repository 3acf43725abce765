"""Results that are maps, and several of them, in files."""

import numpy as np
import onnx
import pytest

from dorefa.golden.onnx import importer
from dorefa.golden.run.integer import real_arrays, result_arrays, run_integer

from ..golden.onnx.support import convolution, head, weights_of


@pytest.fixture
def two(tmp_path):
    """(path of a network with a map and scores, path of images, images)"""
    graph, x, draw = convolution(1, 3)
    w = graph.weights(weights_of(draw, 5, 6, 1, 1), "w", 0.25, 3)
    graph.node("Conv", [x, w], "/map/Conv")
    onnx.save(graph.model(head(graph, x, draw, 6 * 16), "/map/Conv"), tmp_path / "two.onnx")
    images = draw.integers(0, 16, (3, 6, 6, 2)).astype(np.uint8)
    np.save(tmp_path / "x.npy", images)
    return tmp_path / "two.onnx", tmp_path / "x.npy", images


def test_several_results_are_one_file_with_their_names(two, dorefa, tmp_path):
    model, input_, images = two
    files = {"--output": tmp_path / "y.npz", "--logits": tmp_path / "real.npz"}
    outcome = dorefa("golden", model, "--input", input_, *(item for pair in files.items() for item in pair))
    assert outcome.status == 0
    network = importer.load(model)
    values = run_integer(network, images)
    for path, expected in zip(files.values(), (result_arrays, real_arrays), strict=True):
        with np.load(path) as found:
            assert set(found) == {"scores", "/map/Conv"}
            for name, array in expected(network, values).items():
                assert found[name].dtype == array.dtype
                np.testing.assert_array_equal(found[name], array)
    assert np.load(files["--output"])["/map/Conv"].shape == (3, 4, 4, 5)


def test_labels_need_scores(two, dorefa, tmp_path):
    model, input_, _ = two
    np.save(tmp_path / "labels.npy", np.zeros(3, np.int64))
    outcome = dorefa("golden", model, "--input", input_, "--labels", tmp_path / "labels.npy")
    assert outcome.status == 1
    assert outcome.error.endswith(
        "labels.npy: labels of two, which gives results of 4x4x5 and results of 1x1x10; accepted: without "
        "labels, or a network that gives one score per class"
    )


def test_labels_of_scores_side_by_side(dorefa, tmp_path):
    """Two layers give the scores of one result; a board gives those of one."""
    graph, x, draw = convolution(1, 3)
    x = graph.node("Flatten", [x], "flat")
    heads = []
    for name, classes in (("few", 2), ("many", 3)):
        w = graph.weights(weights_of(draw, 6 * 16, classes), f"{name}_w", 0.25, 3)
        heads.append(graph.node("MatMul", [x, w], name))
    model = graph.model(graph.node("Concat", heads, "scores", axis=1))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, tmp_path / "side.onnx")
    np.save(tmp_path / "x.npy", draw.integers(0, 16, (3, 6, 6, 2)).astype(np.uint8))
    run = ("golden", tmp_path / "side.onnx", "--input", tmp_path / "x.npy", "--labels", tmp_path / "l.npy")
    np.save(tmp_path / "l.npy", np.array([0, 4, 2]))
    assert dorefa(*run).status == 0
    np.save(tmp_path / "l.npy", np.array([0, 5, 2]))
    refused = dorefa(*run)
    assert refused.status == 1 and "l.npy: label 5; accepted: 0 to 4" in refused.error
    built = dorefa("build", tmp_path / "side.onnx", "--board", "ulx3s_12f", "-o", tmp_path / "b")
    assert built.status == 1
    assert "side gives results of 1x1x2 and 1x1x3; accepted on a board: one score per class" in built.error
    # What was assumed of the file is said of an engine that it does not fit as well.
    unfit = dorefa("check", tmp_path / "side.onnx", "--feature-depth", "2", "--json", "-")
    assert unfit.status == 1
    assert unfit.report["supported"] is False
    assert unfit.report["notes"] == ["the batch of input x, N, is taken as 1"]


def test_check_and_generate_take_maps_and_boards_do_not(two, dorefa, tmp_path):
    model, _, _ = two
    assert dorefa("check", model, "--lanes", "8", "--rows", "2").status == 0
    folder = tmp_path / "engine"
    made = dorefa("generate", "-o", folder, "--model", model, "--lanes", "8", "--rows", "2")
    assert made.status == 0
    text = (folder / "network.json").read_text()
    assert '"/map/Conv"' in text and '"parts"' in text
    built = dorefa(
        "build", model, "--board", "ulx3s_12f", "-o", tmp_path / "b", "--lanes", "8", "--rows", "2"
    )
    assert built.status == 1
    assert "two gives results of 4x4x5 and 1x1x10; accepted on a board: one score per class" in built.error
