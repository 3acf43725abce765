"""`dorefa quantize`: a float network, its table, and what the other verbs make of the file."""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dorefa.golden.onnx import importer
from dorefa.golden.zoo.datasets import digits_sample

SHAPE = (1, 28, 28)


def features(images, kernels):
    """Rectified convolutions, maxima of 4 x 4 pixels, as vectors."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (5, 5), axis=(2, 3))
    maps = np.maximum(np.einsum("ncyxij,kcij->nkyx", windows, kernels, optimize=True), 0)
    return maps.reshape(len(maps), len(kernels), 6, 4, 6, 4).max(axis=(3, 5)).reshape(len(maps), -1)


def model(kernels, matrix, *, divisor=None, last=()):
    """The network of :func:`features` and a matrix; behind a division, nodes `last` at its end."""
    constants = {"w": kernels, "m": matrix, "b": np.zeros(10)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"], name="conv"),
        helper.make_node("Relu", ["maps"], ["rectified"]),
        helper.make_node("MaxPool", ["rectified"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "m", "b"], ["scores"], name="classes"),
        *last,
    ]
    if divisor is not None:
        constants["divisor"] = divisor
        nodes.insert(0, helper.make_node("Div", ["x", "divisor"], ["fractions"]))
        nodes[1].input[0] = "fractions"
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", *SHAPE))],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def trained():
    """(kernels, matrix, images, labels): random kernels, least squares on half of the shipped digits."""
    images, labels = digits_sample()
    images = images.transpose(0, 3, 1, 2)
    kernels = np.random.default_rng(1).normal(0, 0.2, (12, 1, 5, 5)).astype(np.float32)
    x = features(images[:500] / np.float32(255), kernels)
    wanted = np.eye(10)[labels[:500]]
    matrix = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ wanted)
    return kernels, matrix, images, labels


@pytest.fixture
def files(trained, tmp_path):
    """Folder with net.onnx, data.npy, test.npy and labels.npy."""
    kernels, matrix, images, labels = trained
    onnx.save(model(kernels, matrix), tmp_path / "net.onnx")
    real = images.astype(np.float32) / np.float32(255)
    np.save(tmp_path / "data.npy", real[:100])
    np.save(tmp_path / "test.npy", real[500:600])
    np.save(tmp_path / "labels.npy", labels[500:600])
    return tmp_path


def quantize(dorefa, folder, *more, name="net"):
    return dorefa(
        "quantize", folder / f"{name}.onnx", "--data", folder / "data.npy", "-o", folder / "q.onnx", *more
    )


def scored(folder):
    return (
        "--input",
        folder / "test.npy",
        "--labels",
        folder / "labels.npy",
        "--images",
        folder / "codes.npy",
    )


def test_the_table_is_what_golden_and_simulation_give(dorefa, files):
    """The written network on the written images has the accuracy of its line, and runs as Verilog."""
    outcome = quantize(dorefa, files, *scored(files), "--json", files / "report.json")
    assert outcome.status == 0, outcome
    report = json.loads((files / "report.json").read_text())
    assert report["files"] == [str(files / "q.onnx"), str(files / "codes.npy")]
    assert (report["images"], len(report["points"])) == (100, 3)
    assert report["accuracy"] > 0.85
    lines = {(point["w_bits"], point["a_bits"]): point for point in report["points"]}
    assert [*lines] == [(8, 8), (4, 8), (4, 4)]
    assert lines[8, 8]["same_answers"] > 0.97 and lines[8, 8]["signal_to_noise_db"] > 30
    assert [point["weight_bytes"] for point in report["points"]] == [4_622, 2_312, 2_312]
    assert lines[8, 8]["cycles"] > lines[4, 8]["cycles"] > lines[4, 4]["cycles"]
    for widths, point in lines.items():
        cells = ["W{} A{}".format(*widths), f"{point['accuracy']:.3f}", f"{point['same_answers']:.3f}"]
        assert any(line.split()[:4] == " ".join(cells).split() for line in outcome.out.splitlines())
    own = ("--input", files / "codes.npy", "--labels", files / "labels.npy", "--json", "-")
    again = dorefa("golden", files / "q.onnx", *own)
    assert again.report["accuracy"] == lines[8, 8]["accuracy"]
    simulated = dorefa("simulate", files / "q.onnx", *own, "--limit", 2)
    assert simulated.report["bit_exact"] and simulated.report["cycles"] == lines[8, 8]["cycles"]


def test_the_table_of_the_documentation(dorefa, trained, files):
    _, _, images, labels = trained
    np.save(files / "test.npy", images[500:].astype(np.float32) / np.float32(255))
    np.save(files / "labels.npy", labels[500:])
    lines = quantize(dorefa, files, *scored(files)).out.splitlines()[:6]
    text = (Path(__file__).parents[2] / "docs" / "qonnx.md").read_text().splitlines()
    first = text.index(lines[0])
    for ours, theirs in zip(lines[2:], text[first + 2 :], strict=False):
        *bits, accuracy, same, noise, size, cycles = ours.split()
        assert theirs.split()[: len(bits)] == bits and theirs.split()[-2:] == [size, cycles]
        # What the runtime computes in float32 depends on the processor in its last bits.
        for number, other, most in zip(
            (accuracy, same, noise), theirs.split()[-5:-2], (0.006, 0.006, 0.1), strict=True
        ):
            assert number == other == "-" or abs(float(number) - float(other)) <= most


@pytest.mark.parametrize(("w_bits", "a_bits"), [(4, 4), (8, 4)])
def test_fewer_bits(dorefa, files, w_bits, a_bits):
    outcome = quantize(dorefa, files, "--net-w", w_bits, "--net-a", a_bits, "--json", "-")
    points = outcome.report["points"]
    assert (points[0]["w_bits"], points[0]["a_bits"]) == (w_bits, a_bits)
    assert len(points) == (3 if w_bits == 4 else 4)
    assert points[0]["accuracy"] is None and 0 <= points[0]["same_answers"] <= 1
    network = importer.load(files / "q.onnx")
    assert (network.layers[0].w_bits, network.input_bits) == (w_bits, a_bits)


def test_what_stands_in_front_and_behind(dorefa, trained, files):
    """The network divides raw images itself, and gives probabilities: codes and answers are the same."""
    assert quantize(dorefa, files, *scored(files), "--json", "-").report
    codes = np.load(files / "codes.npy")
    kernels, matrix, images, _ = trained
    last = [helper.make_node("Softmax", ["scores"], ["probabilities"])]
    onnx.save(model(kernels, matrix, divisor=255, last=last), files / "raw.onnx")
    for name, part in (("data", images[:100]), ("test", images[500:600])):
        np.save(files / f"{name}.npy", part.astype(np.float32))
    outcome = quantize(dorefa, files, *scored(files), "--json", "-", name="raw")
    assert outcome.report["points"][0]["same_answers"] > 0.97
    np.testing.assert_array_equal(np.load(files / "codes.npy"), codes)


@pytest.mark.parametrize("least", [0, -3])
def test_images_are_the_integers_of_the_first_quantizer(least, dorefa, tmp_path, rng):
    """Channels last; where there are negative ones, around 0."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2, 4, 5))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(rng.normal(size=(3, 2, 3, 3)).astype(np.float32), "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, tmp_path / "net.onnx")
    data = rng.uniform(least, 2, (6, 2, 4, 5)).astype(np.float32)
    np.save(tmp_path / "data.npy", data)
    assert quantize(dorefa, tmp_path, "--images", tmp_path / "codes.npy").status == 0
    constants = {t.name: numpy_helper.to_array(t) for t in onnx.load(tmp_path / "q.onnx").graph.initializer}
    scale, zero = constants["x_scale"], int(constants["x_zero_point"])
    assert zero == (128 if least else 0)
    expected = np.clip(np.rint(data / scale) + zero, 0, 255) - zero
    codes = np.load(tmp_path / "codes.npy")
    assert codes.dtype == (np.int8 if least else np.uint8)
    np.testing.assert_array_equal(codes, expected.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "attributes"),
    [
        ("ArgMax", ["scores"], ["class"], {"axis": 1, "keepdims": 0}),
        ("ArgMax", ["scores"], ["class"], {"axis": 1}),
        ("TopK", ["scores", "one"], ["best", "class"], {}),
    ],
)
def test_networks_that_say_the_class(op, inputs, outputs, attributes, dorefa, trained, files):
    """Their own answer is compared; noise is that of what the file computes, which is not the scores."""
    kernels, matrix, _, _ = trained
    made = model(kernels, matrix, last=[helper.make_node(op, inputs, outputs, **attributes)])
    made.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    made.graph.output[0].name = "class"
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(made, files / "net.onnx")
    point = quantize(dorefa, files, *scored(files), "--json", "-").report["points"][0]
    assert point["same_answers"] > 0.97 and point["accuracy"] > 0.85 and point["signal_to_noise_db"] is None


