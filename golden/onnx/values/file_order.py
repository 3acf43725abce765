"""Layers in the order of their nodes in the file."""

from dataclasses import replace
from heapq import heapify, heappop, heappush

from ...lowering.integer_network import IntegerLayer


def in_file_order(
    layers: list[IntegerLayer], positions: list[int]
) -> tuple[tuple[IntegerLayer, ...], dict[int, int]]:
    """(layers, where each went): in the order of their nodes in the file, as far as each comes after
    those that it reads and adds. The image, -1, stays."""
    before = [{i for i in (layer.source, layer.add) if i is not None and i >= 0} for layer in layers]
    behind: dict[int, list[int]] = {}
    for index, earlier in enumerate(before):
        for other in earlier:
            behind.setdefault(other, []).append(index)
    ready = [(positions[index], index) for index, earlier in enumerate(before) if not earlier]
    heapify(ready)
    order: list[int] = []
    while ready:
        _, done = heappop(ready)
        order.append(done)
        for index in behind.get(done, ()):
            before[index].remove(done)
            if not before[index]:
                heappush(ready, (positions[index], index))
    places = {old: new for new, old in enumerate(order)} | {-1: -1}
    moved = []
    for layer in (layers[i] for i in order):
        add = None if layer.add is None else places[layer.add]
        moved.append(replace(layer, source=places[layer.source], add=add))
    return tuple(moved), places
