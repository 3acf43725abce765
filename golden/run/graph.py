"""Walks the graph of a network: slices of images, layer after layer, results by name."""

from collections.abc import Callable, Sequence, Set

import numpy as np

from ..errors import InputError
from ..lowering.integer_network import IntegerLayer
from ..network.layer import TRUNK, Layer
from ..network.network import Links
from ..network.shapes import LayerShapes

# Bytes for the accumulators of the largest layer, of which a few copies exist at a time.
_BYTES = 1 << 26
_LARGEST_BATCH = 64
# Codes (accumulators of a result) and trunk of a layer, and what computes them.
Computed = tuple[np.ndarray | None, np.ndarray | None]
Compute = Callable[[int, np.ndarray, np.ndarray | None], Computed]


def result_names(layers: Sequence[Layer | IntegerLayer], links: Sequence[Links | IntegerLayer]) -> list[str]:
    """Keys of the results: a layer's name, and with the ending TRUNK for a kept trunk beside codes.

    layers: Layer or IntegerLayer; links: Links or IntegerLayer of the same network.
    """
    names = []
    for layer, link in zip(layers, links, strict=True):
        names.append(layer.name)
        if link.trunk and layer.out_bits is not None:
            names.append(layer.name + TRUNK)
    return names


def result_values(accumulators: np.ndarray) -> np.ndarray:
    """Accumulators (batch, H, W, C) as a result: (batch, C) of one pixel."""
    return accumulators[:, 0, 0] if accumulators.shape[1:3] == (1, 1) else accumulators


def run_graph(
    images: np.ndarray,
    layers: Sequence[Layer | IntegerLayer],
    links: Sequence[Links | IntegerLayer],
    shapes: Sequence[LayerShapes | IntegerLayer],
    compute: Compute,
    outputs: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Dict of results of all images, in the order of `result_names`.

    compute(index, codes, added) gives (result, trunk) of a layer: its codes, or the accumulators of
    a result, or None for one that yields only its trunk; the trunk, or None. `codes` are those it
    reads and `added` the trunk it adds, or None. shapes: something with `conv_shape` per layer.
    outputs: the names to return, None for all; codes and trunks are
    dropped behind the last layer that reads them.
    """
    names = result_names(layers, links)
    known = set(names)
    for name in outputs or ():
        if name not in known:
            raise InputError(f"outputs has {name!r}; accepted: {', '.join(names)}")
    wanted = known if outputs is None else set(outputs)
    per_image = 8 * max(int(np.prod(shape.conv_shape)) for shape in shapes)
    batch = min(_LARGEST_BATCH, max(1, _BYTES // per_image))
    parts = [
        _run_batch(images[start : start + batch], layers, links, compute, wanted)
        for start in range(0, len(images), batch)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _run_batch(
    images: np.ndarray,
    layers: Sequence[Layer | IntegerLayer],
    links: Sequence[Links | IntegerLayer],
    compute: Compute,
    outputs: Set[str],
) -> dict[str, np.ndarray]:
    codes = {-1: images}
    trunks: dict[int, np.ndarray] = {}
    results: dict[str, np.ndarray] = {}
    last_read = {link.source: index for index, link in enumerate(links)}
    last_add = {link.add: index for index, link in enumerate(links)}
    for index, (layer, link) in enumerate(zip(layers, links, strict=True)):
        added = None if link.add is None else trunks[link.add]
        result, trunk = compute(index, codes[link.source], added)
        produced = {layer.name: trunk}
        if result is not None:
            codes[index] = result
            produced = {layer.name: result, layer.name + TRUNK: trunk if link.trunk else None}
        if link.trunk and trunk is not None:
            trunks[index] = trunk
        results |= {name: array for name, array in produced.items() if array is not None and name in outputs}
        if last_read[link.source] == index:
            del codes[link.source]
        if link.add is not None and last_add[link.add] == index:
            del trunks[link.add]
    return results