def test_maps(dorefa, trained, tmp_path):
    """Of a network without classes the table has the noise alone."""
    kernels, matrix, images, _ = trained
    made = model(kernels, matrix)
    del made.graph.node[2:]
    made.graph.output[0].name = "rectified"
    onnx.save(made, tmp_path / "net.onnx")
    np.save(tmp_path / "data.npy", images[:5].astype(np.float32))
    points = quantize(dorefa, tmp_path, "--json", "-").report["points"]
    assert all(point["same_answers"] is None for point in points)
    assert points[0]["signal_to_noise_db"] > 35 > points[1]["signal_to_noise_db"] > 10


def changed(name, change):
    """Writes another array to a file."""

    def apply(folder):
        array = change(np.load(folder / name))
        np.save(folder / name, array)

    return apply


def with_node(op, **attributes):
    """Puts a node behind the scores."""

    def apply(folder):
        made = onnx.load(folder / "net.onnx")
        made.graph.node.append(helper.make_node(op, ["scores"], ["end"], name="end", **attributes))
        made.graph.output[0].name = "end"
        onnx.save(made, folder / "net.onnx")

    return apply


def other_matrix(folder):
    made = onnx.load(folder / "net.onnx")
    matrix = next(tensor for tensor in made.graph.initializer if tensor.name == "m")
    matrix.CopyFrom(numpy_helper.from_array(np.zeros((100, 10), np.float32), "m"))
    onnx.save(made, folder / "net.onnx")


