"""`dorefa golden`: runs the integer model, the reference for every other result."""

import argparse
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.files import write_file

from .common import options
from .common.output import Output, Progress, counted, new_folder, results_file

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
    parser.add_argument("--output", metavar="Y.npy", help=options.OUTPUT_HELP)
    parser.add_argument("--dump", metavar="DIR", help="write each layer's codes as LAYER.npy (trunks: int64)")
    parser.add_argument("--labels", metavar="L.npy", help="true classes; prints the accuracy")
    parser.add_argument("--logits", metavar="L.npy", help="float64 accumulators x scale + bias")
    options.add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden import lower
    from dorefa.golden.run.graph import result_names
    from dorefa.golden.run.integer import real_arrays, result_arrays

    out = Output(
        args.json,
        outputs={"--output": args.output, "--logits": args.logits},
        inputs=options.input_files(args),
    )
    network = lower(options.load_network(args.model, args))
    images = options.read_images(args.input, network)
    labels = None
    if args.labels is not None:
        labels = options.read_labels(args.labels, len(images), network)
    with ExitStack() as stack:
        files: dict[str, Path] = {}
        if args.dump is not None:
            folder = stack.enter_context(new_folder(args.dump))
            names = dump_names(result_names(network.layers, network.layers))
            files = {name: folder / f"{file}.npy" for name, file in names.items()}
            out.claim(outputs={"--dump": files.values()})
        results = _results(network, images, files)
        accumulators, real = result_arrays(network, results), real_arrays(network, results)

        outputs = [(args.output, accumulators), (args.logits, real)]
        outputs += [(path, {name: results[name]}) for name, path in files.items()]
        written = []
        for path, arrays in outputs:
            if path is not None:
                write_file(path, results_file(arrays))
                written.append(str(path))
    report: dict[str, Any] = {"network": network.name, "images": len(images), "files": written}
    out.say(f"{network.name}: {counted(len(images), 'image')}")
    report["notes"] = out.notes(network.notes)
    if labels is not None:
        (scores,) = real.values()
        report["accuracy"] = float(np.mean(scores.argmax(axis=1) == labels))
        out.say(f"accuracy {report['accuracy']:.4f}")
    for path in written:
        out.say(f"wrote {path}")
    out.report(report)
    return 0


def _results(network, images, files):
    """Results of the layers in `files`, or of those that give results: {name: array of all images}."""
    from dorefa.golden import run_integer

    # Without files do not keep the features of all images.
    wanted = list(files) or [network.layers[index].name for index in network.result_layers]
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
