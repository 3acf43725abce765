"""Every network of the paper on the engine: what each layer costs, in three tables.

    python bench/networks.py

1-bit weights, 2-bit activations, 8-bit images, 8-bit last layer; weights on chip, those of AlexNet
streamed through a port of 8 bytes a cycle. Cycles are those of `dorefa check`, which equal the
simulated ones.
"""

import math

from dorefa.golden import lower
from dorefa.golden.zoo import catalog
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit

STREAM = {"weights": "stream", "port_bytes": 8}
OPTIONS = {
    "svhn-a": {},
    "svhn-b": {},
    "svhn-c": {},
    "svhn-d": {},
    "alexnet": STREAM,
    "resnet18": {},
}
# network, rows at 64 lanes, the quantized convolutions whose utilization counts
QUANTIZED = (
    ("svhn-a", 32, "conv1 to conv6"),
    ("svhn-a", 64, "conv1 to conv6"),
    ("svhn-b", 32, "conv1 to conv6"),
    ("svhn-c", 32, "conv1 to conv6"),
    ("svhn-d", 32, "conv1 to conv6"),
    ("alexnet", 64, "conv1 to conv4"),
)
FIRST = (
    ("svhn-a", 64, 32),
    ("svhn-a", 64, 64),
    ("svhn-a", 75, 48),
    ("svhn-a", 80, 16),
    ("alexnet", 64, 64),
    ("alexnet", 72, 48),
)


def compiled(name, lanes, rows):
    """The network called `name` on an engine of `lanes` x `rows`."""
    network = lower(catalog.load(name, net_w=1, net_a=2))
    return compile_network(network, fit(network, lanes=lanes, rows=rows, **OPTIONS[name]))


def line(*cells):
    print("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells) + " |")


def head(*titles):
    print()
    line(*titles)
    print("|---" * len(titles) + "|")


def share(layers, config):
    """Binary operations of CompiledLayers over what the array could do in their cycles."""
    cycles = sum(layer.cycles for layer in layers)
    operations = sum(layer.binary_ops for layer in layers)
    return f"{operations / (cycles * config.binary_ops_per_cycle):.3f}"


def main():
    head("network", "layer", "W", "A", "MACs", "cycles", "tiling bound", "utilization", "bound by")
    for name in OPTIONS:
        run = compiled(name, 64, 64)
        integers = run.network.layers
        for layer, integer in zip(run.layers, integers, strict=True):
            line(
                name,
                layer.name,
                integer.w_bits,
                integer.a_bits,
                integer.macs,
                layer.cycles,
                layer.bound,
                share([layer], run.config),
                layer.bound_by,
            )
        macs = sum(layer.macs for layer in integers)
        line(name, "**all**", "", "", macs, run.cycles, "", share(run.layers, run.config), "")

    head("quantized convolutions", "lanes x rows", "cycles", "utilization")
    for name, rows, which in QUANTIZED:
        run = compiled(name, 64, rows)
        last = int(which[-1])
        layers = run.layers[1 : last + 1]
        line(
            f"{name}, {which}",
            f"64 x {rows}",
            sum(layer.cycles for layer in layers),
            share(layers, run.config),
        )

    head("first layer", "K", "lanes x rows", "cycles", "ceil(K/lanes) ceil(Cout/rows) pixels W 8", "more")
    for name, lanes, rows in FIRST:
        run = compiled(name, lanes, rows)
        layer = run.network.layers[0]
        channels, reduction = len(layer.codes), math.prod(layer.codes.shape[1:])
        pixels = layer.conv_shape[0] * layer.conv_shape[1]
        least = -(-reduction // lanes) * -(-channels // rows) * pixels * layer.w_bits * 8
        cycles = run.layers[0].cycles
        line(
            f"{name} {layer.name}",
            reduction,
            f"{lanes} x {rows}",
            cycles,
            least,
            f"{100 * (cycles / least - 1):.2f} %",
        )


if __name__ == "__main__":
    main()
