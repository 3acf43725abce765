"""`dorefa run`: classifies images on a programmed board through its serial port."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError
from dorefa.golden.files import write_file

from . import options
from .build import DEFAULT_BAUD, SETTINGS
from .output import Output, Progress, array_file

if TYPE_CHECKING:
    import serial

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
        "--baud", type=int, metavar="N", help=f"default: that of the settings, or else {DEFAULT_BAUD}"
    )
    parser.add_argument("--wait", type=float, default=2.0, metavar="S", help="for an answer (default 2 s)")
    parser.add_argument("--labels", metavar="L.npy", help="true classes; gives the accuracy")
    parser.add_argument("--output", metavar="Y.npy", help="int64 accumulators (batch, classes)")
    parser.add_argument("--logits", metavar="L.npy", help="float64 accumulators x scale + bias")


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    import time

    from dorefa.hw.shell.driver import Board

    out = Output(
        args.json,
        outputs={"--output": args.output, "--logits": args.logits},
        inputs={"--port": args.port, **options.input_files(args)},
    )
    settings = _read_settings(args.settings)
    if settings is None and (args.labels or args.logits):
        option = "--labels" if args.labels else "--logits"
        raise InputError(f"{option} needs the scale of the classes; accepted: --settings {SETTINGS}")
    images = options.read_array(args.input, "uint8 images (batch, height, width, channels)")
    baud = args.baud or (settings["baud"] if settings else DEFAULT_BAUD)
    with open_port(args.port, baud, args.wait) as port:
        board = Board(port, args.port)
        board.connect()
        if settings and board.classes != len(settings["scale"]):
            raise InputError(
                f"{args.settings}: {len(settings['scale'])} classes; the network on {args.port} has "
                f"{board.classes}; accepted: the settings of its bitstream"
            )
        labels = args.labels and options.read_labels(args.labels, len(images), board.classes)
        started = time.monotonic()
        with Progress("run", len(images)) as progress:
            outputs = board.run(images, progress=progress.update)
        seconds = time.monotonic() - started
        cycles = board.cycles()
    contents = {"outputs": outputs.tolist(), "images": len(outputs), "cycles": cycles}
    contents["fps"] = len(outputs) / seconds
    out.say(f"{len(outputs)} images, {contents['fps']:.1f} a second, {cycles:,} cycles the last one")
    if args.output is not None:
        write_file(args.output, array_file(outputs))
        out.say(f"wrote {args.output}")
    if settings:
        _classify(out, contents, args, settings, outputs, labels)
    out.report(contents)
    return 0


def open_port(name: str, baud: int, wait: float) -> serial.Serial:
    """An open serial port of pyserial, `wait` seconds its timeout; :class:`InputError` where it cannot be."""
    try:
        import serial
    except ModuleNotFoundError:
        raise InputError("pyserial is missing; accepted: pip install 'dorefa[boards]'") from None
    try:
        return serial.Serial(name, baud, timeout=wait)
    except (serial.SerialException, ValueError) as error:
        raise InputError(f"{name}: {error}; accepted: a serial port and a rate that it has") from None


def _read_settings(path):
    """The settings file, a dictionary with at least baud, scale and bias; None without a path."""
    import json

    if path is None:
        return None
    accepted = f"{SETTINGS} as `dorefa build` writes it"
    try:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON: {error}; accepted: {accepted}") from None
    for key in ("baud", "scale", "bias"):
        if not isinstance(settings, dict) or key not in settings:
            raise InputError(f"{path}: no {key!r}; accepted: {accepted}")
    return settings


def _classify(out, contents, args, settings, outputs, labels):
    """Logits and classes of the outputs; says and writes what was asked for."""
    import numpy as np

    values = outputs * np.array(settings["scale"]) + np.array(settings["bias"])
    classes = values.argmax(axis=1)
    contents["classes"] = classes.tolist()
    out.say("classes " + " ".join(map(str, classes[:20])) + (" ..." if len(classes) > 20 else ""))
    if args.logits is not None:
        write_file(args.logits, array_file(values))
        out.say(f"wrote {args.logits}")
    if labels is not None:
        contents["accuracy"] = float((classes == labels).mean())
        out.say(f"accuracy {contents['accuracy']:.4f}")
