"""Networks as users bring them, from the file to the Verilog: codes, bits, cycles, utilization, in a table.

    python bench/real_files.py [--lanes 64] [--rows 32] [--only yolo]

Float networks of the usual kinds through ONNX Runtime's static quantization (QDQ with zero points;
QOperator, signed), networks that Brevitas exported, one of RequantShift nodes, and those of the qonnx
package, at 8 x 8 pixels. Codes of the first are compared with ONNX Runtime's, layer by layer on its own
codes (`different`: float32 rounds them another way, at a boundary of the exact value), where layers have
neither pools nor sums; all others in tests. Every file runs in Verilator on two images: the status is 1
where a bit differs from golden, or the cycles from the predicted ones.
"""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

# The networks belong to the tests of the import.
sys.path.insert(0, str(Path(__file__).parents[1]))

from dorefa.golden import random_images
from dorefa.golden.onnx import importer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate
from tests.golden.onnx.integer.float_models import NETWORKS, NOT_FUSED, quantized, shape_of
from tests.golden.onnx.integer.runtime import compare_layers
from tests.golden.onnx.integer.test_requant_shift import model as requant_model
from tests.golden.onnx.integer.test_requant_shift import tensors
from tests.sim.test_superresolution import KINDS, of_size

_BREVITAS = Path(__file__).parents[1] / "tests" / "golden" / "onnx" / "brevitas"
_FORMS = {
    "QDQ": {"activations": "QUInt8", "per_channel": True},
    "QOperator": {"activations": "QInt8", "per_channel": True, "symmetric": True},
}


def files(folder, only):
    """(name, path, image type, codes that were compared, how many differ) of every file."""
    for name in NETWORKS:
        for form, options in _FORMS.items():
            if only in name and (form, name in NOT_FUSED) != ("QOperator", True):
                path = quantized(folder, name, 1, form=form, **options)
                images = np.random.default_rng(2).random((20, *shape_of(name))).astype(np.float32)
                yield f"{name}, {form}", path, None, *compare_layers(path, images)
    for path in sorted(_BREVITAS.glob("*.onnx")):
        if only in path.stem:
            yield f"{path.stem}, Brevitas", path, None, None, None
    if only in "requant_shift":
        rng = np.random.default_rng(1)
        mul, add = rng.integers(1, 90, (6, 1, 1)), rng.integers(-2000, 2000, (6, 1, 1))
        attributes = tensors(div=512, signed=1, n_levels_out=255)
        onnx.save(requant_model(rng, mul, add, attributes), folder / "requant_shift.onnx")
        yield "requant_shift, PACT", folder / "requant_shift.onnx", None, None, None
    for kind, image_type in KINDS.items():
        if only in kind:
            onnx.save(of_size(kind, 8), folder / f"{kind}.onnx")
            yield f"ESPCN {kind}, qonnx", folder / f"{kind}.onnx", image_type, None, None


def row(name, path, image_type, compared, different, sizes):
    """A line of the table, and whether all is as it should be."""
    network = importer.load(path, image_type)
    config = fit(network, **sizes)
    images = random_images(network, 2, 1)
    report = simulate(network, images=images, config=config, simulator="verilator")
    predicted = compile_network(network, config).cycles / config.batch
    utilization = sum(layer.binary_ops for layer in report.layers) / (
        report.cycles * config.binary_ops_per_cycle
    )
    widths = [max(layer.w_bits for layer in network.layers), max(layer.a_bits for layer in network.layers)]
    codes = f"{compared:,}, {different}" if compared else "in tests"
    right = report.bit_exact and report.cycles == predicted
    cells = [name, len(network.layers), "W{} A{}".format(*widths), codes, "yes" if right else "NO"]
    return [*cells, f"{report.cycles:,.0f}", f"{utilization:.2f}"], right


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--only", default="", help="names that have this in them")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    header = [
        "file",
        "layers",
        "bits",
        "codes compared, different",
        "bit-exact, cycles as predicted",
        "cycles",
    ]
    print("| " + " | ".join([*header, "utilization"]) + " |")
    print("|" + "---|" * 7)
    every = True
    with tempfile.TemporaryDirectory() as folder:
        for entry in files(Path(folder), options.only):
            cells, right = row(*entry, {"lanes": options.lanes, "rows": options.rows})
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
            every &= right
    return not every


if __name__ == "__main__":
    sys.exit(main())
