"""Size and clock of constant-weight kernels on ECP5.

    python bench/pipeline.py [--model digits-small] [--layers 1,2] [--device D] [--seed 1,2,3]
                             [--evaluations 2000]
    python bench/pipeline.py --forms

A kernel is a layer's sums and thresholds without its window, once at a pixel a cycle and once by planes.
Cells are nextpnr's after packing (carry cells included), each seed's clock is printed. Whole pipelines are
measured by `dorefa synth --architecture pipeline --pnr`. `--forms` compares two forms of odd weights by the
cells of their sums: planes of bits, and signed digits.
"""

import argparse
import tempfile

import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden import lower
from dorefa.golden.zoo import catalog
from dorefa.hw.pipeline.kernel.kernel import ConstantKernel, KernelOptions
from dorefa.hw.pipeline.kernel.quantizer import ConstantQuantizer
from dorefa.hw.pipeline.kernel.rows import planes, signed_digits
from dorefa.hw.pipeline.sums.search import RowSearch
from dorefa.hw.verilog import export
from dorefa.synth.flow import nextpnr
from dorefa.synth.flow.units import Unit


class KernelWithCodes(wiring.Component):
    """The sums of a layer and their codes."""

    def __init__(self, layer, options):
        values = layer.values.reshape(layer.out_channels, -1)
        self.kernel = ConstantKernel(values, layer.a_bits, options)
        offsets = np.zeros(layer.out_channels, int)
        self.quantizer = ConstantQuantizer(layer, self.kernel.sum_bits, self.kernel.negated, offsets)
        ports = {"x": In(len(self.kernel.x)), "codes": Out(len(self.quantizer.codes))}
        super().__init__(ports | ({"first": In(1)} if self.kernel.steps > 1 else {}))

    def elaborate(self, platform):
        m = Module()
        m.submodules.kernel, m.submodules.quantizer = self.kernel, self.quantizer
        m.d.comb += [
            self.kernel.x.eq(self.x),
            self.quantizer.values.eq(self.kernel.y),
            self.codes.eq(self.quantizer.codes),
        ]
        if self.kernel.steps > 1:
            m.d.comb += self.kernel.first.eq(self.first)
        return m


def routed(component, name, seeds, device):
    """nextpnr's summary of a component."""
    text = export.export(component, name=name, fabric="ecp5")
    unit = Unit(name=name, top=name, text=text, size="", binary_ops_per_cycle=1)
    with tempfile.TemporaryDirectory() as folder:
        return nextpnr.place_and_route(
            unit, target="ecp5", device=device, seeds=seeds, folder=folder, timeout=3600
        )


def used(found, kind):
    """Cells of a kind."""
    return found["utilization"].get(kind, {"used": 0})["used"]


def clocks(found):
    """Every seed's MHz."""
    return " / ".join(f"{value:.1f}" for value in found["fmax_by_seed"].values())


def kernels(network, layers, seeds, device, evaluations):
    """A line of the table for each layer and way to cut its codes."""
    print("| layer | codes | cells | tree | registers | latency | MHz by seed |")
    print("|---|---|---|---|---|---|---|")
    for number in layers:
        layer = network.layers[number]
        for serial in (False, True):
            size = 1 if serial or layer.a_bits == 1 else 2
            options = KernelOptions(digit_bits=size, serial=serial, absorbs=True, evaluations=evaluations)
            component = KernelWithCodes(layer, options)
            found = routed(component, "dorefa_kernel", seeds, device)
            kernel = component.kernel
            cells = [
                layer.name,
                f"{kernel.steps} cycles",
                found["luts"],
                kernel.sums.cells,
                used(found, "TRELLIS_FF"),
            ]
            print("|", " | ".join(map(str, [*cells, kernel.latency, clocks(found)])), "|", flush=True)


def forms():
    """A line of the table for each width of random odd weights, 32 outputs of 100 inputs."""
    print("| bits | planes: rows, cells | signed digits: rows, cells |")
    print("|---|---|---|")
    for bits in range(1, 9):
        rng = np.random.default_rng(bits)
        values = 2 * rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (32, 100)) + 1
        cells = []
        for form in (planes, signed_digits):
            rows = form(values)
            search = RowSearch(rows.rows, 1, absorbs=True, total=bool(rows.total), turns=False)
            cells.append(f"{len(rows.rows)}, {search.run(1000, 1).cells:,}")
        print("|", " | ".join([str(bits), *cells]), "|")


def numbers(text):
    """argparse type of a list of integers."""
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="digits-small")
    parser.add_argument("--layers", type=numbers, default=[1, 2])
    parser.add_argument("--device")
    parser.add_argument("--seed", type=numbers, default=[1, 2, 3])
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--forms", action="store_true", help="compare forms of weights, and do nothing else")
    options = parser.parse_args()
    if options.forms:
        forms()
        return
    network = lower(catalog.load(options.model, net_w=1, net_a=2))
    print(f"seeds {options.seed}, search of {options.evaluations} evaluations, seed 1")
    kernels(network, options.layers, options.seed, options.device, options.evaluations)


if __name__ == "__main__":
    main()
