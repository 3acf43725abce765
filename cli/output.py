"""What a verb says and writes: text, tables, progress, reports, files that are whole or absent."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from dorefa.golden import leftovers
from dorefa.golden.errors import InputError


class Output:
    """Text for a person and the report for a machine.

    `report_file` is the argument of `--json`: None, a path, or `-`. With `-` the report alone goes
    to standard output and the text to standard error.
    """

    def __init__(self, report_file: str | None = None) -> None:
        self._report_file = report_file
        self._stream = sys.stderr if report_file == "-" else sys.stdout
        if report_file not in (None, "-"):
            require_writable(report_file)

    def say(self, text: str = "") -> None:
        """Prints lines for a person."""
        print(text, file=self._stream, flush=True)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Prints rows under a header; a number stands right, text left, None as a dash."""
        self.say(format_table(header, rows))

    def report(self, contents: dict[str, Any]) -> None:
        """Writes the report, a dictionary, if one was asked for."""
        if self._report_file is None:
            return
        text = json.dumps(contents, indent=2, default=_plain) + "\n"
        if self._report_file == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            write_text(self._report_file, text)


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in a report")


def format_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain text table: columns two spaces apart, as wide as their widest cell."""
    cells = [[_cell(value) for value in row] for row in rows]
    lines = [list(header), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    right = [any(_is_number(row[column]) for row in rows) for column in range(len(header))]
    text = []
    for line in lines:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        text.append("  ".join(padded).rstrip())
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text)


def _is_number(value):
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _cell(value):
    if value is None:
        return "-"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:.3f}"
    return str(value)


@contextmanager
def new_file(path: str | Path) -> Iterator[BinaryIO]:
    """Yields a binary file that takes the name `path` when the block ends without an exception.

    Until then `path` is untouched, and after an exception or an interruption nothing is left.
    Raises :class:`InputError` when the folder does not take a file.
    """
    path = Path(path)
    require_writable(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    leftovers.unfinished.add(unfinished)
    try:
        with open(unfinished, "wb") as file:
            yield file
        os.replace(unfinished, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
        leftovers.unfinished.discard(unfinished)


def write_text(path: str | Path, text: str) -> None:
    """Writes `text` as the whole content of `path`, or leaves `path` alone."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes `content` as the whole of `path`, or leaves `path` alone."""
    with new_file(path) as file:
        file.write(content)


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Writes an array as `.npy`, whole or not at all."""
    with new_file(path) as file:
        np.save(file, array, allow_pickle=False)


def require_writable(path: str | Path) -> None:
    """Raises :class:`InputError` unless a file can be made at `path`; called before long work."""
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written: {folder} is no folder; accepted: an existing one")
    if path.is_dir():
        raise InputError(f"{path}: cannot be written: it is a folder; accepted: a file name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written: no permission to write in {folder}")


def make_folder(path: str | Path) -> Path:
    """Makes the folder `path`, with its parents, if it is not there; returns it as a Path."""
    path = Path(path)
    leftovers.made_folders.update(missing_folders(path))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: no folder can be made here: {error.strerror}; accepted: a writable folder"
        ) from error
    require_writable(path / "file")
    return path


def missing_folders(path: Path) -> list[Path]:
    """The folder `path` and those above it, as far as they do not exist; the innermost first."""
    return [folder for folder in (path, *path.parents) if not os.path.exists(folder)]


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """:func:`make_folder` for long work: the folders that it made go again if an error leaves them empty."""
    path = Path(path)
    made = missing_folders(path)
    try:
        yield make_folder(path)
    except BaseException:
        with suppress(OSError):  # not empty, or not made
            for folder in made:
                folder.rmdir()
        raise


class Progress:
    """A bar on standard error, drawn only when that is a terminal.

    Call :meth:`update` with the number of steps done; use it as a context manager so that the bar
    is gone when the work ends.
    """

    _WIDTH = 30

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._shown = sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> Self:
        self.update(0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def update(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Shows that `done` of the total steps are done, at most ten times a second."""
        self._total = total or self._total
        now = time.monotonic()
        if not self._shown or (now - self._last < 0.1 and done != self._total):
            return
        self._last = now
        filled = self._WIDTH * done // max(1, self._total)
        bar = "#" * filled + "." * (self._WIDTH - filled)
        line = f"\r\x1b[K{self._label} [{bar}] {done}/{self._total} {note}"
        print(line, end="", file=sys.stderr, flush=True)
