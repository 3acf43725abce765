# amaranth: UnusedElaboratable=no
"""Constant kernels beside those of da4ml, of the same weights and by the same Yosys.

    python bench/beside_da4ml.py MODEL --python PYTHON [--image-type TYPE] [--evaluations 2000]
                                  [--every 1]

MODEL is a name of the zoo (one-bit weights, two-bit activations) or a file; PYTHON an interpreter whose
environment has da4ml (`pip install da4ml`), which is no dependency of this package. Per layer: the integer
weights that lowering makes, a window every cycle, a register after every so many levels of our additions
(plans of vectors have 3), and as da4ml sets them (by the defaults of `da4ml convert`); cells (LUT4 and half
CCU2C) and registers of ECP5 that Yosys makes, before packing. Ours is the smallest form that takes a window a
cycle; what a plan takes where windows come less often is smaller. The status is 1 where a sum of da4ml
differs from the integers'.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from pipeline import kernel_of, ways_of

from dorefa.golden import lower
from dorefa.golden.network import npz
from dorefa.golden.onnx import importer
from dorefa.golden.zoo import catalog
from dorefa.hw.verilog import export
from dorefa.synth.flow import yosys


def load(model, image_type):
    """The network of a name or a file."""
    if model.endswith(".onnx"):
        return lower(importer.load(model, image_type))
    return lower(npz.load(model) if model.endswith(".npz") else catalog.load(model, net_w=1, net_a=2))


def solve(layers, python, folder):
    """What da4ml says of every layer; its Verilog is in folders of their numbers."""
    job = {
        f"{number}_{layer.a_bits}_{int(layer.a_signed)}": layer.values.reshape(layer.out_channels, -1)
        for number, layer in enumerate(layers)
    }
    np.savez(folder / "job.npz", **job)
    if subprocess.run([python, "-c", "import da4ml"], capture_output=True).returncode:
        sys.exit(f"{python} has no da4ml; accepted: --python of an environment with it (pip install da4ml)")
    script = Path(__file__).with_name("da4ml_solve.py")
    done = subprocess.run([python, script, folder / "job.npz", folder], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def verilog_of(folder):
    """The files of a kernel: but for tables that none of these has, which would be read."""
    return [path for path in sorted(folder.glob("src/**/*.v")) if path.name != "lookup_table.v"]


def made(text, top, folder):
    """(cells, registers) that Yosys makes."""
    design = folder / "design.v"
    design.write_text(text)
    found = yosys.synthesize(design, top=top, target="ecp5", components=False)["flat"]["design"]
    types = found["num_cells_by_type"]
    return types.get("LUT4", 0) + 2 * types.get("CCU2C", 0), types.get("TRELLIS_FF", 0)


def ours(layer, evaluations, every, folder):
    """(name of the form, latency, cells, registers) of the smallest kernel that takes a window a cycle."""
    ways = [(name, options) for name, options in ways_of(layer, 0) if not options.serial]
    name, options = min(ways, key=lambda way: kernel_of(layer, way[1]).estimate())
    kernel = kernel_of(layer, replace(options, evaluations=evaluations, every=every))
    text = export.export(kernel, name="kernel", fabric="ecp5")
    return name, kernel.latency, *made(text, "kernel", folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--python", required=True)
    parser.add_argument("--image-type")
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    layers = load(options.model, options.image_type).layers
    if any(layer.groups > 1 for layer in layers):
        sys.exit(f"{options.model} has grouped layers; accepted: layers of all their inputs")
    print("| layer | outputs, inputs | da4ml: adders, cells | registers, latency |", end="")
    print(" ours: form, cells | registers, latency | cells, ours to da4ml's |")
    print("|---|---|---|---|---|---|---|")
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (layer, found) in enumerate(
            zip(layers, solve(layers, options.python, folder), strict=True)
        ):
            wrong += found["wrong"]
            text = "\n".join(map(Path.read_text, verilog_of(folder / str(number))))
            cells, registers = made(text, "kernel", folder)
            form, latency, own, own_registers = ours(layer, options.evaluations, options.every, folder)
            shape = f"{layer.out_channels}, {layer.values[0].size}"
            row = [
                layer.name,
                shape,
                f"{found['adders']:,}, {cells:,}",
                f"{registers:,}, {found['registers']}",
            ]
            row += [f"{form}, {own:,}", f"{own_registers:,}, {latency}", f"{own / cells:.2f}"]
            print("|", " | ".join(row), "|", flush=True)
    print(f"{wrong} vectors of da4ml wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
