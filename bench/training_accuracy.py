"""Accuracy of `digits` trained with other widths, noise and maxima of gradients, all else the same.

    python bench/training_accuracy.py --data DIR [--table widths|scale] [--epochs 6] [--seeds 1,2]
                                      [--results FILE] [--jobs 1]

Every row is trained on the 60,000 images of MNIST in DIR, once per seed (weights, order and noise), and
judged over the 10,000 test images: the integer model, or, where layers are float, the training network itself
with its running statistics. `widths` has the widths of the paper's table 1 and the options of section 2.3;
`scale` the ways in which a sample's maximum becomes the scale of its gradient codes. What FILE has already
(JSON, a line per run) is not run again.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np

from dorefa.golden.data.load import load_data
from dorefa.golden.quantizers import gradient
from dorefa.golden.train import convolution
from dorefa.golden.train.recipe import Recipe
from dorefa.golden.train.train import train
from dorefa.golden.zoo.architectures import DIGITS

# Bits of a scale that rows of that name have.
FINE_BITS = 8


@contextmanager
def scale_bits(bits):
    """Inside, scales of gradients have so many bits, for all that multiplies with matrices."""
    step = 1 << (gradient.WORD_BITS - 1 - bits)
    with patch.multiple(gradient, SCALE_BITS=bits, STEP=step), patch.object(convolution, "STEP", step):
        yield


def row(w_bits, a_bits, g_bits, **options):
    """Arguments of a Recipe."""
    if w_bits == 32:
        options |= {"first_w": 32, "last_w": 32}
    return {"w_bits": w_bits, "a_bits": a_bits, "g_bits": g_bits} | options


FLOAT_ENDS = {"first": "float", "last": "float"}
# Name -> arguments of the Recipe, and bits of a scale.
TABLES = {
    "widths": {
        "32-32-32": row(32, 32, 32),
        "1-2-32": row(1, 2, 32),
        "1-2-8": row(1, 2, 8),
        "1-2-6": row(1, 2, 6),
        "1-2-4": row(1, 2, 4),
        "1-2-2": row(1, 2, 2),
        "1-1-4": row(1, 1, 4),
        "2-2-6": row(2, 2, 6),
        "1-2-4, no noise": row(1, 2, 4, noise=False),
        "1-2-4, one maximum per batch": row(1, 2, 4, maximum="batch"),
        "1-2-6, first and last layer float": row(1, 2, 6, **FLOAT_ENDS),
    },
    "scale": {
        f"1-2-{g_bits}{name}": row(1, 2, g_bits, **options)
        for g_bits in (4, 6)
        for name, options in (
            (", exact maximum", {"maximum": "exact"}),
            (f", scale of {FINE_BITS} bits", {"scale_bits": FINE_BITS}),
            ("", {}),
        )
    },
}


def trained(name, options, seed, epochs, folder):
    """What is kept of one run."""
    options = dict(options)
    bits = options.pop("scale_bits", gradient.SCALE_BITS)
    recipe = Recipe(epochs=epochs, seed=seed, **options)
    data = load_data(folder, DIGITS.input_shape, 10)
    test = data.test_images, data.test_labels
    with scale_bits(bits):
        result = train(DIGITS, recipe, data.train_images, data.train_labels, test=test)
    return {
        "row": name,
        "seed": seed,
        "epochs": epochs,
        "accuracy": result.accuracy,
        "loss": result.history[-1]["loss"],
        "parameters_sha256": result.parameters_sha256,
    }


def known(path):
    """Accuracy of every run in the file, by (row, seed, epochs)."""
    lines = path.read_text().splitlines() if path is not None and path.exists() else []
    runs = map(json.loads, lines)
    return {(run["row"], run["seed"], run["epochs"]): run["accuracy"] for run in runs}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--table", choices=TABLES, default="widths")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=lambda text: [int(part) for part in text.split(",")], default=[1, 2])
    parser.add_argument("--results", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    rows, accuracies = TABLES[args.table], known(args.results)
    with ProcessPoolExecutor(args.jobs) as pool:
        runs = [
            pool.submit(trained, name, options, seed, args.epochs, args.data)
            for name, options in rows.items()
            for seed in args.seeds
            if (name, seed, args.epochs) not in accuracies
        ]
        for run in runs:
            outcome = run.result()
            accuracies[outcome["row"], outcome["seed"], outcome["epochs"]] = outcome["accuracy"]
            if args.results is not None:
                with args.results.open("a") as file:
                    file.write(json.dumps(outcome) + "\n")
            print(f"{outcome['row']}, seed {outcome['seed']}: {100 * outcome['accuracy']:.2f} %", flush=True)
    print(f"\n| {args.epochs} epochs | {' | '.join(f'seed {seed}' for seed in args.seeds)} | mean |")
    print("|---|" + "---|" * (len(args.seeds) + 1))
    for name in rows:
        own = [100 * accuracies[name, seed, args.epochs] for seed in args.seeds]
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in own)} | {np.mean(own):.2f} |")


if __name__ == "__main__":
    main()
