"""Writing files: whole or not at all where they are plain, through where a name is a device or a pipe."""

import os
import re
import secrets
import stat
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import InputError
from .leftovers import unfinished

PathName = str | os.PathLike[str]

# As many symbolic links as Linux follows.
_MOST_LINKS = 40
# Folders that show open descriptors, as /dev/fd does: a process's own, and of any process.
_OWN = r"/dev/fd|/proc/{pid}(/task/\d+)?/fd"
_ANY = r"/proc/\d+(/task/\d+)?/fd"


@dataclass(frozen=True)
class Place:
    """Where a name leads: the `target` behind its links; one of this process's open descriptors, as behind
    /dev/stdout, or None; what is `found` there, None where nothing is; whether it is written `through`,
    never replaced: all but a plain file, and what another process has open."""

    target: str
    descriptor: int | None
    found: os.stat_result | None
    through: bool

    @property
    def device(self) -> bool:
        """Whether it is a character or block device."""
        return self.found is not None and (
            stat.S_ISCHR(self.found.st_mode) or stat.S_ISBLK(self.found.st_mode)
        )

    @property
    def identity(self) -> Hashable:
        """Equal where two names lead to one thing: by links, hard links or another spelling. None for a
        device that keeps nothing, as /dev/null."""
        if self.found is None:
            return self.target
        if not self.device:
            return self.found.st_dev, self.found.st_ino
        if os.major(self.found.st_rdev) == os.major(os.stat(os.devnull).st_rdev):
            return None
        return "device", self.found.st_rdev


def locate(path: PathName) -> Place:
    """The :class:`Place` of a name. InputError where no file can have it."""
    name = os.fsdecode(path)
    if not name or "\0" in name:
        raise InputError(f"{name!r} is no file name; accepted: characters, none of them NUL")
    with _refusing(name):
        target, descriptor, through = _follow(name)
        if descriptor is not None:
            return opened(descriptor)
        try:
            found = os.stat(target)
        except FileNotFoundError:
            found = None
        plain = found is None or stat.S_ISREG(found.st_mode)
        return Place(target, None, found, through or not plain)


def opened(descriptor: int) -> Place:
    """The :class:`Place` of an open descriptor of this process. OSError where it is closed."""
    return Place(f"/dev/fd/{descriptor}", descriptor, os.fstat(descriptor), True)


def _follow(name: str) -> tuple[str, int | None, bool]:
    """(target, descriptor, whether another process has it open) behind the symbolic links of `name`."""
    own = re.compile(_OWN.format(pid=os.getpid()))
    for _ in range(_MOST_LINKS):
        folder, last = os.path.split(name)
        folder = os.path.realpath(folder or os.curdir)
        name = os.path.join(folder, last)
        # What these links say is no path: a pipe has none, and a file may have another one by now.
        if last.isdecimal() and own.fullmatch(folder):
            return name, int(last), True
        if last.isdecimal() and re.fullmatch(_ANY, folder):
            return name, None, True
        if not os.path.islink(name):
            return name, None, False
        name = os.path.join(folder, os.readlink(name))
    raise OSError("a circle of symbolic links")


def require_writable(path: PathName) -> Place:
    """The :class:`Place` of an output, for before long work: InputError for all that can be known to be in
    the way of :func:`write_files`.

    Nothing is opened: the reader of a pipe would take that for its end.
    """
    place = locate(path)
    if place.found is not None and stat.S_ISDIR(place.found.st_mode):
        raise _refusal(path, "it is a folder", "a file name")
    if os.path.basename(place.target) in ("", os.curdir, os.pardir):
        raise _refusal(path, "it names a folder", "a file name")
    if place.descriptor is not None:
        _require_open_for_writing(path, place.descriptor)
    elif place.found is not None and stat.S_ISSOCK(place.found.st_mode):
        raise _refusal(path, "it is a socket", "a plain file, a device or a pipe")
    elif place.found is not None and not os.access(place.target, os.W_OK):
        raise _refusal(path, "no permission to write it", "a file that may be written")
    if not place.through:
        with _refusing(path):
            _require_room_beside(place.target)
    return place


