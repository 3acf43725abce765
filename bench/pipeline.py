# amaranth: UnusedElaboratable=no
"""Size and clock of constant-weight kernels on ECP5.

    python bench/pipeline.py [--model digits-small] [--layers 1,2] [--device D] [--seed 1,2,3]
                             [--evaluations 2000]
    python bench/pipeline.py --forms

A kernel is a layer's sums and thresholds without its window, once at a pixel a cycle, once by planes and,
of wide codes, once by columns, where the chains stand for the columns of the window.
Cells are nextpnr's after packing (carry cells included), each seed's clock is printed. Whole pipelines are
measured by `dorefa synth --architecture pipeline --pnr`. `--forms` compares two forms of odd weights by the
cells of their sums: planes of bits, and signed digits.
"""

import argparse
import tempfile

import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from dorefa.golden import lower
from dorefa.golden.zoo import catalog
from dorefa.hw.pipeline.kernel.column_kernel import ColumnKernel, fits_columns
from dorefa.hw.pipeline.kernel.columns import Columns
from dorefa.hw.pipeline.kernel.kernel import ConstantKernel, KernelOptions
from dorefa.hw.pipeline.kernel.quantizer import ConstantQuantizer
from dorefa.hw.pipeline.kernel.rows import planes, signed_digits
from dorefa.hw.pipeline.kernel.word_kernel import WordKernel, fits_words
from dorefa.hw.pipeline.sums.search import RowSearch
from dorefa.hw.verilog import export
from dorefa.synth.flow import nextpnr
from dorefa.synth.flow.units import Unit


class KernelWithCodes(wiring.Component):
    """The sums of a layer and their codes, of codes without a sign and with windows inside of the map."""

    def __init__(self, layer, options):
        self.kernel = kernel_of(layer, options)
        self.quantizer = ConstantQuantizer(
            layer, self.kernel.sum_bits, self.kernel.negated, self.kernel.offsets
        )
        members = self.kernel.signature.members
        self._inputs = [name for name in members if name != "y"]
        ports = {name: members[name] for name in self._inputs}
        super().__init__(ports | {"codes": Out(len(self.quantizer.codes))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.kernel, m.submodules.quantizer = self.kernel, self.quantizer
        m.d.comb += [getattr(self.kernel, name).eq(getattr(self, name)) for name in self._inputs]
        m.d.comb += [self.quantizer.values.eq(self.kernel.y), self.codes.eq(self.quantizer.codes)]
        return m


def kernel_of(layer, options):
    """The kernel of a layer."""
    outputs, values = layer.out_channels, layer.values
    if options.words:
        return WordKernel(values.reshape(outputs, -1), layer.a_bits, options)
    if not options.columns:
        return ConstantKernel(values.reshape(outputs, -1), layer.a_bits, options)
    width = values.shape[2]
    by_column = np.moveaxis(values, 2, 1).reshape(outputs, width, -1)
    return ColumnKernel(by_column, layer.a_bits, options, Columns([False] * width))


def ways_of(layer, evaluations):
    """(name, options) of every way to take a layer's codes."""
    bits = layer.a_bits
    for serial in (False, True):
        size = 1 if serial or bits == 1 else 2
        options = KernelOptions(digit_bits=size, serial=serial, absorbs=True, evaluations=evaluations)
        yield f"{bits} cycles" if serial else "1 cycle", options
    if bits > 2 and fits_columns(layer.values):
        yield "columns", KernelOptions(digit_bits=bits, serial=False, columns=True, absorbs=True)
    if fits_words(layer.values, bits):
        options = KernelOptions(
            digit_bits=bits, serial=False, words=True, absorbs=True, evaluations=evaluations
        )
        yield "whole codes", options


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
        for name, options in ways_of(layer, evaluations):
            component = KernelWithCodes(layer, options)
            found = routed(component, "dorefa_kernel", seeds, device)
            kernel = component.kernel
            cells = [layer.name, name, found["luts"], kernel.sums.cells, used(found, "TRELLIS_FF")]
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
