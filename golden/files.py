"""Files that are whole or absent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError
from .leftovers import unfinished


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields the Path of a temporary file that takes the name `path` when the block ends well.

    After an exception `path` is as before and nothing else is left. InputError if the file cannot
    be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.add(temporary)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
            unfinished.discard(temporary)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); accepted: a file in a writable folder"
        ) from None
