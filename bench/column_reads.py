"""Window readers for several columns: one column's window after another, or what they share once.

    python bench/column_reads.py

svhn-a, 1-bit weights, 2-bit activations, 64 lanes x 32 rows. Both readers as `dorefa check` picks them;
cycles are those that it predicts. The reader is everything from the feature memory to the patch buffer,
synthesized for ECP5 (with four rows: it does not depend on them). About four minutes.
"""

import tempfile

from dorefa.golden import lower
from dorefa.golden.zoo import catalog
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.synth.flow import report, yosys
from dorefa.synth.flow.units import make_unit

PARTS = ("_feature", "_patch", "_run_generator", "_window_reader")
HEAD = ("cols", "column_reads", "fetch_bits", "planes", "cycles", "utilization", "LUTs", "FFs", "block RAMs")


def reader_counts(config):
    """(LUTs, flip-flops, block RAMs) of the reader's components."""
    unit = make_unit("core", config.replace(rows=4, quant=4), "ecp5")
    with tempfile.TemporaryDirectory() as folder:
        statistics = yosys.synthesize(unit.write(folder), top=unit.top, target="ecp5", components=True)
    made = report.report(
        statistics,
        unit=unit.name,
        top=unit.top,
        target="ecp5",
        binary_ops_per_cycle=unit.binary_ops_per_cycle,
    )
    own = [part for part in made["components"] if any(name in part["name"] for name in PARTS)]
    return tuple(sum(part[kind] for part in own) for kind in ("luts", "ffs", "brams"))


def main():
    network = lower(catalog.load("svhn-a", net_w=1, net_a=2))
    print("| " + " | ".join(HEAD) + " |")
    print("|---" * len(HEAD) + "|")
    for cols in (2, 4, 8):
        took = None
        for kind in ("separate", "shared"):
            config = fit(network, lanes=64, rows=32, cols=cols, column_reads=kind)
            made = compile_network(network, config)
            used = sum(layer.binary_ops for layer in made.layers) / made.cycles
            used /= config.binary_ops_per_cycle
            cells = (
                cols,
                kind,
                config.fetch_bits,
                config.fetch_planes,
                f"{made.cycles:,}",
                f"{used:.3f}",
                *(f"{count:,}" for count in reader_counts(config)),
            )
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
            took, before = made.cycles, took
        print(f"{cols} columns: {before / took:.2f} times as fast with shared reads")


if __name__ == "__main__":
    main()
