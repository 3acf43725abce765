"""`dorefa golden`: runs the integer model, the reference for every other result."""

import argparse
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np

from dorefa.golden.errors import InputError

from . import options
from .output import Output, Progress, new_folder, require_writable, write_array

SUMMARY = "run the integer golden model on images"
EXAMPLE = "dorefa golden digits --input images.npy --labels labels.npy --output scores.npy"

_BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL_HELP)
    parser.add_argument(
        "--input",
        required=True,
        metavar="X.npy",
        help="uint8 images (batch, H, W, C); of a QONNX file: its first quantizer's integers",
    )
    parser.add_argument(
        "--output", metavar="Y.npy", help="int64 accumulators of the last layer (batch, classes)"
    )
    parser.add_argument("--dump", metavar="DIR", help="write each layer's codes as LAYER.npy (trunks: int64)")
    parser.add_argument("--labels", metavar="L.npy", help="true classes; prints the accuracy")
    parser.add_argument("--logits", metavar="L.npy", help="float64 accumulators x scale + bias")
    options.add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden import logits, lower

    out = Output(args.json)
    network = lower(options.load_network(args.model, args))
    images = options.read_images(args.input, network)
    labels = args.labels and options.read_labels(args.labels, len(images), network.classes)
    for path in (args.output, args.logits):
        if path:
            require_writable(path)
    with new_folder(args.dump) if args.dump else nullcontext() as folder:
        # Without a folder only the last layer is wanted: do not keep the features of all images.
        results = _results(network, images, None if folder else [network.layers[-1].name])
        accumulators = results[network.layers[-1].name]
        scores = logits(network, accumulators)
        outputs = [(args.output, accumulators), (args.logits, scores)]
        if folder:
            files = dump_names(results)
            outputs += [(folder / f"{files[name]}.npy", codes) for name, codes in results.items()]
        written = []
        for path, array in outputs:
            if path:
                write_array(path, array)
                written.append(str(path))
    report: dict[str, Any] = {"network": network.name, "images": len(images), "files": written}
    out.say(f"{network.name}: {len(images)} images")
    if labels is not None:
        report["accuracy"] = float(np.mean(scores.argmax(axis=1) == labels))
        out.say(f"accuracy {report['accuracy']:.4f}")
    for path in written:
        out.say(f"wrote {path}")
    out.report(report)
    return 0


def _results(network, images, wanted):
    """Results of all images by name, of the layers `wanted` (None: of all)."""
    from dorefa.golden import run_integer

    parts = []
    with Progress("golden", len(images)) as progress:
        for start in range(0, len(images), _BATCH):
            parts.append(run_integer(network, images[start : start + _BATCH], outputs=wanted))
            progress.update(min(start + _BATCH, len(images)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def dump_names(names: Iterable[str]) -> dict[str, str]:
    """Layer name -> file name without ending; names from a file may hold slashes, as "/fc/Gemm".

    InputError where two layers would share a file.
    """
    files: dict[str, str] = {}
    for name in names:
        file = name.strip("/").replace("/", "_").replace("\\", "_").lstrip(".") or "_"
        if file in files.values():
            raise InputError(
                f"layer {name}: its codes would be written to {file}.npy, as another layer's; "
                "accepted for --dump: node names that differ as file names"
            )
        files[name] = file
    return files
