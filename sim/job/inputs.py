"""What a simulation is given, checked before anything is built."""

from __future__ import annotations

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.network.quantized_network import check_images

_MOST_STALLS = 90


def first_images(
    network: IntegerNetwork, images: np.ndarray, labels: np.ndarray | None, limit: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The first `limit` images, all without one, and their labels. InputError for those that do not fit the
    network."""
    if limit is not None:
        if not isinstance(limit, int) or limit < 1:
            raise InputError(f"limit is {limit!r}; accepted: an integer of at least 1")
        images = images[:limit]
    if labels is not None:
        labels = np.asarray(labels)[: len(images)]
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise InputError(
                f"labels has shape {labels.shape} and dtype {labels.dtype}; accepted: one integer "
                f"for each of {len(images)} images"
            )
    check_images(network, images)
    if labels is not None and not network.score_count:
        raise InputError(f"labels are given; accepted without: {network.name} has no one score per class")
    return images, labels


def check_stalls(stalls: int) -> None:
    """Raises :class:`InputError` unless `stalls` is a chance in percent that a simulation can wait with."""
    if not isinstance(stalls, int) or not 0 <= stalls <= _MOST_STALLS:
        raise InputError(f"stalls is {stalls!r}; accepted: an integer, 0 to {_MOST_STALLS} percent")
