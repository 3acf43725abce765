"""From chains of steps to integer layers: thresholds, stored codes, weights in planes."""

from dataclasses import replace
from fractions import Fraction
from heapq import heapify, heappop, heappush

import numpy as np

from ..lowering.fold import Range, fold, read_only
from ..lowering.integer_network import IntegerLayer
from ..lowering.staircase import Chain, are_affine, composed, direction, split
from ..lowering.steps import Affine, Round, is_even_rounding
from ..network.layer import MAX_BITS
from ..network.parts import Pool, Rescale
from .draft import Codes, Draft, Rounding, Shape
from .file.graph import Node
from .grid import fits, on_grid, reachable
from .quantizers import bits_of
from .tensors import Sums, identity


class Builder:
    """Collects the integer layers of a network in topological order."""

    def __init__(self) -> None:
        self.layers: list[IntegerLayer] = []
        # Place in the file of the node that each layer stands for.
        self.positions: list[int] = []
        # Names of the layers, and how often a name was asked for again.
        self._names: set[str] = set()
        self._used: dict[str, int] = {}
        # Positions of the layers whose trunks exist already.
        self.trunks: dict[Draft, int] = {}

    def codes(self, node: Node, tensor: Codes | Sums) -> Codes:
        """`tensor` (Codes or Sums) as stored codes; adds the layer that stores them."""
        if isinstance(tensor, Codes):
            return tensor
        parts = split(tensor.steps)
        if parts is not None:
            tensor, parts = reachable(tensor, parts)
            rest = parts.rest
            if are_affine(rest):
                return self._store(node, tensor, parts.chain, composed(rest, tensor.shape[2]))
        return self._store(node, tensor, *on_grid(node, tensor, parts))

    def _store(self, node: Node, tensor: Sums, chain: Chain, affine: Affine) -> Codes:
        """Adds the layer whose codes are the results of a chain; `affine` makes `tensor` of these."""
        if tensor.pool is not None and tensor.pool.kind == "max":
            tensor, chain = self._growing(node, tensor, chain)
        final = chain[-1]
        scale, offset = affine.slope, affine.offset
        # Codes are d * result - z, so that the real value 0 is the code 0 where that is possible.
        ratios = {o / s if s else None for s, o in zip(scale, offset, strict=True)}
        ratio = ratios.pop() if len(ratios) == 1 else None
        step, least = 1, final.low
        if ratio is not None and fits(ratio.denominator, ratio, final):
            step = ratio.denominator
            least = step * final.low + ratio.numerator
            scale, offset = [s / step for s in scale], [Fraction(0)] * len(scale)
        high = least + step * (final.high - final.low)
        if tensor.pool is not None and tensor.pool.kind == "average_codes":
            high, scale = high * tensor.pool.area, [s / tensor.pool.area for s in scale]
        signed = least < 0
        bits = bits_of(least, high)
        if bits > MAX_BITS:
            node.refuse(
                f"reads integers {least}..{high}, {bits} bits, of {tensor.draft.name}",
                f"at most {MAX_BITS} bits",
            )
        index = self._add(tensor.draft, chain, tensor.pool, tensor.shape, bits, step, least)
        return Codes(index, scale, offset, least, high, bits, signed, tensor.shape, tensor.dims)

    def _growing(self, node: Node, tensor: Sums, chain: Chain) -> tuple[Sums, Chain]:
        """(tensor, chain) so that max pooling, which takes counts, gives what the chain gives.

        Where a channel falls with the maximum, a layer stores results counted from the other end
        and a depthwise one turns them round.
        """
        falls = [direction(chain[tensor.pooled :], c) < 0 for c in range(tensor.shape[2])]
        if not any(falls):
            return tensor, chain
        final = chain[-1]
        levels = final.high - final.low
        turn = [Fraction(-1 if fall else 1) for fall in falls]
        ends = [Fraction(final.high if fall else final.low) for fall in falls]
        steps = (
            *chain,
            Affine(turn, [-sign * end for sign, end in zip(turn, ends, strict=True)]),
            Round("ROUND", 0, levels),
        )
        index = self._add(tensor.draft, steps, tensor.pool, tensor.shape, bits_of(0, levels))
        codes = Codes(index, turn, ends, 0, levels, bits_of(0, levels), False, tensor.shape, tensor.dims)
        turned = identity(f"{tensor.draft.name}.turn", codes, node.position)
        return turned, (*turned.steps, Round("ROUND", final.low, final.high))

    def _trunk(self, draft: Draft) -> int:
        """Position of a layer with the trunk of `draft`; adds one that yields nothing else, and those that it
        adds."""
        if draft not in self.trunks:
            for missing in reversed([draft, *draft.added(self.trunks.__contains__)]):
                self._add(missing, None, None, missing.conv_shape, None)
        index = self.trunks[draft]
        self.layers[index] = replace(self.layers[index], trunk=True)
        return index

    def scores(self, node: Node, tensor: Codes | Sums) -> None:
        """Adds `tensor` as the last layer, whose accumulators are the result."""
        if tensor.shape[:2] != (1, 1):
            height, width, _ = tensor.shape
            node.refuse(f"the result has {height}x{width} pixels", "1x1, one score per class")
        if isinstance(tensor, Codes) or split(tensor.steps) is not None:
            tensor = identity(node.name, self.codes(node, tensor), node.position)
        affine = tensor.linear
        if affine is None or tensor.draft.rounding is not None:
            node.refuse(
                "the scores are pooled, added, clipped or bent after the last layer",
                "scores that are only scaled and shifted, or a quantizer after it",
            )
        index = self._add(tensor.draft, None, None, tensor.shape, None)
        self.layers[index] = replace(
            self.layers[index],
            logit_scale=np.array([float(s) for s in affine.slope]),
            logit_bias=np.array([float(o) for o in affine.offset]),
        )

    def _add(
        self,
        draft: Draft,
        chain: Chain | None,
        pool: Pool | None,
        out_shape: Shape,
        out_bits: int | None,
        code_step: int = 1,
        code_offset: int = 0,
    ) -> int:
        """Position of a new IntegerLayer of a draft; chain: its steps up to integers, None without codes."""
        trunk = rescale = None
        if draft.rounding is not None:
            trunk = draft.value_ranges()
            rescale = _rescale(draft.rounding, trunk)
        folded = fold(chain, draft.encoding, draft.sum_ranges(), trunk, pool)
        values = np.where(folded.negated[:, None, None, None], -draft.values, draft.values)
        slope, offset = _affine_map(chain, folded.negated)
        # Layers of drafts that this one adds come before it.
        add = None if draft.add is None else self._trunk(draft.add)
        layer = IntegerLayer(
            name=self._free_name(draft.name),
            kind=draft.kind,
            codes=read_only(draft.encoding.codes(values, draft.w_bits)),
            w_bits=draft.w_bits,
            encoding=draft.encoding,
            **draft.spacing,
            pool=pool,
            in_shape=draft.in_shape,
            conv_shape=draft.conv_shape,
            out_shape=out_shape,
            source=draft.inputs.source,
            a_bits=draft.inputs.bits,
            levels=max(draft.inputs.high, -draft.inputs.low),
            rescale=rescale,
            add=add,
            trunk=False,
            out_bits=out_bits,
            **folded.fields(),
            slope=slope,
            offset=offset,
            logit_scale=None,
            logit_bias=None,
            a_signed=draft.inputs.signed,
            code_step=code_step,
            code_offset=code_offset,
        )
        self.layers.append(layer)
        self.positions.append(draft.position)
        if draft.rounding is not None:
            self.trunks[draft] = len(self.layers) - 1
        return len(self.layers) - 1

    def _free_name(self, name: str) -> str:
        """`name`, or with the first number behind it that nobody has."""
        free = name
        while free in self._names:
            self._used[name] = self._used.get(name, 0) + 1
            free = f"{name}.{self._used[name]}"
        self._names.add(free)
        return free


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


