"""Layers of weights 0 and 1, which hand on what they read."""

from collections.abc import Sequence

import numpy as np

from ...lowering.steps import Affine
from ...network.encoding import Encoding
from ..file.graph import MAX_MADE, Node
from .draft import Codes, Draft
from .tensors import Sums


def identity(name: str, codes: Codes, position: int) -> Sums:
    """Sums that are the real values of `codes`: a depthwise layer of weights 1."""
    channels = codes.shape[2]
    draft = Draft(
        name=name,
        kind="conv",
        values=np.ones((channels, 1, 1, 1), np.int64),
        w_bits=1,
        encoding=Encoding.BIPOLAR,
        inputs=codes,
        in_shape=codes.shape,
        conv_shape=codes.shape,
        groups=channels,
        position=position,
    )
    return Sums(draft, (codes.affine,), codes.shape, codes.dims)


def chosen(node: Node, codes: Codes, places: Sequence[int]) -> Sums:
    """Sums that are the real values of these channels of `codes`: a layer of weights 0 and 1 for a node."""
    if len(places) * codes.shape[2] > MAX_MADE:
        node.refuse(
            f"takes {len(places)} channels of {codes.shape[2]}", f"at most {MAX_MADE} weights of 0 and 1"
        )
    values = np.zeros((len(places), 1, 1, codes.shape[2]), np.int64)
    values[range(len(places)), 0, 0, list(places)] = 1
    shape = (*codes.shape[:2], len(places))
    draft = Draft(
        name=node.name,
        kind="conv",
        values=values,
        w_bits=1,
        encoding=Encoding.UNSIGNED,
        inputs=codes,
        in_shape=codes.shape,
        conv_shape=shape,
        position=node.position,
    )
    scale, offset = ([numbers[place] for place in places] for numbers in (codes.scale, codes.offset))
    return Sums(draft, (Affine(scale, offset),), shape, codes.dims)
