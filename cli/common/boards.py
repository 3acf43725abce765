"""What the verbs that talk to a board share with the one that makes its files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from dorefa.golden import checks
from dorefa.golden.errors import InputError
from dorefa.golden.reading import read_bytes, shown

if TYPE_CHECKING:
    import serial

SETTINGS = "board.json"
DEFAULT_BAUD = 1_000_000


def open_port(name: str, baud: int, wait: float) -> serial.Serial:
    """An open serial port of pyserial, `wait` seconds its timeout; :class:`InputError` where it cannot be."""
    if not 0 < wait < math.inf:
        raise InputError(f"--wait is {wait:g}; accepted: seconds above 0")
    try:
        import serial
    except ModuleNotFoundError:
        raise InputError("pyserial is missing; accepted: pip install 'dorefa[boards]'") from None
    try:
        return serial.Serial(name, baud, timeout=wait)
    except (serial.SerialException, ValueError) as error:
        raise InputError(f"{name}: {error}; accepted: a serial port and a rate that it has") from None


def check_neighbors(path: str, settings: dict) -> None:
    """Refuses a bitstream beside the settings file at `path` that is not the one it was written with."""
    from dorefa.hw.generate.file_set import sha256

    if "input_shape" in settings:
        checks.integers(settings["input_shape"], f"{path}: input_shape", ("height", "width", "channels"), 1)
    hashes = settings.get("sha256", {})
    if not isinstance(hashes, dict):
        raise InputError(f"{path}: sha256 is {shown(hashes)}; accepted: a hash for each file")
    for name, expected in hashes.items():
        neighbor = Path(path).with_name(Path(name).name)
        if neighbor.is_file() and (found := sha256(read_bytes(neighbor, "a bitstream"))) != expected:
            raise InputError(
                f"{neighbor}: SHA-256 is {found}; accepted: {expected}, as {path} says, in the files of one "
                "`dorefa build`"
            )
