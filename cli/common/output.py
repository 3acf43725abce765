"""What a verb says and writes: text, tables, progress, reports, files that are whole or absent."""

import io
import json
import os
import sys
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

import numpy as np

from dorefa.golden import leftovers
from dorefa.golden.archive import packed_arrays
from dorefa.golden.errors import InputError
from dorefa.golden.files import PathName, locate, opened, require_folder, require_writable, write_file

from . import streams

# Option -> the file that it names, or several, or None.
Names = Mapping[str, PathName | Iterable[PathName] | None]


class Output:
    """Text for a person and the report for a machine, and the names of all files of a command.

    `report_file` is the argument of `--json`: None, a path, or `-`. With `-` the report alone goes
    to standard output and the text to standard error; so with any other output that is standard output, as
    /dev/stdout. `outputs` and `inputs` are for :meth:`claim`.
    """

    def __init__(
        self,
        report_file: str | None = None,
        *,
        outputs: Names | None = None,
        inputs: Names | None = None,
    ) -> None:
        self._report_file = report_file
        self._stream = sys.stdout
        self._standard_output: Hashable = None
        with suppress(OSError):  # closed: another program's affair
            self._standard_output = opened(1).identity
        # What was named: the option, and whether it is written.
        self._claimed: dict[Hashable, tuple[str, bool]] = {}
        self._targets: set[str] = set()
        if report_file == "-":
            self._stream = sys.stderr
            self._claim("--json", "standard output", self._standard_output, written=True)
        else:
            self.claim(outputs={"--json": report_file})
        self.claim(outputs=outputs, inputs=inputs)

    def claim(self, *, outputs: Names | None = None, inputs: Names | None = None) -> None:
        """Says what the command reads and writes, {option: name, names or None}, before any work.

        InputError for an output that cannot be written, and where two outputs, or an output and an input,
        are one file, whatever their names. Devices that keep nothing, as /dev/null, may be named twice.
        """
        for label, path in _pairs(inputs):
            try:
                place = locate(path)
            except InputError:
                continue  # its reader says what is wrong
            # A terminal is read and written.
            if place.found is not None and not (place.device and place.descriptor is not None):
                self._claim(label, path, place.identity, written=False)
                self._targets.add(place.target)
        for label, path in _pairs(outputs):
            place = require_writable(path)
            identity = place.identity
            self._claim(label, path, identity, written=True)
            self._targets.add(place.target)
            if identity is not None and identity == self._standard_output:
                self._stream = sys.stderr

    def claim_matching(self, label: str, folder: Path, patterns: Iterable[str]) -> None:
        """:meth:`claim` for what tools write into `folder`: outputs whose names match one of the patterns."""
        own = os.path.realpath(folder)
        names = {name for place, name in map(os.path.split, self._targets) if place == own}
        names.update(os.listdir(folder))
        taken = sorted(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))
        self.claim(outputs={label: [folder / name for name in taken]})

    def _claim(self, label: str, path: PathName, identity: Hashable, *, written: bool) -> None:
        if identity is None:
            return
        other, other_written = self._claimed.get(identity, (label, False))
        if written and identity in self._claimed or other_written:
            raise InputError(f"{os.fsdecode(path)}: is both {other} and {label}; accepted: a file for each")
        self._claimed[identity] = label, written

    def say(self, text: str = "") -> None:
        """Prints lines for a person."""
        streams.write(self._stream, text + "\n")

    def notes(self, notes: Iterable[str]) -> list[str]:
        """Says what was taken for granted; returns it, for the report."""
        for note in notes:
            self.say(f"note: {note}")
        return list(notes)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Prints rows under a header; a number stands right, text left, None as a dash."""
        self.say(format_table(header, rows))

    def report(self, contents: dict[str, Any]) -> None:
        """Writes the report, a dictionary, if one was asked for."""
        if self._report_file is None:
            return
        text = json.dumps(contents, indent=2, default=_plain) + "\n"
        if self._report_file == "-":
            streams.write(sys.stdout, text)
        else:
            write_file(self._report_file, text.encode())


def _pairs(names: Names | None) -> Iterator[tuple[str, PathName]]:
    """(option, name) of every name that was given."""
    for label, paths in (names or {}).items():
        if paths is not None:
            yield from (
                (label, path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)
            )


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in a report")


def counted(count: int, noun: str) -> str:
    """So many of a thing, as ``1 image`` and ``1,000 images``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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


def array_file(array: np.ndarray) -> bytes:
    """The `.npy` file of an array."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def results_file(results: Mapping[str, np.ndarray]) -> bytes:
    """The file of a network's results: `.npy` of one, `.npz` with their names of several."""
    return array_file(*results.values()) if len(results) == 1 else packed_arrays(results)


def make_folder(path: str | Path) -> Path:
    """Makes the folder `path`, with its parents, if it is not there; returns it as a Path."""
    name = os.fspath(path)
    if not name or "\0" in name:
        raise InputError(f"{name!r} is no name of a folder; accepted: characters, none of them NUL")
    path = Path(path)
    leftovers.made_folders.update(missing_folders(path))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: no folder can be made here: {error.strerror}; accepted: a writable folder"
        ) from error
    require_folder(path)
    return path


def missing_folders(path: Path) -> list[Path]:
    """The folder `path` and those above it, as far as they do not exist; the innermost first."""
    return [folder for folder in (path, *path.parents) if not os.path.exists(folder)]


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """:func:`make_folder` for work that may fail: the folders that it made go again if an error leaves them
    empty."""
    made = missing_folders(Path(path))
    try:
        yield make_folder(path)
    except BaseException:
        for folder in made:
            with suppress(OSError):  # not empty, or not made
                folder.rmdir()
        raise


class Progress:
    """A bar on standard error, drawn only when that is a terminal, with the time that is left.

    Call :meth:`update` with the number of steps done; use it as a context manager so that the bar
    is gone when the work ends.
    """

    _WIDTH = 30

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._shown = sys.stderr.isatty()
        self._last = 0.0
        # When the first step that took time was done: what went before may have been done long ago.
        self._begun: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        self.update(0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            streams.say_error("\r\x1b[K", end="")

    def update(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Shows that `done` of the total steps are done, at most ten times a second."""
        self._total = total or self._total
        now = time.monotonic()
        if self._begun is None and done:
            self._begun = now, done
        if not self._shown or (now - self._last < 0.1 and done != self._total):
            return
        self._last = now
        filled = self._WIDTH * done // max(1, self._total)
        bar = "#" * filled + "." * (self._WIDTH - filled)
        line = f"\r\x1b[K{self._label} [{bar}] {done}/{self._total}{self._left(now, done)} {note}"
        streams.say_error(line, end="")

    def _left(self, now: float, done: int) -> str:
        """The time that is left as text, once two steps tell how long one takes."""
        if self._begun is None or done <= self._begun[1] or done == self._total:
            return ""
        seconds = (now - self._begun[0]) / (done - self._begun[1]) * (self._total - done)
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f" {hours}:{minutes:02}:{seconds:02} left" if hours else f" {minutes}:{seconds:02} left"
