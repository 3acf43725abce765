"""Temporary folders, all in one of this process, so that nothing is left of them however it ends.

The folder of a process that was killed is removed by the next one that makes its own: a lock, which ends with
its process, tells whose is no longer in use.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MachineError
from ..leftovers import unfinished

PREFIX = "dorefa-"
_LOCK = "lock"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ACCEPTED = "accepted: TMPDIR naming a writable folder with space"


class _Root:
    """The one temporary folder of a process."""

    def __init__(self) -> None:
        self.process = os.getpid()
        try:
            # TMPDIR may be relative, and children run elsewhere.
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX)).absolute()
            unfinished.add(self.path)
            atexit.register(self.remove)
            # Only a lock that is held already takes the name by which others look for it.
            lock = self.path / f"{_LOCK}.new"
            self.lock = os.open(lock, os.O_CREAT | os.O_RDWR)
        except OSError as error:
            raise MachineError(f"no temporary folder: {error.strerror or error}; {_ACCEPTED}") from error
        with suppress(OSError):  # a file system without locks
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.rename(self.path / _LOCK)
        _remove_stale(self.path)

    def remove(self) -> None:
        """Removes the folder, unless this is a copy of the process that made it."""
        if os.getpid() == self.process:
            shutil.rmtree(self.path, ignore_errors=True)


_root: _Root | None = None


def _remove_stale(own: Path) -> None:
    """Removes what killed processes of this user left beside the folder `own`."""
    for folder in own.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder == own or folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def scratch_root() -> Path:
    """The temporary folder of this process, made when it is first asked for; it goes when the process ends.

    Raises :class:`MachineError` where none can be made.
    """
    global _root
    if _root is None or _root.process != os.getpid():
        _root = _Root()
    return _root.path


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty temporary folder for the block; nothing of it stays.

    A disk that is full, or a file larger than allowed, ends the block with :class:`MachineError`.
    """
    root = scratch_root()
    try:
        folder = Path(tempfile.mkdtemp(dir=root))
    except OSError as error:
        raise MachineError(f"{root}: {error.strerror}; {_ACCEPTED}") from error
    try:
        yield folder
    except OSError as error:
        if error.errno in _FULL:
            accepted = "accepted: larger files (ulimit -f)" if error.errno == errno.EFBIG else _ACCEPTED
            raise MachineError(f"{folder}: {error.strerror}; {accepted}") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_space(folder: Path) -> None:
    """Raises :class:`MachineError` when the disk of `folder` is full, which not all tools say."""
    if shutil.disk_usage(folder).free < os.statvfs(folder).f_frsize:
        raise MachineError(f"{folder}: no space left on its disk; {_ACCEPTED}")
