"""Speed of the integer golden model, both implementations: images per second and their ratio.

    python bench/golden_speed.py [--images 64] [--repeat 3]

`digits` is the shipped 1-2 network on real test images; `alexnet conv3` is one layer of that size
(384 x 14 x 14 in and out, 3 x 3, two groups, 1-bit weights, 2-bit activations) on random codes.
"""

import argparse
import time

import numpy as np

from dorefa.golden.lowering.lower import lower
from dorefa.golden.run import bitplanes, matmul
from dorefa.golden.run.integer import run_integer
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample


def fastest(run, repeat):
    """Least seconds of `repeat` calls of `run`, and its last result."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def report(name, images, runs, repeat):
    """Times both implementations and prints a line; they must agree."""
    (fast, left), (slow, right) = (fastest(run, repeat) for run in runs)
    if not np.array_equal(left, right):
        raise SystemExit(f"{name}: the implementations differ")
    print(
        f"{name:14} matrix product {images / fast:9.1f} images/s   "
        f"bit planes {images / slow:9.1f} images/s   ratio {slow / fast:.2f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64, help="digits images per run")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    options = parser.parse_args()

    network = lower(catalog.load("digits"))
    images = digits_sample()[0][: options.images]
    name = network.layers[-1].name
    report(
        "digits",
        len(images),
        [lambda how=how: run_integer(network, images, how)[name] for how in ("matmul", "bitplanes")],
        options.repeat,
    )

    draws = np.random.Generator(np.random.PCG64(1))
    codes = draws.integers(0, 4, (4, 14, 14, 384), dtype=np.uint8)
    weights = draws.integers(0, 2, (384, 3, 3, 192), dtype=np.uint8)
    geometry = {"padding": (1, 1, 1, 1), "groups": 2}
    values = 2 * weights.astype(np.int64) - 1
    report(
        "alexnet conv3",
        len(codes),
        [
            lambda: matmul.convolve(codes, values, **geometry),
            lambda: bitplanes.convolve(codes, weights, a_bits=2, w_bits=1, encoding="bipolar", **geometry),
        ],
        options.repeat,
    )


if __name__ == "__main__":
    main()
