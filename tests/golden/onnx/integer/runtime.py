"""What ONNX Runtime computes of a file, tensor by tensor, beside what the import does."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from dorefa.golden import run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.values.tensors import feature_order
from dorefa.golden.run import matmul
from dorefa.golden.run.integer import real_arrays, unsigned_images


def every_tensor(path, wanted, images):
    """{name: array} of tensors of a file for each of the images, one run each, nothing fused."""
    model = onnx.load(path)
    there = {output.name for output in model.graph.output}
    name = model.graph.input[0].name
    for tensor in wanted:
        if tensor not in there and tensor != name:
            model.graph.output.append(helper.make_empty_tensor_value_info(tensor))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    runs = [session.run(None, {name: image[None]}) for image in images]
    return {name: images} | {
        tensor: np.concatenate([run[place].reshape(1, *run[place].shape[1:]) for run in runs])
        for place, tensor in enumerate(names)
    }


def last(array):
    """Maps with their channels last."""
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def compare(path, images):
    """Asserts that every code and result of a file whose arithmetic float32 does not round is that of ONNX
    Runtime; returns (Import, codes compared, images as the network takes them).

    images: float32 or of the file's integer type, channels first.
    """
    found = importer.load_import(path)
    network, runtime = found.network, every_tensor(path, found.tensors, images)
    given = _network_images(found, runtime)
    results = run_integer(network, given)
    compared = 0
    for name, tensor in found.tensors.items():
        if tensor.source >= 0:
            ours = results[network.layers[tensor.source].name].reshape(len(images), *tensor.shape)
            np.testing.assert_array_equal(_codes(tensor, runtime[name]), ours, name)
            compared += ours.size
    for name, ours in real_arrays(network, results).items():
        # A vector has the order of the file.
        theirs = runtime[name] if ours.ndim == 2 else last(runtime[name])
        np.testing.assert_array_equal(theirs.reshape(ours.shape), ours, name)
    return found, compared, given


def compare_layers(path, images):
    """Asserts the same of every layer alone, on the runtime's own codes of the layer before, where float32
    rounds: its code may be the neighbor where our accumulator is the first or last one with our code. Returns
    how many codes were compared, and how many differ."""
    found = importer.load_import(path)
    layers, runtime = found.network.layers, every_tensor(path, found.tensors, images)
    stored = {-1: _network_images(found, runtime)}
    for name, tensor in found.tensors.items():
        if tensor.source >= 0:
            stored[tensor.source] = _codes(tensor, runtime[name])
    compared = different = 0
    for index, codes in stored.items():
        layer = layers[index]
        if index < 0 or layer.source not in stored or layer.rescale or layer.pool:
            continue
        inputs = stored[layer.source].reshape(-1, *layer.in_shape)
        sums = matmul.convolve(inputs, layer.values, **layer.spacing)
        counts = matmul.apply_thresholds(sums, layer.thresholds, layer.inverted)
        own = matmul.stored_codes(counts, layer.code_step, layer.code_offset, layer.out_bits)
        steps = of_blocks(codes, layer.block) - own
        compared, different = compared + steps.size, different + np.count_nonzero(steps)
        for *place, channel in np.argwhere(steps).tolist():
            row = layer.thresholds[channel]
            assert abs(steps[(*place, channel)]) == layer.code_step
            assert {0, 1} & {*(row - sums[(*place, channel)]).tolist()}, (layer.name, place, channel)
    return compared, different


def of_blocks(codes, block):
    """Maps with the pixels of every block as channels of one pixel, row after row."""
    (rows, columns), (count, height, width, channels) = block, codes.shape
    split = codes.reshape(count, height // rows, rows, width // columns, columns, channels)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // rows, width // columns, -1)


def _codes(tensor, real):
    """Stored codes of a tensor of the file, its axes channels first."""
    scale, offset = (np.array([float(n) for n in part]) for part in (tensor.scale, tensor.offset))
    flat = real.reshape(len(real), -1)[:, feature_order(tensor)].astype(np.float64)
    exact = (flat.reshape(len(real), *tensor.shape) - offset) / scale
    codes = np.rint(exact).astype(np.int64)
    # The runtime's own product with the scale is rounded to float32.
    assert np.abs(exact - codes).max() < 1e-3
    return codes


def _network_images(found, runtime):
    """The image's codes as the network takes them."""
    network = found.network
    name, image = next((name, codes) for name, codes in found.tensors.items() if codes.source < 0)
    codes = _codes(image, runtime[name]) - image.zero
    codes = codes.astype(np.int16 if image.zero else np.int8 if image.signed else np.uint8)
    return unsigned_images(network, codes.reshape(-1, *network.input_shape))
