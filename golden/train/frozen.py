"""From the float trunks of training to those of inference, which are integers.

Training sums real values, inference integers of one unit for all terms of a sum, each of them rounded once.
The unit is the least that keeps every partial sum within 16 bits whatever the input, as lowering demands: the
exact bound of the frozen weights, not what was seen in training. Half a unit per term is what integer
accuracy may lose.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..lowering.fold import accumulator_ranges
from ..network.layer import Layer
from ..network.network import Links
from ..network.rescale import rescale_of
from ..zoo.architecture import LayerSpec

# Greatest magnitude of a trunk; the rest of 16 bits is for roundings.
_LARGEST = 32_000


def rounded_trunks(specs: Sequence[LayerSpec], layers: list[Layer], links: Sequence[Links]) -> list[Layer]:
    """`layers`, which have no `rescale` and no `add` yet, with those that their specs ask for."""
    roots: dict[int, int] = {}
    reached: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    bounds: dict[int, float] = {}
    for index, (spec, layer, link) in enumerate(zip(specs, layers, links, strict=True)):
        if not spec.trunk:
            continue
        low, high = _real_range(layer, link.levels)
        if link.add is not None:
            low, high = low + reached[link.add][0], high + reached[link.add][1]
        root = roots[index] = index if link.add is None else roots[link.add]
        reached[index] = low, high
        bounds[root] = max(bounds.get(root, 0), float(np.abs([low, high]).max()))
    rounded = list(layers)
    for index, root in roots.items():
        # All weights 0: any unit will do.
        unit = bounds[root] / _LARGEST or 1.0
        rescale = rescale_of(layers[index], links[index].levels, unit)
        rounded[index] = replace(layers[index], rescale=rescale, add=specs[index].add)
    return rounded


def _real_range(layer: Layer, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest results of a layer's convolution for any input, float64 (Cout,) each."""
    unit = layer.scale.astype(np.float64) / (levels * layer.encoding.divisor(layer.w_bits))
    low, high = np.array(accumulator_ranges(layer.values, 0, levels), np.float64).T * unit
    bias = 0 if layer.bias is None else layer.bias
    return low + bias, high + bias
