"""Speed of the integer golden model, both implementations: images per second and their ratio.

    OPENBLAS_NUM_THREADS=1 python bench/golden_speed.py [--images 64] [--repeat 20]

onnxruntime computes the same integers of `digits` in float32, on one thread: convolutions, pooling of their
sums, and comparisons with the thresholds.

`digits` is the shipped 1-2 network on real test images; `alexnet conv3` is one layer of that size
(384 x 14 x 14 in and out, 3 x 3, two groups, 1-bit weights, 2-bit activations) on random codes.
"""

import argparse
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from dorefa.golden.lowering.lower import lower
from dorefa.golden.run import bitplanes, matmul
from dorefa.golden.run.integer import run_integer
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample


def fastest(run, repeat):
    """Least seconds of `repeat` calls of `run`, and its last result."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def onnx_run(network, images):
    """A function that runs a network of convolutions, max pooling and thresholds on the images in
    onnxruntime, and returns the last sums."""
    nodes, constants, name = [], [], "images"

    def constant(array):
        constants.append(numpy_helper.from_array(array.astype(np.float32), f"constant{len(constants)}"))
        return constants[-1].name

    def node(operator, *inputs, **attributes):
        nodes.append(helper.make_node(operator, inputs, [f"{operator}{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    for layer in network.layers:
        spacing = {"strides": layer.spacing["stride"], "pads": layer.spacing["padding"]}
        name = node("Conv", name, constant(layer.values.transpose(0, 3, 1, 2)), **spacing)
        if layer.pool is not None:
            name = node("MaxPool", name, kernel_shape=layer.pool.kernel, strides=layer.pool.stride)
        if layer.thresholds is not None:
            reached = [
                node("GreaterOrEqual", name, constant(level.reshape(1, -1, 1, 1)))
                for level in layer.thresholds.T
            ]
            name = node("Sum", *(node("Cast", bits, to=TensorProto.FLOAT) for bits in reached))
    floats = images.transpose(0, 3, 1, 2).astype(np.float32)
    values = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, floats.shape),
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "network", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda: session.run(None, {"images": floats})[0].reshape(len(images), -1)


def report(name, images, runs, repeat):
    """Times runs, {what: function}, and prints a line for each with its ratio to the first; they must
    agree."""
    times = {what: fastest(run, repeat) for what, run in runs.items()}
    first, expected = next(iter(times.values()))
    for what, (seconds, result) in times.items():
        if not np.array_equal(result, expected):
            raise SystemExit(f"{name}: {what} differs")
        print(f"{name:14} {what:14} {images / seconds:9.1f} images/s   ratio {seconds / first:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64, help="digits images per run")
    parser.add_argument("--repeat", type=int, default=20, help="runs, of which the fastest counts")
    options = parser.parse_args()

    network = lower(catalog.load("digits"))
    images = digits_sample()[0][: options.images]
    name = network.layers[-1].name
    report(
        "digits",
        len(images),
        {
            "matrix product": lambda: run_integer(network, images)[name],
            "bit planes": lambda: run_integer(network, images, "bitplanes")[name],
            "onnxruntime": onnx_run(network, images),
        },
        options.repeat,
    )

    draws = np.random.Generator(np.random.PCG64(1))
    codes = draws.integers(0, 4, (4, 14, 14, 384), dtype=np.uint8)
    weights = draws.integers(0, 2, (384, 3, 3, 192), dtype=np.uint8)
    geometry = {"padding": (1, 1, 1, 1), "groups": 2}
    values = 2 * weights.astype(np.int64) - 1
    report(
        "alexnet conv3",
        len(codes),
        {
            "matrix product": lambda: matmul.convolve(codes, values, **geometry),
            "bit planes": lambda: bitplanes.convolve(
                codes, weights, a_bits=2, w_bits=1, encoding="bipolar", **geometry
            ),
        },
        options.repeat,
    )


if __name__ == "__main__":
    main()
