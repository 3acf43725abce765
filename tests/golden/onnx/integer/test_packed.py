"""Integers of less than a byte: how files pack them, and quantizers to them, in both domains."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dorefa.golden import InputError
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.file.external import ExternalData
from dorefa.golden.onnx.file.proto import tensor_array

from ..support import assert_refused
from .runtime import compare
from .test_operators import MICROSOFT, IntegerGraph, images

TYPES = {
    "uint4": TensorProto.UINT4,
    "int4": TensorProto.INT4,
    "uint2": TensorProto.UINT2,
    "int2": TensorProto.INT2,
}


def array_of(tensor):
    return tensor_array(onnx, tensor, "tensor t", ExternalData("."))


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("shape", [(), (1,), (2,), (3, 5), (4, 3, 2), (0, 3)])
def test_the_array_is_that_of_the_format(name, raw, shape, rng):
    signed, bits = not name.startswith("u"), int(name[-1])
    values = rng.integers(0, 1 << bits, shape) - (signed << (bits - 1))
    tensor = numpy_helper.from_array(np.asarray(values).astype(name), "t")
    if not raw:
        tensor = helper.make_tensor("t", TYPES[name], shape, np.asarray(values).reshape(-1).astype(name))
        assert not tensor.HasField("raw_data")
    found = array_of(tensor)
    assert found.dtype.name == name
    np.testing.assert_array_equal(found.astype(int), values)


def test_as_many_bytes_as_the_shape_claims():
    tensor = helper.make_tensor("t", TensorProto.INT4, [3], np.array([1, 2, 3]).astype("int4"))
    for wrong in ([0], [0, 1, 2]):
        tensor.int32_data[:] = wrong
        with pytest.raises(InputError, match=rf"^tensor t: shape \(3,\) claims 2 bytes and {len(wrong)} are"):
            array_of(tensor)
    tensor.int32_data[:] = [1, 256]
    with pytest.raises(InputError, match="^tensor t: numbers beyond uint8; accepted: "):
        array_of(tensor)


def test_external_data(tmp_path):
    tensor = helper.make_tensor("t", TensorProto.UINT2, [5], b"\x1b\x02", raw=True)
    (tmp_path / "t.data").write_bytes(tensor.raw_data)
    onnx.external_data_helper.set_external_data(tensor, "t.data")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    found = tensor_array(onnx, tensor, "tensor t", ExternalData(tmp_path))
    assert found.astype(int).tolist() == [3, 2, 1, 0, 2]


def quantized(rng, weights, zero, domain, axis):
    """A convolution with packed weights whose codes are packed too, another one behind it."""
    graph = IntegerGraph()
    name = weights.dtype.name
    image = graph.node(
        "DequantizeLinear", [graph.image(np.uint8(0)), np.float32(1 / 16), np.uint8(0)], "real"
    )
    scales = rng.choice([0.25, 0.5, 1], len(weights)).astype(np.float32)
    zeros = np.zeros(len(weights)).astype(name)
    w = graph.node("DequantizeLinear", [weights, scales, zeros], "w", domain, axis=axis)
    maps = graph.node("Conv", [image, w], "maps", pads=[1] * 4)
    codes = graph.node("QuantizeLinear", [maps, np.float32(2), zero], "codes", domain)
    real = graph.node("DequantizeLinear", [codes, np.float32(2), zero], "again", domain)
    w = graph.node("DequantizeLinear", [weights[:, [0, 1, 2, 1]], np.float32(1), zeros[0]], "w2", domain)
    return graph.model(graph.node("Conv", [real, w], "scores"), opset=21 if domain else 25)


@pytest.mark.parametrize("domain", ["", MICROSOFT])
@pytest.mark.parametrize(("name", "zero"), [("int4", -3), ("int4", 0), ("uint4", 5)])
def test_networks_of_four_bits(name, zero, domain, tmp_path, rng):
    """Every code is the runtime's; weights and codes have the bits of their type."""
    low = -8 if name == "int4" else 0
    weights = rng.integers(low, low + 16, (4, 3, 3, 3)).astype(name)
    onnx.save(quantized(rng, weights, np.array(zero).astype(name), domain, 0), tmp_path / "n.onnx")
    found, compared, _ = compare(tmp_path / "n.onnx", images(rng))
    assert compared > 400
    assert found.network.layers[0].w_bits == 4
    # Stored codes are q - z, which takes another bit where z is neither 0 nor in the middle.
    assert found.network.layers[0].out_bits == (4 if zero == 0 else 5)


@pytest.mark.parametrize("name", ["int2", "uint2"])
def test_weights_of_two_bits(name, tmp_path, rng):
    """No runtime has them yet: the network is that of the same weights in int8."""
    low = -2 if name == "int2" else 0
    weights = rng.integers(low, low + 4, (4, 3, 3, 3))
    weights.flat[0] = low  # three values could be fewer bits
    paths = [tmp_path / "packed.onnx", tmp_path / "bytes.onnx"]
    for path, kind in zip(paths, (name, "int8"), strict=True):
        values = weights.astype(kind)
        onnx.save(quantized(np.random.default_rng(1), values, np.uint8(0), "", 0), path)
    packed, whole = (importer.load(path) for path in paths)
    assert [layer.w_bits for layer in packed.layers] == [2, 2]
    for ours, theirs in zip(packed.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_array_equal(ours.thresholds, theirs.thresholds)


def test_a_file_of_a_version_without_the_type(tmp_path, rng):
    weights = rng.integers(-8, 8, (4, 3, 3, 3)).astype("int4")
    model = quantized(rng, weights, np.int8(0), "", 0)
    model.opset_import[0].version = 19
    onnx.save(model, tmp_path / "n.onnx")
    assert_refused(
        tmp_path / "n.onnx",
        r"node w2? \(DequantizeLinear\): x c\d+ has the element type int4; accepted: int8, ",
    )


@pytest.mark.parametrize("old", [False, True])
def test_images_of_four_bits(old, tmp_path, rng, monkeypatch):
    """An input whose elements are packed is an image of integers, also for versions of onnx that take them
    for bytes."""
    if old:
        monkeypatch.setattr(helper, "tensor_dtype_to_np_dtype", lambda kind: np.dtype(np.uint8))
    graph = IntegerGraph()
    real = graph.node("DequantizeLinear", ["x", np.float32(0.5), np.array(0).astype("uint4")], "real")
    w = rng.integers(-8, 8, (4, 3, 3, 3)).astype("int4")
    w = graph.node("DequantizeLinear", [w, np.float32(1), np.array(0).astype("int4")], "w")
    model = graph.model(graph.node("Conv", [real, w], "scores"))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT4
    onnx.save(model, tmp_path / "n.onnx")
    network = importer.load(tmp_path / "n.onnx")
    assert (network.input_bits, network.input_signed) == (4, False)
