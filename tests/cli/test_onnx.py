"""MODEL as a QONNX file: golden's files, signed images, and what is refused."""

import numpy as np
import onnx
import pytest
from onnx import helper

from dorefa.golden import logits, run_integer
from dorefa.golden.onnx import importer

from .onnx_support import QONNX, model_of


def signed_model(names=("/conv/Conv", "/fc/Gemm")):
    """A signed 3-bit image, a convolution with signed codes, a fully connected layer with bias."""
    rng = np.random.default_rng(0)
    constants = {
        "w0": rng.normal(size=(4, 2, 3, 3)),
        "w1": rng.normal(size=(5, 16)),
        "b1": np.arange(5) / 8,
        "s": 0.25,
        "z": 0,
        "b": 3,
        "cs": 0.5,
    }
    nodes = []
    for tensor, out, narrow, scale in (
        ("x", "image", 0, "s"),
        ("w0", "w0q", 1, "s"),
        ("conv", "act", 0, "cs"),
        ("w1", "w1q", 1, "s"),
    ):
        nodes.append(
            helper.make_node(
                "Quant",
                [tensor, scale, "z", "b"],
                [out],
                domain=QONNX,
                signed=1,
                narrow=narrow,
                rounding_mode="ROUND",
            )
        )
    nodes.insert(2, helper.make_node("Conv", ["image", "w0q"], ["conv"], name=names[0]))
    nodes.append(helper.make_node("Flatten", ["act"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "w1q", "b1"], ["y"], name=names[1], transB=1))
    return model_of(nodes, constants, (2, 4, 4), 5)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "signed.onnx"
    onnx.save(signed_model(), path)
    return path


def test_files_hold_what_the_model_computes(dorefa, model, tmp_path, rng):
    network = importer.load(model)
    values = rng.integers(-4, 4, (70, 4, 4, 2), dtype=np.int8)
    np.save(tmp_path / "signed.npy", values)
    np.save(tmp_path / "x.npy", values.view(np.uint8) & 7)
    outputs = {}
    for name in ("signed", "x"):
        outcome = dorefa(
            "golden",
            model,
            "--input",
            tmp_path / f"{name}.npy",
            "--output",
            tmp_path / "y.npy",
            "--dump",
            tmp_path / "dump",
            "--logits",
            tmp_path / "l.npy",
            "--json",
            "-",
        )
        assert outcome.status == 0, outcome
        files = ("y.npy", "l.npy", "dump/conv_Conv.npy", "dump/fc_Gemm.npy")
        outputs[name] = [np.load(tmp_path / file) for file in files]
    for first, second in zip(*outputs.values(), strict=True):
        assert first.dtype == second.dtype and np.array_equal(first, second)
    accumulators, scores, codes, last = outputs["x"]
    expected = run_integer(network, values.view(np.uint8) & 7)
    assert codes.dtype == np.int8 and np.array_equal(codes, expected["/conv/Conv"])
    assert codes.min() < 0 < codes.max() and codes.shape == (70, 2, 2, 4)
    assert accumulators.dtype == np.int64 and np.array_equal(accumulators, last)
    assert scores.dtype == np.float64
    assert np.array_equal(scores, accumulators / 8 + np.arange(5) / 8)
    assert np.array_equal(scores, logits(network, accumulators))


def test_images_out_of_range(dorefa, model, tmp_path):
    path = tmp_path / "x.npy"
    images = np.zeros((1, 4, 4, 2), np.int8)
    images[0, 1, 2, 1] = -5
    np.save(path, images)
    assert dorefa("golden", model, "--input", path).error == (
        f"{path}: images has the value -5 at (0, 1, 2, 1); accepted: -4..3"
    )
    np.save(path, images.view(np.uint8))
    assert dorefa("golden", model, "--input", path).error == (
        f"{path}: images has the code 251 at (0, 1, 2, 1); accepted: 0..7 (3 bits)"
    )


def test_names_that_are_no_file_names(dorefa, tmp_path):
    path = tmp_path / "net.onnx"
    np.save(tmp_path / "x.npy", np.zeros((1, 4, 4, 2), np.uint8))
    onnx.save(signed_model(("../../conv", "..")), path)
    arguments = ("golden", path, "--input", tmp_path / "x.npy", "--dump", tmp_path / "dump")
    assert dorefa(*arguments).status == 0
    assert sorted(file.name for file in (tmp_path / "dump").iterdir()) == ["_.._conv.npy", "_.npy"]
    onnx.save(signed_model(("a/b", "a_b")), path)
    assert dorefa(*arguments[:-1], tmp_path / "new" / "dump").error == (
        "layer a_b: its codes would be written to a_b.npy, as another layer's; "
        "accepted for --dump: node names that differ as file names"
    )
    assert not (tmp_path / "new").exists()


def test_what_is_no_model(dorefa, model, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 4, 4, 2), np.uint8))
    error = dorefa("golden", model, "--input", tmp_path / "x.npy", "--net-w", 2).error
    assert error == f"--net-w 2 is for zoo names only; {model} has its own widths"
    error = dorefa("zoo", model).error
    assert error == f"{model} is a QONNX file; accepted: a .npz network or a zoo name"
    model.write_bytes(model.read_bytes()[:-40])
    before = sorted(tmp_path.iterdir())
    error = dorefa("golden", model, "--input", tmp_path / "x.npy", "--dump", tmp_path / "d").error
    assert error.startswith(f"{model}: is not an ONNX file or is truncated")
    assert sorted(tmp_path.iterdir()) == before


def test_image_type(dorefa, model, tmp_path):
    """Bytes as they are in front of the file's own quantizer, which is a layer then."""
    outcome = dorefa("check", model, "--image-type", "UINT8/64", "--json", "-")
    assert outcome.status == 0 and len(outcome.report["layers"]) == 3
    outcome = dorefa("check", model, "--image-type", "INT16")
    assert outcome.error.startswith(f"{model}: image type is INT16, 16 bits; accepted: UINT1..8, ")
    outcome = dorefa("check", "digits", "--image-type", "UINT8")
    assert outcome.error.startswith("--image-type UINT8 is for QONNX files only; accepted without it")
