"""Drawn operators that make maps larger and smaller, take parts of them and put them side by side."""

import numpy as np

from .constants import constant, integers, number, weight
from .drawing import Unrunnable


def grow(d, tensor):
    """A map with other pixels."""
    if len(d.shape(tensor)) < 3:
        raise Unrunnable("has no pixels")
    kinds = {transposed: 3, _resize: 3, _blocks: 3, _by_axes: 4}
    return d.pick(kinds)(d, tensor)


def transposed(d, tensor):
    """ConvTranspose in one or two dimensions."""
    channels, *spatial = d.shape(tensor)[1:]
    rank = len(spatial)
    group = d.pick([1, 1, 1, *(size for size in range(1, channels + 1) if channels % size == 0)])
    kernel = [d.between(1, 4) for _ in range(rank)]
    attributes = {"group": group} if group > 1 or d.maybe(0.1) else {}
    strides = attributes["strides"] = [d.between(1, 3 if d.maybe(0.2) else 2) for _ in range(rank)]
    dilations = [d.between(1, 2) if d.maybe(0.2) else 1 for _ in range(rank)]
    reach = [dilation * (size - 1) + 1 for dilation, size in zip(dilations, kernel, strict=True)]
    pads = [d.between(0, min(2, size - 1)) if d.maybe(0.5) else 0 for size in reach * 2]
    # As many pixels more as make whole blocks, if there are so few.
    made = [size - before - after for size, before, after in zip(reach, pads, pads[rank:], strict=False)]
    more = [-count % stride for count, stride in zip(made, strides, strict=True)]
    if d.maybe(0.7):
        attributes["output_padding"] = more
    if any(pads):
        attributes["pads"] = pads
    elif d.maybe(0.3):
        attributes["auto_pad"] = d.pick(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
    if max(dilations) > 1:
        attributes["dilations"] = dilations
    if not any(pads) and d.maybe(0.2):
        most = [step * (size - 1) + own for step, size, own in zip(strides, spatial, reach, strict=True)]
        attributes["output_shape"] = [max(1, size - d.between(-1 if d.odd() else 0, 2)) for size in most]
    if d.maybe(0.5):
        attributes["kernel_shape"] = kernel
    inputs = [tensor, weight(d, (channels, d.between(1, max(1, 4 // group)), *kernel), 1)]
    if d.maybe(0.5):
        inputs.append(constant(d, [number(d) for _ in range(group * d.shape(inputs[1])[1])]))
    return d.op("ConvTranspose", inputs, **attributes)


def _resize(d, tensor):
    """Resize or Upsample, by whole factors mostly."""
    rank = len(d.shape(tensor)) - 2
    scales = [1.0, 1.0, *(float(d.between(1, 3)) for _ in range(rank))]
    if d.odd():
        scales[d.between(0, rank + 1)] = d.pick([0.5, 1.5, 2.0])
    mode = "linear" if d.odd() else "nearest"
    if d.opset < 10:
        inputs = [tensor] if d.opset < 9 else [tensor, constant(d, scales)]
        return d.op("Upsample", inputs, mode=mode, scales=scales if d.opset < 9 else None)
    if d.opset < 11:
        return d.op("Resize", [tensor, constant(d, scales)], mode=mode)
    ways = {
        ("asymmetric", "floor"): 4,
        ("half_pixel", "round_prefer_floor"): 3,
        ("half_pixel", None): 1,
        ("pytorch_half_pixel", "round_prefer_ceil"): 1,
        ("align_corners", "floor"): 0.3,
        ("asymmetric", "ceil"): 0.3,
        ("asymmetric", "round_prefer_floor"): 1,
        (None, "floor"): 0.3,
    }
    way, rounding = d.pick(ways)
    attributes = {"mode": mode, "coordinate_transformation_mode": way, "nearest_mode": rounding}
    # Before version 13 the input of the crop had to be there.
    crop = "" if d.opset >= 13 else d.initializer(np.zeros(0, np.float32))
    if d.maybe(0.3):
        sizes = [int(size * scale) for size, scale in zip(d.shape(tensor), scales, strict=True)]
        return d.op(
            "Resize",
            [
                tensor,
                crop,
                "" if d.opset >= 13 else d.initializer(np.zeros(0, np.float32)),
                integers(d, sizes),
            ],
            **attributes,
        )
    if d.opset >= 18 and d.maybe(0.3):
        axes = [*range(2, rank + 2)]
        return d.op("Resize", [tensor, crop, constant(d, scales[2:])], axes=axes, **attributes)
    return d.op("Resize", [tensor, crop, constant(d, scales)], **attributes)


def _blocks(d, tensor):
    """DepthToSpace or SpaceToDepth, whatever the map allows."""
    if len(d.shape(tensor)) != 4:
        raise Unrunnable("not of four axes")
    _, channels, rows, columns = d.shape(tensor)
    size = 2 if not d.odd() else d.between(1, 3)
    if channels % size**2 == 0:
        mode = d.pick(["DCR", "CRD", None]) if d.opset >= 11 else None
        return d.op("DepthToSpace", [tensor], blocksize=size, mode=mode)
    if rows % size or columns % size:
        raise Unrunnable("no whole blocks")
    return d.op("SpaceToDepth", [tensor], blocksize=size)


def _by_axes(d, tensor):
    """Reshape, Transpose and Reshape: channels in another order, to pixels, or from pixels."""
    _, channels, *spatial = d.shape(tensor)
    form = d.pick(["shuffle", "spread", "gather"])
    if form == "shuffle":
        groups = d.pick(_divisors(channels))
        split, order = [groups, channels // groups, *spatial], [1, 0, *range(2, 2 + len(spatial))]
        after = [channels, *spatial]
    elif form == "spread":
        block = [d.pick([size for size in _divisors(channels) if size < 4]) for _ in spatial]
        if channels % np.prod(block):
            raise Unrunnable("no whole blocks")
        rest = channels // int(np.prod(block))
        places = d.rng.permutation(1 + len(block)).tolist()
        split = [[rest, *block][place] for place in np.argsort(places)] + spatial
        order = [places[0]]
        for axis in range(len(spatial)):
            order += [len(places) + axis, places[1 + axis]]
        after = [rest, *(size * own for size, own in zip(spatial, block, strict=True))]
    else:
        block = [d.pick(_divisors(size)) for size in spatial]
        split = [channels]
        for size, own in zip(spatial, block, strict=True):
            split += [size // own, own]
        inner = [0, *(2 + 2 * axis for axis in range(len(spatial)))]
        order = [*d.rng.permutation(inner).tolist(), *(1 + 2 * axis for axis in range(len(spatial)))]
        after = [channels * int(np.prod(block))]
        after += [size // own for size, own in zip(spatial, block, strict=True)]
    if d.odd():
        order = d.rng.permutation(len(order)).tolist()
    moved = d.op("Reshape", [tensor, integers(d, [d.pick([0, d.batch]), *split])])
    if d.maybe(0.2):
        moved = d.op("Mul", [moved, constant(d, number(d) or 1)])
    moved = d.op("Transpose", [moved], perm=[0, *(place + 1 for place in order)])
    return d.op("Reshape", [moved, integers(d, [d.batch, *after])])


def _divisors(count):
    return [size for size in range(1, count + 1) if count % size == 0]


def part(d, tensor):
    """Some of the channels, rows or columns."""
    axis = d.between(1, len(d.shape(tensor)) - 1)
    size = d.shape(tensor)[axis]
    if d.maybe(0.3):
        count = d.between(1, size)
        places = d.rng.permutation(size)[:count] if axis == 1 else np.arange(count)
        return d.op("Gather", [tensor, integers(d, places - (size if d.maybe(0.2) else 0))], axis=axis)
    first = d.between(0, size - 1)
    last = d.between(first + 1, size)
    if d.opset < 10:
        return d.op("Slice", [tensor], starts=[first], ends=[last], axes=[axis])
    bounds = [[first], [last if d.maybe(0.7) else size + 7], [axis], [d.between(1, 2)]]
    if axis == 1 and d.maybe(0.2):
        bounds = [[last - 1], [first - 1 if first else -size - 1], [axis], [-1]]
    return d.op("Slice", [tensor, *(integers(d, values) for values in bounds)])


def beside(d, tensor, kept):
    """The map and earlier ones of the same rows and columns, side by side."""
    shape = d.shape(tensor)
    same = [name for name in kept if d.shape(name)[2:] == shape[2:] and len(d.shape(name)) == len(shape)]
    if not same:
        raise Unrunnable("none beside it")
    names = [tensor, d.pick(same)]
    return d.op("Concat", names if d.maybe(0.5) else names[::-1], axis=d.pick([1, 1 - len(shape)], [3, 1]))
