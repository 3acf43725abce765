"""What is worth keeping from run to run: folders of files with their checksums, whole or absent.

An entry is a folder `KIND/NAME` below :func:`cache_directory`, NAME ending in a hash of all that its files
depend on. Beside the files it holds `SHA256SUMS`, as `sha256sum -c` reads it, against which they are checked
whenever they are used.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import MachineError
from .leftovers import unfinished

KINDS = ("models", "explore", "campaigns")
_SUMS = "SHA256SUMS"
# Names of entries, and of what dorefa kept before entries were folders.
_OURS = re.compile(r"(?:[a-z_]+-)?[0-9a-f]{32}(?:\.o|\.json)?(?:\.\d+)?|\.dorefa-\w+")
_ACCEPTED = "accepted: XDG_CACHE_HOME naming a writable folder with space"


def cache_base() -> Path:
    """The folder of all caches of this user: ``XDG_CACHE_HOME``, or ``.cache`` in the home folder.

    Raises :class:`MachineError` for a relative one, or where there is no home.
    """
    if base := os.environ.get("XDG_CACHE_HOME"):
        if not os.path.isabs(base):
            raise MachineError(f"XDG_CACHE_HOME is {base!r}; accepted: an absolute path, or no such variable")
        return Path(base)
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        raise MachineError(f"the home folder is {home!r}; accepted: HOME or XDG_CACHE_HOME, an absolute path")
    return Path(home, ".cache")


def cache_directory() -> Path:
    """Where dorefa keeps compiled models and measured points: ``dorefa`` in :func:`cache_base`."""
    return cache_base() / "dorefa"


def _tell(text: str) -> None:
    print(f"dorefa: {text}", file=sys.stderr)


class Cache:
    """The entries of one of the :data:`KINDS`.

    `programs`: its files are to be run. Raises :class:`MachineError` where the folder cannot be made.
    """

    def __init__(self, kind: str, *, programs: bool = False) -> None:
        self.folder = cache_directory() / kind
        self._programs = programs
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(f"{self.folder}: {error.strerror}; {_ACCEPTED}") from error

    def check_writable(self, room: int) -> None:
        """Raises :class:`MachineError` unless an entry of `room` bytes can be written; for before work."""
        with self._arriving() as folder:
            probe = folder / "probe"
            probe.write_bytes(bytes(room))
            probe.chmod(0o755)
            runs = not self._programs or os.access(probe, os.X_OK)
        if not runs:
            raise MachineError(
                f"{self.folder}: programs cannot be run there (noexec); accepted: XDG_CACHE_HOME naming "
                "a folder where they can"
            )

    @contextmanager
    def _arriving(self) -> Iterator[Path]:
        """A folder for what is to become an entry, or was one; what the disk says is an MachineError."""
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix=".dorefa-", dir=self.folder))
            unfinished.add(folder)
            yield folder
        except OSError as error:
            raise MachineError(f"{self.folder}: {error.strerror}; {_ACCEPTED}") from error
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
                unfinished.discard(folder)

    def find(self, name: str) -> Path | None:
        """The folder of an entry, None without one; a damaged one is removed, and the person told."""
        entry = self.folder / name
        if not os.path.lexists(entry):
            return None
        if self._is_whole(entry):
            return entry
        _tell(f"{entry} was damaged (its files do not have their checksums): it is made again")
        self._discard(entry)
        return None

    def _is_whole(self, entry: Path) -> bool:
        try:
            lines = (entry / _SUMS).read_text().splitlines()
            expected = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
            present = {path.name for path in entry.iterdir()}
            return present == {*expected, _SUMS} and all(
                _checksum(entry / name) == checksum
                and (not self._programs or os.access(entry / name, os.R_OK | os.X_OK))
                for name, checksum in expected.items()
            )
        except (OSError, ValueError):
            return False

    def add(self, name: str, files: Iterable[Path]) -> Path:
        """Keeps copies of `files` as the entry `name`, in one step; returns its folder.

        Of several processes that make the same entry the first one's stays. MachineError when the disk fails.
        """
        entry = self.folder / name
        with self._arriving() as folder:
            copies = [Path(shutil.copy2(file, folder)) for file in files]
            (folder / _SUMS).write_text("".join(f"{_checksum(copy)}  {copy.name}\n" for copy in copies))
            for path in (*copies, folder):
                path.chmod(0o755)
            try:
                folder.rename(entry)
            except OSError:
                # Somebody else was first, or what is in the way is damaged.
                if self.find(name) is None:
                    folder.rename(entry)
        return entry

    def _discard(self, entry: Path) -> None:
        """Takes an entry away in one step, so that nobody sees a part of it."""
        with self._arriving() as folder, suppress(FileNotFoundError):
            entry.rename(folder / "damaged")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something in the cache: its `kind`, `path`, `bytes` on disk, `seconds` since it was made."""

    kind: str
    path: Path
    bytes: int
    seconds: float


def entries() -> tuple[list[Entry], list[Path]]:
    """(what dorefa keeps, oldest first; what else lies in its folders, which is not dorefa's).

    Raises :class:`MachineError` where the folder cannot be read.
    """
    ours, others = [], []
    for folder in _listed(cache_directory()):
        if folder.name not in KINDS:
            others.append(folder)
            continue
        for path in _listed(folder):
            if _OURS.fullmatch(path.name):
                with suppress(FileNotFoundError):  # somebody removed it meanwhile
                    ours.append(_entry(folder.name, path))
            else:
                others.append(path)
    return sorted(ours, key=lambda entry: -entry.seconds), others


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MachineError(f"{folder}: {error.strerror}; accepted: a folder that can be read") from error


def _entry(kind: str, path: Path) -> Entry:
    seconds = max(0.0, time.time() - os.lstat(path).st_mtime)
    return Entry(kind=kind, path=path, bytes=sum(_sizes(path)), seconds=seconds)


def _sizes(path: Path) -> Iterator[int]:
    """Bytes of a file, or of all files in a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        yield os.lstat(path).st_size
    else:
        for inner in path.iterdir():
            yield from _sizes(inner)


def clear() -> tuple[list[Entry], list[Path]]:
    """Removes what :func:`entries` calls dorefa's; returns the same."""
    ours, others = entries()
    for entry in ours:
        _remove(entry.path)
    for kind in KINDS:
        with suppress(OSError):  # not there, or not empty
            (cache_directory() / kind).rmdir()
    return ours, others


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        pass  # somebody else did
    except OSError as error:
        raise MachineError(
            f"{path}: cannot be removed: {error.strerror}; accepted: a writable folder"
        ) from error
