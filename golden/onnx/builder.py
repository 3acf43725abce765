"""From chains of steps to integer layers: thresholds, stored codes, weights in planes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..lowering.integer_network import IntegerLayer
from ..lowering.staircase import Affine, Round, apply, direction, is_integer_step, thresholds
from ..network.network import MAX_BITS
from ..network.parts import Rescale
from .draft import identity
from .quantizers import bits_of
from .tensors import Codes
from .weights import encode

_LEVELS = (1 << MAX_BITS) - 1


class Builder:
    """Collects the integer layers of a network in topological order."""

    def __init__(self):
        self.layers = []
        # Place in the file of the node that each layer stands for.
        self.positions = []
        # Positions of the layers whose trunks exist already.
        self.trunks = {}

    def codes(self, node, tensor):
        """`tensor` (Codes or Sums) as stored codes; adds the layer that stores them."""
        if isinstance(tensor, Codes):
            return tensor
        last = max((i for i, step in enumerate(tensor.steps) if is_integer_step(step)), default=None)
        if last is not None:
            tensor = _reachable(tensor, last)
            rest = tensor.steps[last + 1 :]
            if all(isinstance(step, Affine) for step in rest):
                return self._store(node, tensor, last)
        return self._store(node, *_on_grid(node, tensor, last))

    def _store(self, node, tensor, last):
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
        if ratio is not None and _fits(ratio.denominator, ratio, final):
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
        index = self._add(node, draft, chain, tensor.pool, tensor.shape, bits, step, least)
        return Codes(index, scale, offset, least, high, bits, signed, tensor.shape, tensor.dims)

    def _growing(self, node, tensor, last):
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
        index = self._add(node, tensor.draft, steps, tensor.pool, tensor.shape, bits_of(0, levels), 1, 0)
        codes = Codes(index, turn, ends, 0, levels, bits_of(0, levels), False, tensor.shape, tensor.dims)
        turned = identity(f"{tensor.draft.name}.turn", codes, node.position)
        final = Round("ROUND", final.low, final.high)
        return turned.extended(final, *tensor.steps[last + 1 :]), 1

    def _trunk(self, node, draft):
        """Position of a layer with the trunk of `draft`; adds one that yields nothing else."""
        if draft not in self.trunks:
            self._add(node, draft, None, None, draft.conv_shape, None, 1, 0)
        index = self.trunks[draft]
        self.layers[index] = replace(self.layers[index], trunk=True)
        return index

    def scores(self, node, tensor):
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
        index = self._add(node, tensor.draft, None, None, tensor.shape, None, 1, 0)
        scale = offset = None
        for step in tensor.steps:
            scale, offset = step.slope, step.offset
        self.layers[index] = replace(
            self.layers[index],
            logit_scale=np.array([float(s) for s in scale]),
            logit_bias=np.array([float(o) for o in offset]),
        )

    def _add(self, node, draft, chain, pool, out_shape, out_bits, code_step, code_offset):
        """Adds the IntegerLayer of a draft; chain: its steps up to integers, None without codes."""
        values, sums, ranges = draft.values, draft.sum_ranges(), draft.value_ranges()
        window = pool.area if pool is not None and pool.kind == "average" else 1
        low, high = window * min(a for a, _ in ranges), window * max(b for _, b in ranges)
        inverted = np.zeros(len(values), bool)
        rows = None
        if chain is not None:
            # Bounds that hold the thresholds of a channel that is turned round as well.
            reach = max(-low, high)
            found = [thresholds(chain, channel, -reach, reach) for channel in range(len(values))]
            falling = np.array([f for f, _ in found])
            rows = [row for _, row in found]
            if draft.encoding == "bipolar" and draft.m is None:
                # Bipolar weights have their opposite: the channel grows with it.
                values = np.where(falling[:, None, None, None], -values, values)
                rows = [[1 - t for t in reversed(row)] if f else row for f, row in found]
                ends = [(-b, -a) if f else (a, b) for f, (a, b) in zip(falling, sums, strict=True)]
                sums = ends
                low, high = (window * min(a for a, _ in ends), window * max(b for _, b in ends))
            else:
                inverted = falling
            rows = [[min(max(t, low), high + 1) for t in row] for row in rows]
            rows = _whole_levels(rows, inverted, low, high)
        slope, offset = _affine_map(chain, falling & ~inverted) if chain else (None, None)
        rescale = None
        if draft.m is not None:
            rescale = _rescale(draft, ranges)
        add = None if draft.add is None else self._trunk(node, draft.add)
        layer = IntegerLayer(
            name=self._free_name(draft.name),
            kind=draft.kind,
            codes=_frozen(encode(values, draft.w_bits, draft.encoding)),
            w_bits=draft.w_bits,
            encoding=draft.encoding,
            stride=draft.stride,
            padding=draft.padding,
            groups=draft.groups,
            dilation=draft.dilation,
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
            code_bits=None if rows is None else rows.shape[1].bit_length(),
            out_bits=out_bits,
            acc_min=min(a for a, _ in sums),
            acc_max=max(b for _, b in sums),
            value_min=low,
            value_max=high,
            thresholds=rows,
            inverted=_frozen(inverted),
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

    def _free_name(self, name):
        taken = {layer.name for layer in self.layers}
        candidates = [name, *(f"{name}.{number}" for number in range(1, len(taken) + 2))]
        return next(candidate for candidate in candidates if candidate not in taken)


def in_file_order(layers, positions):
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


def _affine_map(chain, turned):
    """(slope, offset) of the IntegerLayer where the chain is one affine map and rounding to 0..n.

    turned: bool (Cout,), channels whose weights took the opposite sign.
    """
    *steps, last = chain
    levels = last.high - last.low
    if (
        not all(isinstance(step, Affine) for step in steps)
        or not isinstance(last, Round)
        or last.mode not in ("ROUND", "HALF_EVEN")
        or last.low
        or levels & (levels + 1)
    ):
        return None, None
    slope, offset = [Fraction(1)] * len(turned), [Fraction(0)] * len(turned)
    for step in steps:
        slope = [a * b for a, b in zip(slope, step.slope, strict=True)]
        offset = [a * b + c for a, b, c in zip(offset, step.slope, step.offset, strict=True)]
    return [-s if turn else s for s, turn in zip(slope, turned.tolist(), strict=True)], offset


def _value_range(tensor):
    """Least and greatest integer that the steps of `tensor` start from."""
    ranges = tensor.draft.value_ranges()
    window = tensor.pool.area if tensor.pool is not None and tensor.pool.kind == "average" else 1
    return window * min(low for low, _ in ranges), window * max(high for _, high in ranges)


def _reachable(tensor, last):
    """`tensor`, the results of its step `last` bounded to the reachable ones if no width is declared."""
    final = tensor.steps[last]
    if final.high - final.low <= _LEVELS:
        return tensor
    chain = tensor.steps[: last + 1]
    ends = [
        apply(chain, channel, Fraction(end))
        for channel in range(tensor.shape[2])
        for end in _value_range(tensor)
    ]
    bounded = replace(final, low=min(ends), high=max(ends))
    return replace(tensor, steps=(*tensor.steps[:last], bounded, *tensor.steps[last + 1 :]))


def _fits(step, ratio, final):
    least = step * final.low + ratio.numerator
    return bits_of(least, least + step * (final.high - final.low)) <= MAX_BITS


def _on_grid(node, tensor, last):
    """(Sums, position) whose integer step gives the real values exactly, scaled by their grid."""
    if last is None:
        low, high = _value_range(tensor)
        rest = tensor.steps
    else:
        low, high = tensor.steps[last].low, tensor.steps[last].high
        rest = tensor.steps[last + 1 :]
    if high - low > _LEVELS:
        kind = "not quantized" if tensor.draft.m is None else "a trunk"
        node.refuse(
            f"reads the values of {tensor.draft.name}, which are {kind}", "a Quant node in front of it"
        )
    reals = [
        apply(rest, channel, Fraction(value))
        for channel in range(tensor.shape[2])
        for value in range(low, high + 1)
    ]
    unit = _gcd(reals)
    least, greatest = min(reals) / unit, max(reals) / unit
    if greatest - least > _LEVELS:
        node.refuse(
            f"reads values of {tensor.draft.name} on no grid of {MAX_BITS} bits",
            "a Quant node in front of it",
        )
    channels = tensor.shape[2]
    zeros = [Fraction(0)] * channels
    tensor = tensor.extended(Affine([1 / unit] * channels, zeros), Round("ROUND", int(least), int(greatest)))
    position = len(tensor.steps) - 1
    return tensor.extended(Affine([unit] * channels, zeros)), position


def _gcd(fractions):
    """Greatest Fraction that all are multiples of; 1 if all are 0."""
    common = int(np.lcm.reduce([f.denominator for f in fractions], dtype=object))
    divisor = int(np.gcd.reduce([int(f * common) for f in fractions], dtype=object))
    return Fraction(divisor, common) if divisor else Fraction(1)


def _whole_levels(rows, inverted, low, high):
    """int64 (Cout, 2^bits - 1): thresholds that no count needs never (inverted: always) hold."""
    levels = len(rows[0])
    missing = (1 << levels.bit_length()) - 1 - levels
    whole = [
        [low] * missing + row if inverse else row + [high + 1] * missing
        for row, inverse in zip(rows, inverted, strict=True)
    ]
    return _frozen(np.array(whole, np.int64))


def _rescale(draft, ranges):
    """The Rescale of a trunk; its unit, one per channel, is in the thresholds."""
    return Rescale(
        m=np.array(draft.m, np.int64),
        b=np.array(draft.b, np.int64),
        f=draft.f,
        scale=np.float32(1),
        bits=max(trunk_bits(ranges), draft.bits),
    )


def trunk_bits(ranges):
    """Signed bits that hold the integers in ranges of (least, greatest)."""
    return max(bits_of(min(low, -1), high) for low, high in ranges)


def _frozen(array):
    array.setflags(write=False)
    return array
