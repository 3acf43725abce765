"""`dorefa quantize`: a float network as one of integers, without training."""

from __future__ import annotations

import argparse
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dorefa.golden import npy
from dorefa.golden.errors import InputError
from dorefa.golden.files import write_files
from dorefa.golden.process.scratch import scratch_folder

from .common import options
from .common.output import Output, Progress, array_file

if TYPE_CHECKING:
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.golden.onnx.file.graph import Graph

    from .quantizer import FloatModel

SUMMARY = "quantize a float network from an ONNX file, with ONNX Runtime"
EXAMPLE = (
    "dorefa quantize float.onnx --data train.npy --input test.npy --labels labels.npy -o int8.onnx "
    "--images codes.npy"
)
# (bits of weights, bits of activations) of the table.
_WIDTHS = ((8, 8), (4, 8), (4, 4))
_DATA = "float32 images as the network reads them, the batch first, as .npy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("model", metavar="MODEL.onnx", help="a float network")
    parser.add_argument(
        "--data", required=True, metavar="X.npy", help=f"what ranges are measured on: {_DATA}"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.onnx", help="where the network goes")
    parser.add_argument(
        "--input", metavar="X.npy", help="what both networks are compared on (default: --data)"
    )
    parser.add_argument("--labels", metavar="L.npy", help="true classes of --input")
    parser.add_argument(
        "--images", metavar="FILE.npy", help="--input as integers, for `golden` and `simulate`"
    )
    parser.add_argument(
        "--net-w", type=int, default=8, metavar="BITS", help="weight bits, 4 or 8 (default 8)"
    )
    parser.add_argument(
        "--net-a", type=int, default=8, metavar="BITS", help="activation bits, 4 or 8 (default 8)"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    out = Output(
        args.json,
        outputs={"--output": args.output, "--images": args.images},
        inputs={"MODEL": args.model, "--data": args.data, "--input": args.input, "--labels": args.labels},
    )
    _check(args)
    graph = _read_network(args.model)
    ranges = _read_images(args.data, graph)
    images = ranges if args.input is None else _read_images(args.input, graph)

    with scratch_folder() as folder:
        from .quantizer import FloatModel

        model = FloatModel(args.model, args.model).prepared(folder)
        real = _stacked([model.run(image) for image in images])
        widths = (args.net_w, args.net_a)
        asked = _quantized(model, ranges, images, folder, widths)
        labels = None
        if args.labels is not None:
            labels = options.read_labels(args.labels, len(images), asked.network)
        rows = {widths: asked.measured(real, labels)}
        for other in (own for own in _WIDTHS if own != widths):
            try:
                rows[other] = _quantized(model, ranges, images, folder, other).measured(real, labels)
            except InputError as error:
                out.say(f"not with W{other[0]} A{other[1]}: {error}")
        files = {args.output: asked.path.read_bytes()}
    if args.images is not None:
        files[args.images] = array_file(asked.images)
    write_files(files)
    accuracy = None if labels is None else float(np.mean(_answers(real) == labels))
    out.table(
        ["", "accuracy", "same answers", "signal to noise, dB", "weights, bytes", "cycles per image"],
        [
            ["float32", accuracy, None, None, None, None],
            *([f"W{w} A{a}", *rows[w, a].values()] for w, a in sorted(rows, reverse=True)),
        ],
    )
    for path in files:
        out.say(f"wrote {path}")
    points = [{"w_bits": w, "a_bits": a, **row} for (w, a), row in rows.items()]
    out.report({"files": list(files), "images": len(images), "accuracy": accuracy, "points": points})
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuses what no file has to be read for, and a machine without the packages."""
    from dorefa.golden.onnx.file.read import import_onnx

    for name in (args.model, args.output):
        if not name.endswith(".onnx"):
            raise InputError(f"{name}: no name of an ONNX file; accepted: one that ends in .onnx")
    if os.path.exists(args.model) and not os.path.isfile(args.model):
        raise InputError(f"{args.model}: is no plain file; accepted: one, because it is read several times")
    import_onnx(args.model, "quantizing")
    try:
        from .quantizer import ACTIVATIONS, WEIGHTS
    except ImportError:
        raise InputError(
            f"{args.model}: quantizing it needs the package onnxruntime, which is not installed; "
            "accepted: after `pip install dorefa[quantize]`"
        ) from None
    for option, bits, known in (("--net-w", args.net_w, WEIGHTS), ("--net-a", args.net_a, ACTIVATIONS)):
        if bits not in known:
            raise InputError(f"{option} {bits}; accepted: {' or '.join(map(str, sorted(known)))}")


def _read_network(path: str) -> Graph:
    """The graph of a float network, of operators that an engine can have; InputError names the others."""
    from dorefa.golden.onnx.declared.check import understood
    from dorefa.golden.onnx.file.read import read_graph

    try:
        graph = understood(read_graph(path))
        for node in graph.nodes:
            if "Quant" in node.op or node.op.startswith("QLinear"):
                node.refuse(
                    "quantizes already", "a float network; of this one, the other verbs take the file"
                )
        if graph.input_shape[0] != 1:
            raise InputError(
                f"input {graph.input_name}: a batch of {graph.input_shape[0]}; accepted: 1, or of any size"
            )
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None
    return graph


def _read_images(path: str, graph: Graph) -> np.ndarray:
    """Images that the network of `graph` reads, float32 (batch, ...), checked."""
    images = npy.load(path, _DATA)
    if images.dtype != np.float32:
        raise InputError(f"{path}: images are {images.dtype}; accepted: {_DATA}")
    if images.shape[1:] != graph.input_shape[1:] or not len(images):
        wanted = ", ".join(map(str, graph.input_shape[1:]))
        raise InputError(f"{path}: shape {images.shape}; accepted: (batch, {wanted}), one image or more")
    if not np.isfinite(images).all():
        raise InputError(f"{path}: has a number that is not finite; accepted: finite numbers")
    return images


class _Quantized(NamedTuple):
    """A quantized network: its file, what was imported from it, images for it."""

    path: Path
    network: IntegerNetwork
    images: np.ndarray

    def measured(self, real: list[np.ndarray], labels: np.ndarray | None) -> dict[str, float | int | None]:
        """The line of the table, by the names of the report; `real`: what the float network computes."""
        from dorefa.golden import run_integer
        from dorefa.golden.run.integer import real_arrays, unsigned_images
        from dorefa.hw.compiler.compile import compile_plan, per_image
        from dorefa.hw.compiler.plan import Plan
        from dorefa.hw.compiler.sizing import fit

        network = self.network
        wanted = [network.layers[index].name for index in network.result_layers]
        with Progress("golden", len(self.images)) as progress:
            found = []
            for number, image in enumerate(unsigned_images(network, self.images)):
                results = run_integer(network, image[None], outputs=wanted)
                found.append(list(real_arrays(network, results).values()))
                progress.update(number + 1)
        ours = _stacked(found)
        row: dict[str, float | int | None] = dict.fromkeys(("accuracy", "same_answers", "signal_to_noise_db"))
        if network.score_count:
            row["same_answers"] = float(np.mean(_answers(ours) == _answers(real)))
            if labels is not None:
                row["accuracy"] = float(np.mean(_answers(ours) == labels))
        row["signal_to_noise_db"] = _signal_to_noise(real, ours)
        row["weight_bytes"] = sum(-(-layer.values.size * layer.w_bits // 8) for layer in network.layers)
        config = fit(network)
        row["cycles"] = per_image(compile_plan(Plan.of(network, config)).cycles, config)
        return row


def _quantized(
    model: FloatModel, ranges: np.ndarray, images: np.ndarray, folder: Path, widths: tuple[int, int]
) -> _Quantized:
    """The network with these bits of weights and activations, and `images` for it."""
    from dorefa.golden.onnx.importer import load_import

    from .quantizer import network_images

    path = folder / "w{}a{}.onnx".format(*widths)
    with Progress("ranges", len(ranges)) as progress:
        seen = itertools.count(1)
        model.quantized(path, ranges, *widths, lambda: progress.update(next(seen)))
    try:
        found = load_import(path)
    except InputError as error:
        raise InputError(f"{model.named}, quantized: {str(error).removeprefix(f'{path}: ')}") from None
    return _Quantized(path, found.network, network_images(path, found, images))


def _stacked(images: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Outputs of images one by one, as arrays of all: float64 (batch, ...)."""
    return [np.concatenate(parts).astype(np.float64) for parts in zip(*images, strict=True)]


def _like(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """An output of the file, mostly (batch, C, ...), as ours is: channels last, or a vector in the file's
    order."""
    last = np.moveaxis(wanted, 1, -1)
    moved = [size for size in last.shape if size > 1] == [size for size in found.shape if size > 1]
    return (last if moved else wanted).reshape(found.shape)


def _answers(outputs: list[np.ndarray]) -> np.ndarray:
    """The class of every image: where the greatest score is, or what the network itself says."""
    scores = outputs[0].reshape(len(outputs[0]), -1)
    return scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0]


def _signal_to_noise(real: list[np.ndarray], ours: list[np.ndarray]) -> float | None:
    """10 log10 of the power of outputs over that of their errors, of the worst output; None where the network
    leaves out what the file computes of them, or where nothing differs."""
    worst = None
    for wanted, found in zip(real, ours, strict=True):
        if wanted.size != found.size:
            return None
        signal, noise = (wanted**2).sum(), ((_like(wanted, found) - found) ** 2).sum()
        if noise and signal:
            ratio = 10 * float(np.log10(signal / noise))
            worst = ratio if worst is None else min(worst, ratio)
    return worst
