"""What a data set is, and what a kind of files that hold one is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..reading import reason

# Height, width, channels.
Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A half of a data set: images uint8 (N, height, width, channels), labels integers (N,).

    images_file, labels_file: where they come from, for messages.
    """

    images: np.ndarray
    labels: np.ndarray
    images_file: Path
    labels_file: Path


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of files that hold a data set.

    name: as messages say it; parts: of each file (or folder) that is needed, the names it may have; others:
    what messages say of the names behind each part's first one; load: from the paths of all parts to the
    halves for training and test, InputError of one line that names the file for whatever else is in them.
    """

    name: str
    parts: tuple[tuple[str, ...], ...]
    load: Callable[[list[Path]], tuple[Split, Split]]
    others: str = ""

    def found(self, folder: Path) -> list[Path | None]:
        """The path of each part in `folder`, None where it is missing."""
        return [
            next((folder / name for name in names if (folder / name).exists()), None) for names in self.parts
        ]

    def __str__(self) -> str:
        """The kind and its files, for messages."""
        return f"{self.name} ({', '.join(names[0] for names in self.parts)}{self.others})"


def entries(folder: Path, accepted: str) -> list[Path]:
    """What is in `folder`, sorted by name, but for names that begin with a dot."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({reason(error)}); accepted: {accepted}") from None
