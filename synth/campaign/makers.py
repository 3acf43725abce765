"""What results depend on beside their task: dorefa's source and the versions of packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..targets.tool import package_folder
from .work import Work, checkout_paths

_ROOMS = ("golden", "hw", "sim", "synth")
# Code, the program around compiled models, and the library that gates are mapped to.
_SUFFIXES = {".py", ".cpp", ".h", ".lib"}


def source_digest(sources: tuple[str, ...] = ()) -> str:
    """Hash of dorefa's own source, as far as results depend on it, and of that of `sources`, folders and
    files of the checkout.

    Raises :class:`InputError` for one that is missing.
    """
    named = {room: package_folder(f"dorefa.{room}") for room in _ROOMS}
    named |= dict(zip(sources, checkout_paths(sources), strict=True))
    return digest_of(named)


def digest_of(named: Mapping[str, Path]) -> str:
    """Hash of the source in folders, and of files, by name."""
    digest = hashlib.sha256()
    for name, whole in named.items():
        inside = (path for path in whole.rglob("*") if path.suffix in _SUFFIXES)
        for path in sorted(inside) if whole.is_dir() else [whole]:
            own = f"{name}/{path.relative_to(whole).as_posix()}"
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
    return versions(work.packages), source_digest(work.folders if work.sources is None else work.sources)
