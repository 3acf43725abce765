"""Weights that a cleanup has folded with their quantizer, which SCALEDINT annotations tell of."""

import numpy as np
import onnx
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from dorefa.golden.onnx import importer
from dorefa.golden.onnx.values.folded import annotated

from .support import Graph, assert_refused, bias_of, weights_of


def build(seed, bits, per_channel):
    """A convolution, a depthwise, a transposed one and a matrix, with scales as training gives them."""
    rng = np.random.default_rng(seed)
    graph = Graph((1, 2, 6, 6))

    def weights(shape, axis, out):
        scale = rng.uniform(0.001, 0.2, [size if place == axis else 1 for place, size in enumerate(shape)])
        scale = scale if per_channel else rng.uniform(0.001, 0.2)
        return graph.weights(weights_of(rng, *shape) * scale * (1 << (bits - 2)), out, scale, bits)

    x = graph.quant("x", "image", 1 / 8, 4)
    w = weights((6, 2, 3, 3), 0, "w0")
    x = graph.quant(
        graph.node("Conv", [x, w, graph.constant(bias_of(rng, 6))], "conv0"), "act0", 0.5, 3, signed=1
    )
    x = graph.quant(graph.node("Conv", [x, weights((6, 1, 2, 2), 0, "w1")], "conv1", group=6), "act1", 0.5, 3)
    w = weights((6, 3, 2, 2), 1, "w2")
    x = graph.quant(graph.node("ConvTranspose", [x, w], "conv2", strides=[2, 2]), "act2", 0.5, 3)
    x = graph.node("Flatten", [x], "flat", axis=1)
    return graph.model(graph.node("MatMul", [x, weights((108, 4), 1, "w3")], "scores"))


def folded(model):
    """The same file after qonnx's cleanup of constants."""
    wrapper = ModelWrapper(model).transform(InferShapes())
    wrapper = wrapper.transform(InferDataTypes(allow_scaledint_dtypes=True))
    return wrapper.transform(FoldConstants(exclude_op_types=[])).model


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("per_channel", [False, True])
def test_folded_weights_are_those_of_the_quantizer(bits, per_channel, tmp_path, seed):
    model = build(seed, bits, per_channel)
    onnx.save(model, tmp_path / "whole.onnx")
    onnx.save(folded(model), tmp_path / "folded.onnx")
    assert "Quant" in {node.op_type for node in folded(model).graph.node}
    whole, ours = (importer.load(tmp_path / f"{name}.onnx") for name in ("whole", "folded"))
    for layer, other in zip(whole.layers, ours.layers, strict=True):
        # A factor of all weights of a channel is one of the scale: no more bits than were declared.
        assert other.w_bits <= layer.w_bits
        factor = np.array(
            [
                max(1, np.abs(own).max()) // max(1, np.abs(small).max())
                for own, small in zip(layer.values, other.values, strict=True)
            ]
        )
        np.testing.assert_array_equal(layer.values, other.values * factor[:, None, None, None])
        if layer.thresholds is not None:
            np.testing.assert_array_equal(other.thresholds, -(-layer.thresholds // factor[:, None]))


@pytest.mark.parametrize(
    "said", ["SCALEDINT<4>", "SCALEDINT<6>", "SCALEDINT<32>", "SCALEDINT<1>", "INT8", "FLOAT32", ""]
)
def test_weights_of_more_values_than_they_say(said, tmp_path, seed):
    """Or of no width that weights have."""
    model = folded(build(seed, 8, True))
    for annotation in model.graph.quantization_annotation:
        for entry in annotation.quant_parameter_tensor_names:
            if annotation.tensor_name == "w0":
                entry.value = said
    onnx.save(model, tmp_path / "net.onnx")
    assert_refused(
        tmp_path / "net.onnx", r"node conv0 \(Conv\): the weights w0 are not quantized; accepted: "
    )


@pytest.mark.parametrize(
    "weights", [np.zeros((0, 3)), np.full((2, 3), 1e-45), np.full((2, 3), 3.4e38), np.eye(3)]
)
def test_weights_at_the_ends_of_float32(weights):
    """Scales next to them are 0 or no numbers: what is found gives the weights again."""
    weights = np.asarray(weights, np.float32)
    found = annotated(weights, "SCALEDINT<8>")
    assert found.array is weights
    if found.grid is not None:
        again = found.grid.values.astype(np.float32) * found.grid.scale.astype(np.float32)
        np.testing.assert_array_equal(again, weights)
    assert (found.grid is None) == (weights.size == 0)
