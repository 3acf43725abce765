"""A TFLite network through tf2onnx: its integers beside those of TFLite's own interpreter.

    python -m venv tf && tf/bin/pip install tensorflow-cpu tf2onnx ".[onnx]"      # 1.6 GB
    tf/bin/python bench/tflite.py [--images 50] [--seed 1]

Needs an environment of its own, as nothing else here needs TensorFlow. The network (convolutions, a depthwise
one, pooling, a matrix; random weights) is quantized to int8 by TensorFlow's converter. Status 1 where an
output differs.
"""

import argparse
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf

from dorefa.golden import run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.run.integer import real_arrays, unsigned_images

SHAPE = (16, 16, 3)


def tflite_file(seed):
    """The network as an int8 TFLite file, bytes."""
    tf.random.set_seed(seed)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            tf.keras.Input(SHAPE),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", bias_initializer="normal"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu6"),
            layers.Conv2D(16, 1, activation="relu6", bias_initializer="normal"),
            layers.MaxPool2D(2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, bias_initializer="normal"),
        ]
    )
    images = np.random.default_rng(seed).random((50, *SHAPE)).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def interpreted(path, images):
    """What TFLite's interpreter makes of int8 images."""
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for image in images:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"])[0].copy())
    return np.array(outputs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    images = np.random.default_rng(options.seed).integers(-128, 128, (options.images, *SHAPE), np.int8)
    with tempfile.TemporaryDirectory() as folder:
        given, converted = Path(folder, "net.tflite"), Path(folder, "net.onnx")
        given.write_bytes(tflite_file(options.seed))
        command = [
            sys.executable,
            "-m",
            "tf2onnx.convert",
            "--tflite",
            str(given),
            "--output",
            str(converted),
        ]
        subprocess.run([*command, "--opset", "17"], check=True, capture_output=True)
        network = importer.load(converted)
        wanted = interpreted(given, images)
    results = run_integer(network, unsigned_images(network, images))
    (ours,) = real_arrays(network, results).values()
    different = np.count_nonzero(ours != wanted)
    tools = " ".join(f"{name} {version(name)}" for name in ("tensorflow-cpu", "tf2onnx", "onnx"))
    print(f"seed {options.seed}; {tools}")
    print(f"{len(network.layers)} layers; {wanted.size} outputs compared, {different} different")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
