"""Architectures in a user's files: TOML, or Python that makes one."""

import os
import runpy
import traceback
from pathlib import Path

from ..errors import InputError
from ..reading import read_text, reason, shown
from .architecture import Architecture
from .toml_form import read_architecture

ENDINGS = (".toml", ".py")
_ACCEPTED = "Python that gives `architecture` an Architecture (dorefa.golden.zoo.architecture)"
_MAX_BYTES = 1 << 20


def is_file(name: str | os.PathLike[str]) -> bool:
    """Whether `name` is a file with an architecture, by its ending."""
    return Path(name).suffix.lower() in ENDINGS


def read(path: str | os.PathLike[str]) -> Architecture:
    """The architecture in the file at `path`, all of which fits together: see :func:`read_architecture` and
    :func:`run_python`. InputError of one line that names the file."""
    architecture = read_architecture(path) if Path(path).suffix.lower() == ".toml" else run_python(path)
    try:
        _check(architecture)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return architecture


def run_python(path: str | os.PathLike[str]) -> Architecture:
    """What the Python file at `path` leaves in `architecture`. It is run, with all that it may do.

    What it raises is an InputError with its line.
    """
    read_text(path, _ACCEPTED, _MAX_BYTES)
    try:
        names = runpy.run_path(os.fspath(path))
    except (Exception, SystemExit) as error:
        text = f"{type(error).__name__}: {_said(error)}; accepted: {_ACCEPTED}"
        if isinstance(error, InputError):
            text = str(error)
        raise InputError(f"{path}: {_line(path, error)}{text}") from None
    architecture = names.get("architecture")
    if not isinstance(architecture, Architecture):
        problem = f"architecture is {shown(architecture)}" if "architecture" in names else "no architecture"
        raise InputError(f"{path}: {problem}; accepted: {_ACCEPTED}")
    return architecture


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    return reason(error) if isinstance(error, Exception) else str(error.args[0] if error.args else "")


def _line(path: str | os.PathLike[str], error: BaseException) -> str:
    """`line N: ` of the file that `error` comes from, the last one that was at work."""
    if isinstance(error, SyntaxError) and error.filename == os.fspath(path):
        return f"line {error.lineno}: "
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == os.fspath(path)]
    return f"line {lines[-1]}: " if lines else ""


def _check(architecture: Architecture) -> None:
    """Refuses what no network can be, with any widths and images of the usual size."""
    for spec in architecture.layers:
        if spec.global_pool and spec.pool is not None:
            raise InputError(f"layer {spec.name}: pool and global_pool; accepted: one of them")
    architecture.plan(1, 1).outline()
