"""Data of tensors in files beside an ONNX file: what lies in its folder, and not more than fits."""

import os
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import InputError
from ...reading import MAX_UNPACKED, opened, read_up_to, shown

_ACCEPTED = "a plain file in the folder of the .onnx file"


class ExternalData:
    """Reads for one ONNX file in `folder`, at most MAX_UNPACKED bytes in all."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder, self._left = Path(folder), MAX_UNPACKED

    def read(self, entries: Any, claimed: int, where: str) -> bytearray:
        """The `claimed` bytes that a TensorProto's `external_data` means; InputError begins with `where`."""
        values = self._values(entries, where)
        path = self._path(values["location"], where)
        offset, length = (self._number(values, key, where) for key in ("offset", "length"))
        if length not in (None, claimed):
            raise InputError(f"{where}: length of its external data is {length}; accepted: {claimed}")
        if claimed > self._left:
            raise InputError(
                f"{where}: its external data is {claimed} bytes; "
                f"accepted: at most {MAX_UNPACKED} bytes in all tensors together"
            )
        self._left -= claimed
        try:
            with opened(path, _ACCEPTED, MAX_UNPACKED) as file:
                there = file.seek(0, os.SEEK_END)
                end = (offset or 0) + claimed
                if end > there or (length is None and end < there):
                    raise InputError(f"{path}: has {there} bytes; accepted: {end}")
                file.seek(offset or 0)
                return read_up_to(file, claimed)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None

    def _values(self, entries: Any, where: str) -> dict[str, str]:
        """Key -> value of the entries, each known and there once."""
        values: dict[str, str] = {}
        for entry in entries:
            if entry.key not in ("location", "offset", "length") or entry.key in values:
                raise InputError(
                    f"{where}: external data has the entry {shown(entry.key)}; "
                    "accepted: location, offset and length, each once"
                )
            values[entry.key] = entry.value
        if "location" not in values:
            raise InputError(f"{where}: external data without location; accepted: {_ACCEPTED}")
        return values

    def _path(self, location: str, where: str) -> Path:
        """The file at `location`, which must not leave the folder: not through a link either."""
        parts = PurePosixPath(location).parts
        refused = not parts or "\\" in location or ":" in location or "\0" in location
        if not refused and not PurePosixPath(location).is_absolute() and ".." not in parts:
            path = self._folder.joinpath(*parts)
            if path.resolve().is_relative_to(self._folder.resolve()):
                return path
        raise InputError(f"{where}: its external data is in {shown(location)}; accepted: {_ACCEPTED}")

    def _number(self, values: dict[str, str], key: str, where: str) -> int | None:
        """Offset or length, None where it is not given."""
        text = values.get(key)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise InputError(
                f"{where}: {key} of its external data is {shown(text)}; accepted: an integer, not negative"
            )
        return int(text)
