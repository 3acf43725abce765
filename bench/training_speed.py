"""Speed of a golden training step on one thread, and of the same step in PyTorch where that is installed.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python bench/training_speed.py [--batch 64 8] [--steps 60]

`digits` with 1-bit weights, 2-bit activations and 6-bit gradients (8-bit weights in the last layer), Adam, on
the images that ship. Milliseconds of processor time, median and least of all steps; the two take turns.
PyTorch (`training_torch.py`) is no dependency of this package: this runs in any environment that has both.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.network import TrainNetwork
from dorefa.golden.train.optimizer import optimizer_of
from dorefa.golden.train.recipe import Recipe
from dorefa.golden.train.train import train_step
from dorefa.golden.zoo.architectures import DIGITS
from dorefa.golden.zoo.datasets import digits_sample

# Of the folder of this file, which -P and PYTHONSAFEPATH leave out.
sys.path.insert(0, str(Path(__file__).parent))

RECIPE = Recipe(w_bits=1, a_bits=2, g_bits=6, epochs=1, seed=1)


def golden_step():
    """A function that takes one step: step(number, images, labels)."""
    network = TrainNetwork(DIGITS, RECIPE, MatrixBackend(RECIPE.stream_seed))
    optimizer = optimizer_of(RECIPE, network.parameters)
    return lambda number, images, labels: train_step(network, optimizer, images, labels, RECIPE.rate, number)


def torch_step():
    """The same in PyTorch, None without it."""
    try:
        from training_torch import TorchStep
    except ImportError:
        return None
    return TorchStep(DIGITS, RECIPE)


def measure(steps, batch, count):
    """Milliseconds of processor time of each of `count` steps, for every function of `steps`."""
    images, labels = digits_sample()
    times = [[] for _ in steps]
    for number in range(count):
        chosen = np.arange(number * batch, (number + 1) * batch) % len(images)
        for step, seen in zip(steps, times, strict=True):
            start = time.process_time()
            step(number, images[chosen], labels[chosen])
            seen.append(1e3 * (time.process_time() - start))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 8])
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    for batch in options.batch:
        golden, torch = golden_step(), torch_step()
        ours, *theirs = measure([golden] if torch is None else [golden, torch], batch, options.steps)
        line = f"batch {batch:3}: golden {statistics.median(ours):6.2f} ms, least {min(ours):6.2f}"
        if not theirs:
            print(f"{line}; PyTorch is not installed here: no ratio")
            continue
        median, least = statistics.median(theirs[0]), min(theirs[0])
        ratios = f"{statistics.median(ours) / median:.2f}, of the least {min(ours) / least:.2f}"
        print(f"{line}; PyTorch {median:6.2f} ms, least {least:6.2f}; ratio of medians {ratios}")


if __name__ == "__main__":
    main()
