"""Comparison with golden, element by element."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

MAX_MISMATCHES = 20


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One element that differs. `plane` is the lowest bit plane that is wrong.

    For a result, whose values are accumulators, `plane` is the lowest wrong bit, of one pixel y and x are
    0 and `channel` is the class. A trunk's layer is LAYER.trunk where the layer has codes too. A `got`
    of -1 is a code with an undefined bit.
    """

    layer: str
    image: int
    y: int
    x: int
    channel: int
    plane: int
    expected: int
    got: int

    def as_dict(self) -> dict:
        """For the report."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"layer {self.layer}, image {self.image}, y {self.y}, x {self.x}, "
            f"channel {self.channel}, plane {self.plane}: expected {self.expected}, got {self.got}"
        )


class Comparison:
    """Counts mismatches of images, layer by layer, and keeps the first :data:`MAX_MISMATCHES`."""

    def __init__(self) -> None:
        self.count = 0
        self.mismatches: list[Mismatch] = []

    def add(self, layer: str, image: int, expected: np.ndarray, got: np.ndarray) -> None:
        """Compares one layer's values of one image, both (H, W, C) or (classes,)."""
        expected, got = (np.asarray(values, np.int64) for values in (expected, got))
        if expected.ndim == 1:
            expected, got = expected[None, None], got.reshape(1, 1, -1)
        wrong = np.argwhere(expected != got)
        self.count += len(wrong)
        for y, x, channel in wrong[: MAX_MISMATCHES - len(self.mismatches)].tolist():
            want, have = int(expected[y, x, channel]), int(got[y, x, channel])
            difference = want ^ have
            self.mismatches.append(
                Mismatch(
                    layer=layer,
                    image=image,
                    y=y,
                    x=x,
                    channel=channel,
                    plane=(difference & -difference).bit_length() - 1,
                    expected=want,
                    got=have,
                )
            )
