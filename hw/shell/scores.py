"""Which networks boards run: a line carries numbers, and the host has to know of what."""

from __future__ import annotations

from typing import Any

from dorefa.golden.errors import InputError


def check_scores(network: Any) -> None:
    """Raises :class:`InputError` unless the one result of an :class:`IntegerNetwork` is a score per class."""
    if network.score_count and len(network.result_layers) == 1:
        return
    shapes = (network.layers[index].out_shape for index in network.result_layers)
    raise InputError(
        f"{network.name} gives results of {' and '.join('x'.join(map(str, shape)) for shape in shapes)}; "
        "accepted on a board: one score per class"
    )
