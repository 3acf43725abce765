"""Every network of the paper on one array: what each layer costs, in one table.

    python bench/networks.py [--lanes 64] [--rows 64]

Cycles are those of `dorefa check`, which equal the simulated ones; weights on chip, those of AlexNet
streamed through a port of 8 bytes a cycle. 1-bit weights, 2-bit activations.
"""

import argparse

from dorefa.golden import lower, zoo
from dorefa.hw.compiler import compile_network
from dorefa.hw.sizing import fit

NETWORKS = {
    "svhn-a": {},
    "svhn-b": {},
    "svhn-c": {},
    "svhn-d": {},
    "alexnet": {"weights": "stream", "port_bytes": 8},
    "resnet18": {},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--rows", type=int, default=64)
    args = parser.parse_args()
    print("| network | layer | W | A | MACs | cycles | tiling bound | utilization | bound by |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, options in NETWORKS.items():
        network = lower(zoo.load(name, net_w=1, net_a=2))
        config = fit(network, lanes=args.lanes, rows=args.rows, **options)
        compiled = compile_network(network, config)
        for layer, integer in zip(compiled.layers, network.layers, strict=True):
            share = layer.binary_ops / (layer.cycles * config.binary_ops_per_cycle)
            print(
                f"| {name} | {layer.name} | {integer.w_bits} | {integer.a_bits} | {integer.macs:,} | "
                f"{layer.cycles:,} | {layer.bound:,} | {share:.3f} | {layer.bound_by} |"
            )
        macs = sum(layer.macs for layer in network.layers)
        operations = sum(layer.binary_ops for layer in compiled.layers)
        share = operations / (compiled.cycles * config.binary_ops_per_cycle)
        print(f"| {name} | **all** | | | {macs:,} | {compiled.cycles:,} | | {share:.3f} | |")


if __name__ == "__main__":
    main()
