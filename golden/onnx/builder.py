"""From chains of steps to integer layers: thresholds, stored codes, weights in planes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..lowering.fold import Range, fold, read_only
from ..lowering.integer_network import IntegerLayer
from ..lowering.staircase import (
    Affine,
    Round,
    Step,
    direction,
    is_even_rounding,
    is_integer_step,
    last_integers,
)
from ..network.layer import MAX_BITS
from ..network.parts import Pool, Rescale
from .draft import Codes, Draft, Shape
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
        # Positions of the layers whose trunks exist already.
        self.trunks: dict[Draft, int] = {}

    def codes(self, node: Node, tensor: Codes | Sums) -> Codes:
        """`tensor` (Codes or Sums) as stored codes; adds the layer that stores them."""
        if isinstance(tensor, Codes):
            return tensor
        last = last_integers(tensor.steps)
        if last is not None:
            tensor = reachable(tensor, last)
            rest = tensor.steps[last + 1 :]
            if all(isinstance(step, Affine) for step in rest):
                return self._store(node, tensor, last)
        return self._store(node, *on_grid(node, tensor, last))

    def _store(self, node: Node, tensor: Sums, last: int) -> Codes:
        """Adds the layer whose codes are the results of step `last`; only affine steps follow it."""
        if tensor.pool is not None and tensor.pool.kind == "max":
            tensor, last = self._growing(node, tensor, last)
        final, rest = tensor.steps[last], tensor.steps[last + 1 :]
        channels = tensor.shape[2]
        scale, offset = [Fraction(1)] * channels, [Fraction(0)] * channels
        for step in rest:
            scale, offset = step.slope, step.offset
        # Codes are d * result - z, so that the real value 0 is the code 0 where that is possible.
        ratios = {o / s if s else None for s, o in zip(scale, offset, strict=True)}
        ratio = ratios.pop() if len(ratios) == 1 else None
        step, least = 1, final.low
        if ratio is not None and fits(ratio.denominator, ratio, final):
            step = ratio.denominator
            least = step * final.low + ratio.numerator
            scale, offset = [s / step for s in scale], [Fraction(0)] * channels
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
        draft, chain = tensor.draft, tensor.steps[: last + 1]
        index = self._add(draft, chain, tensor.pool, tensor.shape, bits, step, least)
        return Codes(index, scale, offset, least, high, bits, signed, tensor.shape, tensor.dims)

    def _growing(self, node: Node, tensor: Sums, last: int) -> tuple[Sums, int]:
        """(tensor, last) so that max pooling, which takes counts, gives what the steps give.

        Where a channel falls with the maximum, a layer stores results counted from the other end
        and a depthwise one turns them round.
        """
        chain = range(tensor.pooled, last + 1)
        falls = [direction([tensor.steps[i] for i in chain], c) < 0 for c in range(tensor.shape[2])]
        if not any(falls):
            return tensor, last
        final, levels = tensor.steps[last], tensor.steps[last].high - tensor.steps[last].low
        turn = [Fraction(-1 if fall else 1) for fall in falls]
        ends = [Fraction(final.high if fall else final.low) for fall in falls]
        steps = (
            *tensor.steps[: last + 1],
            Affine(turn, [-sign * end for sign, end in zip(turn, ends, strict=True)]),
            Round("ROUND", 0, levels),
        )
        index = self._add(tensor.draft, steps, tensor.pool, tensor.shape, bits_of(0, levels))
        codes = Codes(index, turn, ends, 0, levels, bits_of(0, levels), False, tensor.shape, tensor.dims)
        turned = identity(f"{tensor.draft.name}.turn", codes, node.position)
        final = Round("ROUND", final.low, final.high)
        return turned.extended(final, *tensor.steps[last + 1 :]), 1

    def _trunk(self, draft: Draft) -> int:
        """Position of a layer with the trunk of `draft`; adds one that yields nothing else."""
        if draft not in self.trunks:
            self._add(draft, None, None, draft.conv_shape, None)
        index = self.trunks[draft]
        self.layers[index] = replace(self.layers[index], trunk=True)
        return index

    def scores(self, node: Node, tensor: Codes | Sums) -> None:
        """Adds `tensor` as the last layer, whose accumulators are the result."""
        if tensor.shape[:2] != (1, 1):
            height, width, _ = tensor.shape
            node.refuse(f"the result has {height}x{width} pixels", "1x1, one score per class")
        if isinstance(tensor, Codes) or any(map(is_integer_step, tensor.steps)):
            tensor = identity(node.name, self.codes(node, tensor), node.position)
        if (
            tensor.pool is not None
            or tensor.draft.m is not None
            or not all(isinstance(step, Affine) for step in tensor.steps)
        ):
            node.refuse(
                "the scores are pooled, added, clipped or bent after the last layer",
                "scores that are only scaled and shifted, or a quantizer after it",
            )
        index = self._add(tensor.draft, None, None, tensor.shape, None)
        scale = offset = None
        for step in tensor.steps:
            scale, offset = step.slope, step.offset
        self.layers[index] = replace(
            self.layers[index],
            logit_scale=np.array([float(s) for s in scale]),
            logit_bias=np.array([float(o) for o in offset]),
        )

    def _add(
        self,
        draft: Draft,
        chain: tuple[Step, ...] | None,
        pool: Pool | None,
        out_shape: Shape,
        out_bits: int | None,
        code_step: int = 1,
        code_offset: int = 0,
    ) -> int:
        """Position of a new IntegerLayer of a draft; chain: its steps up to integers, None without codes."""
        trunk = None if draft.m is None else draft.value_ranges()
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
            rescale=None if trunk is None else _rescale(draft, trunk),
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
        if draft.m is not None:
            self.trunks[draft] = len(self.layers) - 1
        return len(self.layers) - 1

    def _free_name(self, name: str) -> str:
        taken = {layer.name for layer in self.layers}
        candidates = [name, *(f"{name}.{number}" for number in range(1, len(taken) + 2))]
        return next(candidate for candidate in candidates if candidate not in taken)


def in_file_order(
    layers: list[IntegerLayer], positions: list[int]
) -> tuple[tuple[IntegerLayer, ...], dict[int | None, int | None]]:
    """(layers, where each went): in the order of their nodes in the file, as far as each comes after
    those that it reads and adds."""
    waiting = set(range(len(layers)))
    order = []
    while waiting:
        ready = [i for i in waiting if not {layers[i].source, layers[i].add} & waiting]
        order.append(min(ready, key=lambda i: (positions[i], i)))
        waiting.remove(order[-1])
    places = {before: after for after, before in enumerate(order)} | {-1: -1, None: None}
    moved = tuple(
        replace(layers[i], source=places[layers[i].source], add=places[layers[i].add]) for i in order
    )
    return moved, places


def _affine_map(
    chain: tuple[Step, ...] | None, negated: np.ndarray
) -> tuple[list[Fraction], list[Fraction]] | tuple[None, None]:
    """(slope, offset) of the IntegerLayer where the chain is one affine map and rounding to 0..n.

    negated: bool (Cout,), channels whose weights took the opposite sign.
    """
    if chain is None:
        return None, None
    *steps, last = chain
    levels = last.high - last.low
    if (
        not all(isinstance(step, Affine) for step in steps)
        or not is_even_rounding(last)
        or last.low
        or levels & (levels + 1)
    ):
        return None, None
    slope, offset = [Fraction(1)] * len(negated), [Fraction(0)] * len(negated)
    for step in steps:
        slope = [a * b for a, b in zip(slope, step.slope, strict=True)]
        offset = [a * b + c for a, b, c in zip(offset, step.slope, step.offset, strict=True)]
    return [-s if turn else s for s, turn in zip(slope, negated.tolist(), strict=True)], offset


def _rescale(draft: Draft, ranges: list[Range]) -> Rescale:
    """The Rescale of a trunk; its unit, one per channel, is in the thresholds."""
    return Rescale(
        m=np.array(draft.m, np.int64),
        b=np.array(draft.b, np.int64),
        f=draft.f,
        scale=np.float32(1),
        bits=max(trunk_bits(ranges), draft.bits),
    )


def trunk_bits(ranges: list[Range]) -> int:
    """Signed bits that hold the integers in ranges of (least, greatest)."""
    return max(bits_of(min(low, -1), high) for low, high in ranges)