def _affine_map(
    chain: Chain | None, negated: np.ndarray
) -> tuple[list[Fraction], list[Fraction]] | tuple[None, None]:
    """(slope, offset) of the IntegerLayer where the chain is one affine map and rounding to 0..n.

    negated: bool (Cout,), channels whose weights took the opposite sign.
    """
    if chain is None:
        return None, None
    steps, last = chain[:-1], chain[-1]
    if not are_affine(steps) or not is_even_rounding(last) or last.low or last.high & (last.high + 1):
        return None, None
    affine = composed(steps, len(negated))
    return [-s if turn else s for s, turn in zip(affine.slope, negated.tolist(), strict=True)], affine.offset


def _rescale(rounding: Rounding, ranges: list[Range]) -> Rescale:
    """The Rescale of a trunk with values in `ranges`; its unit, one per channel, is in the thresholds."""
    return Rescale(
        m=np.array(rounding.m, np.int64),
        b=np.array(rounding.b, np.int64),
        f=rounding.f,
        scale=np.float32(1),
        bits=max(trunk_bits(ranges), rounding.bits),
    )


def trunk_bits(ranges: list[Range]) -> int:
    """Signed bits that hold the integers in ranges of (least, greatest)."""
    return max(bits_of(min(low, -1), high) for low, high in ranges)
