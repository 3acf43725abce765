"""The 1,000 handwritten digits that ship with the package."""

from functools import cache
from pathlib import Path

import numpy as np

_SAMPLE = Path(__file__).parent / "data" / "digits-sample.npz"


@cache
def digits_sample() -> tuple[np.ndarray, np.ndarray]:
    """The first 1,000 MNIST test images, uint8 (1000, 28, 28, 1), and labels, uint8 (1000,).

    They ship with the package; source and licence are in data/README.md. Read-only arrays.
    """
    with np.load(_SAMPLE, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    images.flags.writeable = labels.flags.writeable = False
    return images, labels
