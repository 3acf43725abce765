"""Utilization of this engine beside models of two peers, on the same layers of the paper's networks.

    python bench/utilization.py [--lanes 64] [--rows 64]

Utilization is the share of an array's one-bit products per cycle that a layer's products fill. Of this
engine it is the exact cycle model, overheads and waiting for weights included (`dorefa check`; equal
to simulation). Of the peers it is only what their fixed tiles allow: neither loading, rearranging,
im2col nor pipeline fill is counted against them.
"""

import argparse
import math

from dorefa.golden import lower
from dorefa.golden.zoo import catalog
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit

LAYERS = {
    "svhn-a": tuple(f"conv{number}" for number in range(7)),
    "alexnet": tuple(f"conv{number}" for number in range(5)),
}
# Engine parameters beside lanes and rows: what the network's weights ask for.
OPTIONS = {"svhn-a": {}, "alexnet": {"weights": "stream", "port_bytes": 8}}

# Reconfigurable Binary Engine, github.com/pulp-platform/rbe, docs/architecture.md: 9 columns (3x3 output
# pixels) of 9 blocks (3x3 taps) of 4 BinConvs (activation bits), each 32 one-bit products per cycle
# (input channels); a BinConv takes W x 32 cycles for its W-bit 32x32 matrix (32 output channels).
RBE_SIDE, RBE_TAPS, RBE_PLANES, RBE_CHANNELS = 3, 3, 4, 32
# Bit-serial matrix multiplication overlay, Umuroglu et al., FPL 2018 (arXiv:1806.08862): D_m x D_n dot
# product units of D_k bits; 8 x 256 x 8 at 200 MHz is the instance of its 6.5 binary TOPS.
BISMO_M, BISMO_K, BISMO_N = 8, 256, 8


def rbe_cycles(*, pixels, kernel, stride, channels, outputs, w_bits, a_bits):
    """Cycles of one channel group on the RBE's tiles (its document, "Functional Concept").

    ceil(H/3) ceil(W/3) x ceil(Cin/32) x ceil(Cout/32) x 32 W x ceil(A/4), for every 3x3 part of the
    kernel. It has no stride: strided kernels are taken as dense ones on s^2 times the channels.
    """
    tiles = math.prod(math.ceil(size / RBE_SIDE) for size in pixels)
    parts = math.prod(
        math.ceil(math.ceil(size / step) / RBE_TAPS) for size, step in zip(kernel, stride, strict=True)
    )
    inputs = math.ceil(channels * math.prod(stride) / RBE_CHANNELS)
    matrices = tiles * parts * inputs * math.ceil(outputs / RBE_CHANNELS)
    return matrices * RBE_CHANNELS * w_bits * math.ceil(a_bits / RBE_PLANES)


def rbe_products(planes):
    """One-bit products per cycle of the RBE with so many of its activation planes."""
    return RBE_SIDE**2 * RBE_TAPS**2 * planes * RBE_CHANNELS


def bismo_cycles(*, pixels, kernel, channels, outputs, w_bits, a_bits):
    """Cycles of one channel group on the overlay's tiles (the paper's algorithm 1 on D_m x D_k x D_n).

    W A x ceil(Cout/D_m) x ceil(K/D_k) x ceil(pixels/D_n), K = Kh Kw Cin of the im2col matrix.
    """
    tiles = math.ceil(outputs / BISMO_M) * math.ceil(math.prod(pixels) / BISMO_N)
    return w_bits * a_bits * tiles * math.ceil(math.prod(kernel) * channels / BISMO_K)


def utilizations(layer, compiled, geometry, config):
    """(this engine, RBE, RBE without the planes that A leaves idle, BISMO) on one layer."""
    outputs, *kernel, channels = layer.codes.shape
    shape = {
        "pixels": geometry.computed,
        "kernel": kernel,
        "channels": channels,
        "outputs": outputs // layer.groups,
        "w_bits": layer.w_bits,
        "a_bits": layer.a_bits,
    }
    operations = layer.macs * layer.w_bits * layer.a_bits
    rbe = layer.groups * rbe_cycles(stride=layer.stride, **shape)
    bismo = layer.groups * bismo_cycles(**shape)
    return (
        operations / (compiled.cycles * config.binary_ops_per_cycle),
        operations / (rbe * rbe_products(RBE_PLANES)),
        operations / (rbe * rbe_products(min(layer.a_bits, RBE_PLANES))),
        operations / (bismo * BISMO_M * BISMO_K * BISMO_N),
    )


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--rows", type=int, default=64)
    args = parser.parse_args()
    print("network  layer    W  A    K  Cout   this engine    RBE  RBE, idle planes off  BISMO")
    for name, layers in LAYERS.items():
        network = lower(catalog.load(name, net_w=1, net_a=2))
        config = fit(network, lanes=args.lanes, rows=args.rows, **OPTIONS[name])
        compiled = compile_network(network, config)
        for index, layer in enumerate(network.layers):
            if layer.name not in layers:
                continue
            geometry = compiled.schedule.of_layer(index)[0].geometry
            own, rbe, fitted, bismo = utilizations(layer, compiled.layers[index], geometry, config)
            print(
                f"{name:8} {layer.name:6} {layer.w_bits:3}{layer.a_bits:3}{geometry.reduction:5}"
                f"{len(layer.codes):6}{own:14.3f}{rbe:7.3f}{fitted:22.3f}{bismo:7.3f}"
            )


if __name__ == "__main__":
    main()
