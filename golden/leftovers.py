"""What an interruption must not leave behind, for a process that ends without unwinding."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE = 2.0  # seconds that removal waits for what still writes

# Files and folders that are removed, and folders that are removed if nothing is in them.
unfinished: set[Path] = set()
made_folders: set[Path] = set()


def remove_leftovers() -> None:
    """Removes everything that is registered here; for a process about to end."""
    for path in list(unfinished):
        _remove(path)
    for path in sorted(made_folders, reverse=True):
        with suppress(OSError):
            path.rmdir()


def _remove(path: Path) -> None:
    """Removes a file or folder, into which something may still be writing."""
    until = time.monotonic() + _PATIENCE
    while os.path.lexists(path) and time.monotonic() < until:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