def _require_open_for_writing(path: PathName, descriptor: int) -> None:
    import fcntl

    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise _refusal(path, f"descriptor {descriptor} is open for reading only", "one for writing")


def require_folder(path: PathName) -> None:
    """InputError unless files can be made in the folder `path`."""
    with _refusing(path):
        _require_room_beside(os.path.join(path, os.curdir))


def _require_room_beside(target: str) -> None:
    """Makes a file beside `target`, gone at once: permissions alone do not tell, least of all root's."""
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise OSError(f"{folder} is no folder")
    try:
        with _beside(target):
            pass
    except PermissionError:
        raise OSError(f"no permission to write in {folder}") from None


@contextmanager
def _beside(target: str) -> Iterator[tuple[str, BinaryIO]]:
    """(name, file) of a new file in the folder of `target`, gone afterwards unless it was renamed."""
    # Of the same length for every name, which may be as long as a name can be.
    name = os.path.join(os.path.dirname(target), f".dorefa-{secrets.token_hex(8)}.part")
    unfinished.add(Path(name))
    try:
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            yield name, file
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
        unfinished.discard(Path(name))


def write_file(path: PathName, content: bytes) -> None:
    """Writes `content` as the whole of `path`, as :func:`write_files` does."""
    write_files({path: content})


def write_files(contents: Mapping[PathName, bytes], *, gone: Iterable[PathName] = ()) -> None:
    """Writes files, {name: content}: each is whole or as it was before.

    A plain file is written beside its name and takes it then; files take their names in the order of
    `contents`, once all are written. A symbolic link is followed, and stays. A file that was there keeps its
    permissions, and its owner where that is allowed; the mode of a new one is the umask's. Other hard links
    to a file that was there keep what it held. Devices, pipes and open descriptors (/dev/stdout, the shell's
    >(...)) are written through, before any plain file takes its name. The files `gone` are removed just
    before the last name is taken. InputError where something cannot be written.
    """
    with ExitStack() as stack:
        through, renames = [], []
        for path, content in contents.items():
            place = require_writable(path)
            if place.through:
                through.append((path, place, content))
                continue
            with _refusing(path):
                name, file = stack.enter_context(_beside(place.target))
                # First: what was private must not be open to others for a while.
                _keep_permissions(file.fileno(), place.found)
                file.write(content)
                file.close()
                renames.append((path, name, place.target))
        for path, place, content in through:
            with _refusing(path), open(_open_through(place), "wb") as file:
                file.write(content)
        for path, name, target in renames[:-1]:
            with _refusing(path):
                os.replace(name, target)
        for path in gone:
            with _refusing(path), suppress(FileNotFoundError):
                os.unlink(path)
        for path, name, target in renames[-1:]:
            with _refusing(path):
                os.replace(name, target)


def _keep_permissions(descriptor: int, found: os.stat_result | None) -> None:
    if found is None:
        return
    with suppress(OSError):  # a user cannot give files away
        os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, found.st_mode & 0o777)


def _open_through(place: Place) -> int:
    """A descriptor that ends what is written to it in `place`."""
    if place.descriptor is not None:
        return os.dup(place.descriptor)
    plain = place.found is not None and stat.S_ISREG(place.found.st_mode)
    return os.open(place.target, os.O_WRONLY | os.O_NOCTTY | (os.O_APPEND if plain else 0))


@contextmanager
def _refusing(path: PathName) -> Iterator[None]:
    """Turns errors of the system into InputErrors that name `path`."""
    try:
        yield
    except OSError as error:
        raise _refusal(path, error.strerror or str(error), "a file in a writable folder with room") from None


def _refusal(path: PathName, reason: str, accepted: str) -> InputError:
    return InputError(f"{os.fsdecode(path)}: cannot be written: {reason}; accepted: {accepted}")
