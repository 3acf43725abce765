"""`dorefa run`: classifies images on a programmed board through its serial port."""

from __future__ import annotations

import argparse

from dorefa.golden import npy
from dorefa.golden.errors import InputError
from dorefa.golden.files import write_file
from dorefa.golden.reading import read_json, shown

from .common import options
from .common.boards import DEFAULT_BAUD, SETTINGS, check_neighbors, open_port
from .common.output import Output, Progress, array_file, counted

SUMMARY = "classify images on a programmed board through its serial port"
EXAMPLE = f"dorefa run --port /dev/ttyUSB1 --input X.npy --settings ulx3s/{SETTINGS}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument(
        "--port", required=True, metavar="DEV", help="serial port of the board, as /dev/ttyUSB1 or COM3"
    )
    parser.add_argument("--input", required=True, metavar="X.npy", help="uint8 images (batch, H, W, C)")
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help=f"{SETTINGS} of `dorefa build`: rate of the line, scale and bias of the classes",
    )
    parser.add_argument(
        "--load",
        metavar="DIR",
        help="first load the network of `dorefa generate --model MODEL -o DIR`, made for the board's engine, "
        "with images and classes as its own",
    )
    parser.add_argument(
        "--baud", type=int, metavar="N", help=f"default: that of the settings, or else {DEFAULT_BAUD}"
    )
    parser.add_argument("--wait", type=float, default=2.0, metavar="S", help="for an answer (default 2 s)")
    parser.add_argument("--labels", metavar="L.npy", help="true classes; gives the accuracy")
    parser.add_argument("--output", metavar="Y.npy", help="int64 accumulators (batch, classes)")
    parser.add_argument("--logits", metavar="L.npy", help="float64 accumulators x scale + bias")


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    import time

    from dorefa.hw.generate import file_set
    from dorefa.hw.shell.driver import Board

    out = Output(
        args.json,
        outputs={"--output": args.output, "--logits": args.logits},
        inputs={
            "--port": args.port,
            "--load": None if args.load is None else file_set.paths(args.load),
            **options.input_files(args),
        },
    )
    settings = None if args.settings is None else read_settings(args.settings)
    loaded = _read_loaded(args, settings)
    images = npy.load(args.input, options.IMAGES)
    baud = args.baud or (settings["baud"] if settings else DEFAULT_BAUD)
    with open_port(args.port, baud, args.wait) as port:
        board = Board(port, args.port)
        board.connect()
        _check_board(board, args, settings)
        if loaded:
            _load(board, loaded)
            settings = {"scale": loaded.network["logit_scale"], "bias": loaded.network["logit_bias"]}
        labels = None
        if args.labels is not None:
            labels = options.labels_below(args.labels, len(images), board.classes)
        started = time.monotonic()
        with Progress("run", len(images)) as progress:
            outputs = board.run(images, progress=progress.update)
        seconds = time.monotonic() - started
        cycles = board.cycles()
    contents = {"outputs": outputs.tolist(), "images": len(outputs), "cycles": cycles}
    contents["fps"] = len(outputs) / seconds
    out.say(
        f"{counted(len(outputs), 'image')}, {contents['fps']:.1f} a second, {cycles:,} cycles the last one"
    )
    if args.output is not None:
        write_file(args.output, array_file(outputs))
        out.say(f"wrote {args.output}")
    if settings:
        _classify(out, contents, args, settings, outputs, labels)
    out.report(contents)
    return 0


def read_settings(path: str) -> dict:
    """The settings file as `dorefa build` writes it, checked as far as it is used: baud, scale and bias."""
    accepted = f"{SETTINGS} as `dorefa build` writes it"
    settings = read_json(path, accepted)
    if isinstance(settings, dict) and settings.get("training"):
        raise InputError(
            f"{path}: is that of an engine that trains; accepted: {accepted} without --training, or "
            "`dorefa train --backend board`"
        )
    for key in ("baud", "scale", "bias"):
        if not isinstance(settings, dict) or key not in settings:
            raise InputError(f"{path}: no {key!r}; accepted: {accepted}")
    for key in ("baud", "scale", "bias"):
        value = settings[key]
        good = type(value) is int and 0 < value < 1 << 31 if key == "baud" else _is_vector(value)
        if not good:
            raise InputError(f"{path}: {key} is {shown(value)}; accepted: {accepted}")
    if len(settings["scale"]) != len(settings["bias"]):
        raise InputError(
            f"{path}: scale has {len(settings['scale'])} numbers and bias {len(settings['bias'])}; "
            f"accepted: {accepted}"
        )
    check_neighbors(path, settings)
    return settings


