"""What results depend on beside their task: dorefa's source and the versions of packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterable

from ..targets.tool import package_folder
from .work import Work, checkout_folders

_ROOMS = ("golden", "hw", "sim", "synth")
# Code, the program around compiled models, and the library that gates are mapped to.
_SUFFIXES = {".py", ".cpp", ".h", ".lib"}


def source_digest(folders: tuple[str, ...] = ()) -> str:
    """Hash of dorefa's own source, as far as results depend on it, and of that in `folders` of the checkout.

    Raises :class:`InputError` for a folder that is missing.
    """
    digest = hashlib.sha256()
    named = {room: package_folder(f"dorefa.{room}") for room in _ROOMS}
    named |= dict(zip(folders, checkout_folders(folders), strict=True))
    for name, folder in named.items():
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES):
            own = f"{name}/{path.relative_to(folder).as_posix()}"
            digest.update(f"{own}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Installed versions of distributions, by name, None for those that are missing."""
    found: dict[str, str | None] = dict.fromkeys(packages)
    for name in found:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def makers(work: Work) -> tuple[dict[str, str | None], str]:
    """All that results of `work` depend on beside task and common data; the same on all machines."""
    return versions(work.packages), source_digest(work.folders)
