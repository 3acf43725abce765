"""From chains of steps to integer layers: thresholds, stored codes, weights in planes."""

from dataclasses import replace
from enum import Enum
from fractions import Fraction

import numpy as np

from ..lowering.fold import fold, read_only
from ..lowering.integer_network import IntegerLayer
from ..lowering.staircase import Chain, are_affine, composed, direction, split
from ..lowering.steps import Affine, Round, is_even_rounding
from ..network.layer import MAX_BITS, MAX_CODE_BITS
from ..network.parts import Pool
from ..network.results import Term
from .file.graph import Node
from .values.draft import Codes, Draft, Shape, rescale_of
from .values.grid import fits, on_grid, reachable
from .values.pair_sum import PairSum, settled
from .values.quantizers import bits_of
from .values.tensors import Blocks, Sums
from .values.unit_layers import chosen, identity

# Of all channels of a layer: 128 MiB.
_MOST_THRESHOLDS = 1 << 24


class CodeZero(Enum):
    """What the code 0 stands for: the real value 0 (or a zero point), if that takes no more bits than results
    have or a code of 8; the real value 0, in as many bits as that takes; or the least result."""

    IN_WIDTH, REAL, LEAST = range(3)


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

    def codes(
        self,
        node: Node,
        tensor: Codes | Sums,
        zero: CodeZero = CodeZero.IN_WIDTH,
        block: tuple[int, int] = (1, 1),
    ) -> Codes:
        """`tensor` as stored codes, with `zero` as code 0 and its channels as the pixels of a `block`; adds
        the layer that stores them."""
        if isinstance(tensor, Codes):
            moved = zero is CodeZero.REAL and any(tensor.offset) or zero is CodeZero.LEAST and tensor.low < 0
            if not moved and block == (1, 1):
                return tensor
            return self._again(node, tensor, zero, block)
        if block != (1, 1) and (tensor.draft.groups > 1 or tensor.draft.rounding is not None):
            # Their layers have one channel group and no trunk.
            return self._again(node, self.codes(node, tensor, zero), zero, block)
        parts = split(tensor.steps)
        if parts is not None:
            tensor, parts = reachable(tensor, parts)
        if isinstance(tensor.steps[0], PairSum):
            tensor = settled(node, tensor)
            parts = split(tensor.steps)
        if parts is not None:
            rest = parts.rest
            if are_affine(rest):
                return self._store(node, tensor, parts.chain, composed(rest, tensor.shape[2]), zero, block)
        return self._store(node, tensor, *on_grid(node, tensor, parts), zero, block)

    def _again(self, node: Node, codes: Codes, zero: CodeZero, block: tuple[int, int]) -> Codes:
        """Codes stored again, with `zero` as code 0 and as the pixels of a `block`."""
        channels = codes.shape[2]
        counts = Affine([Fraction(1)] * channels, [Fraction(0)] * channels)
        chain = (counts, Round("ROUND", codes.low, codes.high))
        if block == (1, 1):
            sums = identity(node.name, codes, node.position)
        else:
            sums = chosen(node, codes, range(channels))
        return self._store(node, replace(sums, steps=chain), chain, codes.affine, zero, block)

    def _store(
        self,
        node: Node,
        tensor: Sums,
        chain: Chain,
        affine: Affine,
        code_zero: CodeZero,
        block: tuple[int, int],
    ) -> Codes:
        """Adds the layer whose codes are the results of a chain; `affine` makes `tensor` of these."""
        levels = bits_of(0, chain[-1].high - chain[-1].low)
        most = MAX_CODE_BITS if code_zero is CodeZero.REAL else max(levels, MAX_BITS)
        if tensor.pool is not None and tensor.pool.kind == "max":
            if tensor.pooled < len(chain):
                tensor, chain = self._growing(node, tensor, chain)
            else:
                chain, affine = _risen(tensor, chain, affine)
        final = chain[-1]
        scale, offset = affine.slope, affine.offset
        # Codes are d * result - z, so that the real value 0, or a zero point, is the code 0 if possible.
        zero = tensor.zero
        ratios = {(o - zero) / s if s else None for s, o in zip(scale, offset, strict=True)}
        ratio = ratios.pop() if len(ratios) == 1 else None
        step, least = 1, final.low
        counted = code_zero is CodeZero.LEAST or bits_of(final.low, final.high) > most
        if (
            code_zero is not CodeZero.LEAST
            and ratio is not None
            and fits(ratio.denominator, ratio, final, most)
        ):
            step = ratio.denominator
            least = step * final.low + ratio.numerator
            scale, offset = [s / step for s in scale], [Fraction(zero)] * len(scale)
        elif counted:
            # Counted from the least result on, they take the fewest bits.
            offset, least = [o + s * least for s, o in zip(scale, offset, strict=True)], 0
        high = least + step * (final.high - final.low)
        if tensor.pool is not None and tensor.pool.kind == "average_codes":
            high, scale = high * tensor.pool.area, [s / tensor.pool.area for s in scale]
        signed = least < 0
        bits = bits_of(least, high)
        if bits > most or final.high - final.low >= 1 << MAX_CODE_BITS:
            node.refuse(
                f"reads integers {least}..{high}, {bits} bits, of {tensor.draft.name}",
                f"at most {1 << MAX_CODE_BITS} levels, and {most} bits",
            )
        if len(scale) * (final.high - final.low) > _MOST_THRESHOLDS:
            node.refuse(
                f"reads {final.high - final.low + 1} levels of {len(scale)} channels of {tensor.draft.name}",
                f"at most {_MOST_THRESHOLDS} thresholds in all channels: fewer bits, or channels",
            )
        index = self._add(tensor.draft, chain, tensor.pool, tensor.shape, bits, step, least)
        if block == (1, 1):
            return Codes(index, scale, offset, least, high, bits, signed, tensor.shape, tensor.dims)
        shape = Blocks(tensor, block).shape
        self.layers[index] = replace(self.layers[index], block=block, out_shape=shape)
        scale, offset = (_of_pixels(node, numbers, shape[2]) for numbers in (scale, offset))
        return Codes(index, scale, offset, least, high, bits, signed, shape, tensor.dims)

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

    def result(self, node: Node, tensor: Codes | Sums) -> tuple[Term, ...]:
        """The Terms that `tensor`, a result, is the sum of: accumulators of new layers."""
        if isinstance(tensor, Codes) or split(tensor.steps) is not None:
            tensor = identity(node.name, self.codes(node, tensor), node.position)
        affine = tensor.linear
        chain = [tensor.draft, *tensor.draft.added()]
        if affine is None or any(draft.rounding is not None and draft.rounding.f for draft in chain):
            node.refuse(
                "the scores are pooled, clipped, bent or rounded after the last layer",
                "scores that are only scaled, shifted and added, or a quantizer after it",
            )
        ones, zeros = [1] * tensor.shape[2], [0] * tensor.shape[2]
        terms, offset = [], affine.offset
        for draft in chain:
            m, b, *_ = draft.rounding or (ones, zeros)
            offset = [o + s * c for o, s, c in zip(offset, affine.slope, b, strict=True)]
        for draft in chain:
            m, *_ = draft.rounding or (ones, zeros)
            own = replace(draft, rounding=None, add=None)
            index = self._add(own, None, None, tensor.shape, None)
            self.layers[index] = replace(
                self.layers[index],
                logit_scale=np.array([float(s * c) for s, c in zip(affine.slope, m, strict=True)]),
                logit_bias=np.array([float(o) for o in offset]),
            )
            terms.append(Term(index, None if m == ones else tuple(m)))
            offset = [Fraction(0)] * len(zeros)
        return tuple(terms)

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
            rescale = rescale_of(draft.rounding, trunk)
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


def _of_pixels(node: Node, numbers: list[Fraction], channels: int) -> list[Fraction]:
    """Scales or offsets of a block's pixels, one behind the other, as those of `channels`."""
    own = numbers[:channels]
    if numbers != own * (len(numbers) // channels):
        node.refuse("reads pixels whose scale differs within a block", "one scale for all of a channel")
    return own


def _risen(tensor: Sums, chain: Chain, affine: Affine) -> tuple[Chain, Affine]:
    """(chain, affine) whose results rise with what max pooling compares, the values behind `chain`.

    Where these fall with the results, results are counted from the other end.
    """
    falls = [direction(tensor.steps[len(chain) : tensor.pooled], c) < 0 for c in range(tensor.shape[2])]
    if not any(falls):
        return chain, affine
    final = chain[-1]
    turn = Affine(
        [Fraction(-1 if fall else 1) for fall in falls],
        [Fraction(final.low + final.high if fall else 0) for fall in falls],
    )
    # The turn undoes itself.
    return (*chain, turn, Round("ROUND", final.low, final.high)), turn.then(affine)


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