def batch_of_four(folder):
    made = onnx.load(folder / "net.onnx")
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(made, folder / "net.onnx")


def truncated(folder):
    path = folder / "net.onnx"
    path.write_bytes(path.read_bytes()[:900])


def not_finite(array):
    array[3, 0, 2, 1] = np.nan
    return array


def missing(folder):
    (folder / "net.onnx").unlink()


def fifo(folder):
    missing(folder)
    os.mkfifo(folder / "net.onnx")


REFUSED = {
    "float64": (
        changed("data.npy", lambda x: x.astype(float)),
        r"data.npy: images are float64; accepted: float32 ",
    ),
    "shape": (
        changed("test.npy", lambda x: x.transpose(0, 2, 3, 1)),
        r"test.npy: shape \(100, 28, 28, 1\); accepted: \(batch, 1, 28, 28\), one image or more",
    ),
    "none": (changed("data.npy", lambda x: x[:0]), r"data.npy: shape \(0, 1, 28, 28\); accepted: "),
    "nan": (changed("test.npy", not_finite), "test.npy: has a number that is not finite; accepted: finite"),
    "labels": (
        changed("labels.npy", lambda x: x[:99]),
        "labels.npy: 99 labels; accepted: 100, one per image",
    ),
    "operator": (
        with_node("HardSwish"),
        r"net.onnx: node end \(HardSwish\): is not monotone; accepted: monotone operators",
    ),
    "unknown": (
        with_node("Nothing"),
        r"net.onnx: node end \(Nothing\): is an operator that is not supported; accepted: ",
    ),
    "shapes": (other_matrix, "net.onnx: ONNX Runtime refuses it .*; accepted: a float network that it runs"),
    "batch": (batch_of_four, "net.onnx: input x: a batch of 4; accepted: 1, or of any size"),
    "no batch": (
        with_node("ReduceMean", keepdims=0),
        r"net.onnx: output end is tensor\(float\) of shape \[\]; accepted: numbers, the batch first",
    ),
    "truncated": (truncated, "net.onnx: is not an ONNX file or is truncated "),
    "missing": (missing, r"net.onnx: cannot be read \(No such file or directory\); accepted: "),
    "fifo": (fifo, "net.onnx: is no plain file; accepted: one, because it is read several times"),
}


@pytest.mark.parametrize(("spoil", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(dorefa, files, spoil, message):
    spoil(files)
    assert re.search(message, quantize(dorefa, files, *scored(files)).error)
    assert not (files / "q.onnx").exists() and not (files / "codes.npy").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--net-w", 3), "--net-w 3; accepted: 4 or 8"),
        (("--net-a", 16), "--net-a 16; accepted: 4 or 8"),
        (("-o", "q.npz"), "q.npz: no name of an ONNX file; accepted: one that ends in .onnx"),
    ],
)
def test_options(dorefa, files, option, message):
    assert quantize(dorefa, files, *option).error == message


def test_a_quantized_network_is_refused(dorefa, files):
    assert quantize(dorefa, files).status == 0
    outcome = quantize(dorefa, files, "-o", files / "again.onnx", name="q")
    assert re.search("q.onnx(, quantized)?: ", outcome.error)


def test_without_the_packages(dorefa, files, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "dorefa.cli.quantizer", raising=False)
    message = (
        "net.onnx: quantizing it needs the package onnxruntime, which is not installed; accepted: after "
    )
    assert message in quantize(dorefa, files).error
