"""How many ONNX files of a folder run, and why the others do not.

    python bench/onnx_folder.py FOLDER [--jobs 2]

Every file in FOLDER is imported and compiled for the engine that is sized for it, as `dorefa check` does;
where nothing says what the image is, once more with `--image-type INT8` (UINT8 where the vectors beside it
are not below 0). Prints a table by folders of FOLDER, then the reasons of refusals, with numbers and names
left out, and an example of each. Where `inputs.npz` and `outputs.npz` of one array each lie beside a file,
as its project tests it, golden has to give these. The status is 1 where it does not, or a file ended
otherwise.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from dorefa.golden import InputError, run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.values.tensors import feature_order
from dorefa.golden.run.integer import real_arrays
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit

_NO_IMAGE = "--image-type"


def tried(path):
    """(whether the file runs, why not, values compared with vectors beside it, how many differ); None and the
    exception where it ended otherwise."""
    beside = [path.with_name(name) for name in ("inputs.npz", "outputs.npz")]
    there = all(file.is_file() and file.stat().st_size for file in beside)
    try:
        given, wanted = ([*np.load(file).values()] if there else [] for file in beside)
        signed = not given or given[0].min() < 0
        try:
            found = importer.load_import(path)
        except InputError as error:
            if _NO_IMAGE not in str(error):
                raise
            found = importer.load_import(path, "INT8" if signed else "UINT8")
        compile_network(found.network, fit(found.network))
        if len(given) == len(wanted) == 1:
            return True, "", wanted[0].size, different(found, given[0], wanted[0])
    except InputError as error:
        return False, str(error).removeprefix(f"{path}: "), 0, 0
    except Exception as error:
        return None, repr(error), 0, 0
    return True, "", 0, 0


def different(found, given, wanted):
    """How many results of golden on the integers of images are not those that are wanted."""
    network = found.network
    image = next(codes for codes in found.tensors.values() if codes.source < 0)
    codes = given.reshape(len(given), -1)[:, feature_order(image)].reshape(-1, *network.input_shape)
    results = run_integer(network, codes.astype(np.int64).astype(np.uint8))
    (real,) = real_arrays(network, results).values()
    # Channels come last here, in most files first.
    ours = np.moveaxis(real, -1, 1) if real.ndim == 4 and real.shape[-1] == wanted.shape[1] else real
    return int(np.count_nonzero(ours.ravel() != wanted.ravel()))


def kind(reason):
    """A reason without what is accepted, and without the names and numbers of the file."""
    text = re.sub(r"^(node|input|initializer) \S+", r"\1", reason.partition("; accepted")[0])
    return re.sub(r"\([^()]*\d[^()]*\)|-?\d+(\.\d+)?", "N", re.sub(r"inputs \(.*\)", "inputs", text))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="files at a time")
    options = parser.parse_args()
    paths = sorted(options.folder.rglob("*.onnx"))
    if not paths:
        parser.error(f"{options.folder}: holds no .onnx file; accepted: a folder of some")
    with ProcessPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(tried, paths))
    folders, reasons = defaultdict(Counter), defaultdict(list)
    compared, wrong = Counter(), Counter()
    for path, (runs, reason, count, differ) in zip(paths, outcomes, strict=True):
        folder = path.relative_to(options.folder).parts[0]
        folders[folder][runs] += 1
        for name in (folder, "all"):
            compared[name] += count
            wrong[name] += differ
        if not runs:
            reasons[kind(reason)].append((path, reason))
    print("| folder | tried | run | refused | vectors: values, different |\n|---|---|---|---|---|")
    for folder, counts in [*folders.items(), ("all", sum(folders.values(), Counter()))]:
        vectors = f"{compared[folder]}, {wrong[folder]}"
        print(f"| {folder} | {counts.total()} | {counts[True]} | {counts[False]} | {vectors} |")
    print("\n| refused | files | example |\n|---|---|---|")
    for reason, files in sorted(reasons.items(), key=lambda item: -len(item[1])):
        path, text = files[0]
        print(f"| {reason} | {len(files)} | {path.relative_to(options.folder)}: {text} |")
    return any(runs is None or differ for runs, _, _, differ in outcomes)


if __name__ == "__main__":
    sys.exit(main())
