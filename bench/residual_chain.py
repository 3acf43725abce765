"""Seconds for chains of residual additions, step by step: twice the chain should take twice as long.

    python bench/residual_chain.py [--additions 300 600 1200] [--kinds sums blocks network]

`sums` is a QONNX file whose additions follow one another without a quantizer, `blocks` one whose trunk is
quantized for every block, `network` a chain of blocks in float form, in a .npz file.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network import npz
from dorefa.golden.network.layer import Layer
from dorefa.golden.network.network import Network
from dorefa.golden.network.parts import Rescale
from dorefa.golden.onnx import importer
from dorefa.golden.random.network import random_images
from dorefa.golden.run.integer import run_integer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit


def onnx_chain(additions, quantized):
    """ModelProto of 1x1 convolutions on a map of one pixel, each added to the sum of those before it."""
    constants = {"scale": 0.5, "zero": 0, "bits": 2, "kernel": np.ones((1, 1, 1, 1))}
    nodes = []

    def node(op, inputs, out, domain="", **attributes):
        nodes.append(helper.make_node(op, inputs, [out], name=out, domain=domain, **attributes))
        return out

    def quant(tensor, out, signed):
        inputs = [tensor, "scale", "zero", "bits"]
        more = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return node("Quant", inputs, out, "qonnx.custom_op.general", **more)

    weights = quant("kernel", "weights", 1)
    image = tensor = quant("x", "image", 0)
    total = node("Conv", [tensor, weights], "first")
    for number in range(additions):
        tensor = quant(total, f"code{number}", 0) if quantized else image
        total = node("Add", [total, node("Conv", [tensor, weights], f"conv{number}")], f"sum{number}")
    last = quant(total, "last", 0)
    scores = node("Flatten", [node("Conv", [last, weights], "fc")], "scores", axis=1)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "chain",
        [value("x", TensorProto.FLOAT, (1, 1, 1, 1))],
        [value(scores, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def float_chain(additions):
    """Network of blocks of one convolution, each adds the trunk of the one before it."""
    trunk = Rescale(m=np.ones(1, np.int64), b=np.zeros(1, np.int64), f=0, scale=np.float32(0.25), bits=24)
    fields = {"kind": "conv", "codes": np.ones((1, 1, 1, 1), np.uint8), "w_bits": 1, "scale": np.float32(1)}
    layers = [
        Layer(
            name=f"layer{number}",
            rescale=trunk,
            a_bits=2,
            add=f"layer{number - 1}" if number else None,
            **fields,
        )
        for number in range(additions + 1)
    ]
    return Network(
        name="chain", input_shape=(1, 1, 1), input_bits=2, layers=(*layers, Layer(name="last", **fields))
    )


def steps(kind, additions):
    """Yields (step, seconds)."""

    def timed(step, work):
        started = time.perf_counter()
        try:
            result = work()
        except (RecursionError, InputError) as error:
            yield f"{step}: {type(error).__name__}", time.perf_counter() - started
            return None
        yield step, time.perf_counter() - started
        return result

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain"
        if kind == "network":
            network = yield from timed("make", lambda: float_chain(additions))
            yield from timed("save", lambda: npz.save(network, path))
            network = yield from timed("load", lambda: npz.load(path))
            network = yield from timed("lower", lambda: lower(network))
        else:
            onnx.save(onnx_chain(additions, kind == "blocks"), path)
            network = yield from timed("import", lambda: importer.load(path))
    if network is None:
        return
    yield from timed("golden", lambda: run_integer(network, random_images(network, 4, 1)))
    config = yield from timed("size", lambda: fit(network))
    if config is not None:
        yield from timed("compile", lambda: compile_network(network, config))


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--additions", type=int, nargs="+", default=[300, 600, 1200])
    parser.add_argument("--kinds", nargs="+", default=["sums", "blocks", "network"])
    args = parser.parse_args()
    for kind in args.kinds:
        before = {}
        for additions in args.additions:
            for step, seconds in steps(kind, additions):
                ratio = f"{seconds / before[step]:6.2f} times" if step in before else ""
                print(f"{kind:8} {additions:5} {step:8} {seconds:8.2f} s {ratio}", flush=True)
                before[step] = seconds


if __name__ == "__main__":
    main()
