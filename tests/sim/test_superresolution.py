"""The super-resolution networks that the qonnx package ships: one has a Resize, one a DepthToSpace."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import qonnx

from dorefa.golden.onnx import importer
from dorefa.golden.run.integer import real_arrays, run_integer
from dorefa.hw.compiler.sizing import fit

from ..golden.onnx.support import execute
from .test_results import assert_exact

FILES = Path(qonnx.__file__).parent / "data" / "onnx" / "bsd300x3-espcn"
# The image of the file with a DepthToSpace is not quantized: the integers that cameras give.
KINDS = {"nn_resize": None, "subpixel": "UINT8/255"}


def of_size(kind, size):
    """The ModelProto for images of size x size pixels in place of 128 x 128."""
    model = onnx.load(FILES / kind / "quant_model.onnx")
    del model.graph.value_info[:]
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in [value for value in model.graph.input if value.name in constants]:
        model.graph.input.remove(value)
    shapes = [(model.graph.input[0], size), (model.graph.output[0], 2 * size)]
    for value, pixels in shapes:
        for dim, given in zip(value.type.tensor_type.shape.dim, (1, 3, pixels, pixels), strict=True):
            dim.Clear()
            dim.dim_value = given
    return model


def load(kind, size, tmp_path):
    """(ModelProto, Import)."""
    model, path = of_size(kind, size), tmp_path / f"{kind}.onnx"
    onnx.save(model, path)
    return model, importer.load_import(path, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_results_equal_the_executors(kind, tmp_path, size=16):
    """All pixels, in float32; of larger images the executor's sums meet a tie here and there."""
    rng = np.random.default_rng(1)
    model, found = load(kind, size, tmp_path)
    network = found.network
    images = rng.integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    image = next(tensor for tensor in found.tensors.values() if tensor.source < 0)
    scale = np.float32(float(image.scale[0])) if KINDS[kind] is None else np.float32(1) / np.float32(255)
    floats = (images * scale).astype(np.float32).transpose(0, 3, 1, 2)
    expected = execute(model, floats, model.graph.input[0].name)[model.graph.output[0].name]
    (real,) = real_arrays(network, run_integer(network, images)).values()
    assert real.shape == (1, 2 * size, 2 * size, 3)
    np.testing.assert_array_equal(real.astype(np.float32), expected.transpose(0, 2, 3, 1))


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.parametrize("kind", KINDS)
def test_they_run_on_the_engine(kind, tmp_path):
    _, found = load(kind, 8, tmp_path)
    config = fit(found.network, lanes=64, rows=32)
    assert config.row_steps == (kind == "nn_resize")
    assert_exact(found.network, config, count=1)
