"""Networks trained on digits and exported by Brevitas (see brevitas_export.py) equal the executor."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from dorefa.golden import logits, run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.zoo.datasets import digits_sample

from .support import execute, real_values

FILES = sorted((Path(__file__).parent / "brevitas").glob("*.onnx"))
# Layers, and test images of 200 that must be right at least: far below what the training reached.
EXPECTED = {
    "depthwise": (4, 150),
    "mlp": (3, 150),
    "residual": (6, 150),
    "w1a2": (4, 150),
    "w2a2": (4, 150),
    "w4a4": (4, 150),
    "xnor": (3, 150),
}


def with_batch(model, count):
    """The model for a batch of `count`: its input, its Reshape and no stale shapes."""
    del model.graph.value_info[:]
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = count
    shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            shape = onnx.numpy_helper.to_array(tensor).copy()
            shape[0] = count
            tensor.CopyFrom(onnx.numpy_helper.from_array(shape, tensor.name))
    return model


def check(path, images):
    """Golden's answers for float images (batch, 1, 28, 28), equal to the executor's everywhere."""
    found = importer.load_import(path)
    network = found.network
    count = len(images)
    model = with_batch(onnx.load(path), count)
    context = execute(model, images, model.graph.input[0].name)
    name, image = next((n, t) for n, t in found.tensors.items() if t.source < 0)
    values = np.rint(context[name].reshape(count, -1) / float(image.scale[0])).astype(int)
    codes = (values & ((1 << network.input_bits) - 1)).astype(np.uint8)
    results = run_integer(network, codes.reshape(count, *network.input_shape))
    assert np.array_equal(
        real_values(image, values.reshape(count, *image.shape)), context[name].reshape(count, -1)
    )
    compared = 0
    for name, tensor in found.tensors.items():
        if tensor.source >= 0:
            stored = results[network.layers[tensor.source].name]
            expected = context[name].reshape(count, -1)
            assert np.array_equal(real_values(tensor, stored), expected), name
            compared += 1
    assert compared >= 2
    scores = logits(network, results[network.layers[-1].name])
    assert np.array_equal(scores, context[model.graph.output[0].name])
    return network, scores


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_real_digits_and_random_images(path, rng):
    images, labels = digits_sample()
    network, scores = check(path, (images.transpose(0, 3, 1, 2) / 256).astype(np.float32))
    layers, right = EXPECTED[path.stem]
    assert len(network.layers) == layers
    # The first 800 were seen in training.
    assert (scores[800:].argmax(axis=1) == labels[800:]).sum() >= right
    check(path, rng.random((1000, 1, 28, 28), np.float32))


def test_every_network_is_there():
    assert [path.stem for path in FILES] == sorted(EXPECTED)


def test_what_the_networks_are():
    networks = {path.stem: importer.load(path) for path in FILES}
    first = networks["w1a2"].layers[0]
    assert (first.w_bits, first.a_bits, networks["w1a2"].input_bits) == (8, 8, 8)
    assert networks["w1a2"].layers[1].encoding == "bipolar" and networks["w1a2"].layers[1].w_bits == 1
    assert any(layer.inverted.any() for layer in networks["w4a4"].layers)
    assert any(layer.add is not None for layer in networks["residual"].layers)
    assert networks["depthwise"].layers[1].groups == 8
    for layer in networks["xnor"].layers:
        assert layer.encoding == "bipolar" and layer.a_signed and layer.a_bits == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_exported_again(tmp_path, rng):
    for package in ("torch", "brevitas", "onnxoptimizer"):
        pytest.importorskip(package, reason=f"{package} is not installed (1.1 GB, not in the lock)")
    from .brevitas_export import MODELS, export

    for name in MODELS:
        export(name, tmp_path / f"{name}.onnx")
        check(tmp_path / f"{name}.onnx", rng.random((100, 1, 28, 28), np.float32))