def _is_vector(value):
    return (
        isinstance(value, list) and all(type(number) in (int, float) for number in value) and len(value) > 0
    )


def _read_loaded(args, settings):
    """The :class:`FileSet` of --load, for the engine that the settings describe, or None without --load."""
    from dorefa.hw.generate.file_set import ENGINE, read_set

    if settings is None and args.load is None and (args.labels, args.logits) != (None, None):
        option = "--logits" if args.labels is None else "--labels"
        accepted = f"--settings {SETTINGS} or --load DIR"
        raise InputError(f"{option} needs the scale of the classes; accepted: {accepted}")
    if args.load is None:
        return None
    if settings is not None and (architecture := settings.get("architecture")) is not None:
        raise InputError(
            f"--load is {args.load}, and {args.settings} is of a {architecture}, whose weights are its "
            "logic; accepted: --load for a board with an engine"
        )
    loaded = read_set(args.load)
    if "load.bin" not in loaded.contents:
        raise InputError(f"{args.load}: has no load.bin; accepted: a folder made with --model, no --preload")
    found, expected = loaded.engine["interface_sha256"], (settings or {}).get("interface_sha256")
    if expected not in (None, found):
        raise InputError(
            f"{loaded.folder / ENGINE}: interface_sha256 is {found}; accepted: {expected}, that of "
            f"{args.settings}"
        )
    return loaded


def _check_board(board, args, settings):
    """Refuses the settings of another bitstream, as far as the board tells."""
    if settings is None:
        return
    sizes = board.input_shape, board.classes
    own = tuple(settings.get("input_shape", board.input_shape)), len(settings["scale"])
    if own != sizes:
        raise InputError(
            f"{args.settings}: images {own[0]}, {own[1]} classes; accepted: the settings of the bitstream on "
            f"{args.port}, whose network has images {sizes[0]}, {sizes[1]} classes"
        )


def _load(board, loaded):
    """Loads a network into the memories of the board's engine, which has to be its engine."""
    import struct

    from dorefa.hw.generate.file_set import ENGINE, NETWORK

    board.require_engine(loaded.config, str(loaded.folder / ENGINE))
    results = loaded.network["results"]
    if len(results) > 1 or results[0]["shape"][:2] != [1, 1]:
        shapes = " and ".join("x".join(map(str, result["shape"])) for result in results)
        raise InputError(
            f"{loaded.folder / NETWORK}: gives results of {shapes}; accepted on a board: one score per class"
        )
    shape = tuple(loaded.network["input_shape"])
    if (shape, loaded.network["classes"]) != (board.input_shape, board.classes):
        raise InputError(
            f"{loaded.folder / NETWORK}: images {shape}, {loaded.network['classes']} classes; accepted "
            f"on this board: {board.input_shape}, {board.classes} classes"
        )
    pairs = struct.iter_unpack("<II", loaded.contents["load.bin"])
    board.load((address // 4, word) for address, word in pairs)


def _classify(out, contents, args, settings, outputs, labels):
    """Logits and classes of the outputs; says and writes what was asked for."""
    import numpy as np

    values = outputs * np.array(settings["scale"], np.float64) + np.array(settings["bias"], np.float64)
    classes = values.argmax(axis=1)
    contents["classes"] = classes.tolist()
    out.say("classes " + " ".join(map(str, classes[:20])) + (" ..." if len(classes) > 20 else ""))
    if args.logits is not None:
        write_file(args.logits, array_file(values))
        out.say(f"wrote {args.logits}")
    if labels is not None:
        contents["accuracy"] = float((classes == labels).mean())
        out.say(f"accuracy {contents['accuracy']:.4f}")
