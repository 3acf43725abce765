"""MaxPool, AveragePool and the global ones on codes and on sums."""

from collections.abc import Collection
from dataclasses import replace

from ..errors import InputError
from ..lowering.staircase import are_affine, split
from ..lowering.steps import Affine
from ..network.geometry import Geometry
from ..network.layer import MAX_BITS
from ..network.parts import Pool
from .builder import Builder, CodeZero
from .file.graph import Node
from .linear import Sides, channels_last, pair, window_count, window_geometry
from .values.draft import Codes, Dims, Shape
from .values.layout import given_axes, within
from .values.quantizers import Constant
from .values.tensors import Sums, as_map, map_dims, relabelled, sizes
from .values.unit_layers import identity


def pool(node: Node, tensor: Codes | Sums, builder: Builder, constants: dict[str, Constant]) -> Codes | Sums:
    """Sums of `tensor` (Codes or Sums) pooled by a pooling node."""
    kind = "max" if "Max" in node.op else "average"
    dropped: Collection[int] = ()
    if node.op == "ReduceMean":
        node, dropped = _as_average(node, tensor, constants)
    last = channels_last(node)
    shape = as_map(node, tensor, last)
    geometry = _geometry(node, kind, shape, len(tensor.dims) - 1)
    if kind == "average" and isinstance(tensor, Sums) and _joins(tensor, geometry, shape):
        rows, columns = window_count(node, shape, geometry)
        geometry = replace(geometry, kind="average_codes")
        pooled = replace(
            tensor, shape=(rows, columns, shape[2]), pool=geometry, dims=_dims(tensor, last, dropped)
        )
        return builder.codes(node, pooled)
    if kind == "max" and _ends_twice(geometry, shape):
        tensor, geometry = _padded(node, tensor, shape, geometry, builder)
        shape = tensor.shape
    if not isinstance(tensor, Codes) and _separate(tensor, kind, shape):
        tensor = builder.codes(node, tensor)
    if isinstance(tensor, Codes):
        tensor = identity(node.name, relabelled(node, tensor, shape, tensor.dims), node.position)
        if kind == "max" and min(tensor.draft.inputs.scale) < 0:
            node.refuse("the scale of its input is negative", "a positive scale")
    steps = tensor.steps
    if kind == "average" and are_affine(steps):
        # The mean is linear: the sum over the window goes through one affine step.
        (affine,) = steps
        steps = (Affine([s / geometry.area for s in affine.slope], affine.offset),)
    rows, columns = window_count(node, shape, geometry)
    return replace(
        tensor,
        steps=steps,
        shape=(rows, columns, shape[2]),
        pool=geometry,
        pooled=len(steps),
        dims=_dims(tensor, last, dropped),
    )


def _ends_twice(geometry: Pool, shape: Shape) -> bool:
    """Whether two windows end at the last row or column of a map of `shape`, in the padding behind it: the
    engine ends one."""
    for axis, windows in enumerate(geometry.output_size(shape)):
        before_last = geometry.start(axis, windows - 2) + geometry.kernel[axis] - 1
        if windows > 1 and before_last >= shape[axis] - 1:
            return True
    return False


def _padded(
    node: Node, tensor: Codes | Sums, shape: Shape, geometry: Pool, builder: Builder
) -> tuple[Sums, Pool]:
    """`tensor` with the padding of `geometry` around it, of its least value, which never wins; and the Pool
    without padding."""
    codes = relabelled(node, builder.codes(node, tensor, CodeZero.LEAST), shape, tensor.dims)
    if min(codes.scale) < 0:
        node.refuse("the scale of its input is negative", "a positive scale")
    rows, columns = geometry.padded(shape)
    sums = identity(node.name, codes, node.position)
    draft = replace(sums.draft, padding=geometry.padding, conv_shape=(rows, columns, shape[2]))
    padded = replace(sums, draft=draft, shape=draft.conv_shape)
    return padded, replace(geometry, padding=(0, 0, 0, 0))


def _dims(tensor: Codes | Sums, last: bool, dropped: Collection[int]) -> Dims:
    """dims of the pooled map, without the axes `dropped`."""
    dims = map_dims(len(tensor.dims), last)
    return tuple(dim for axis, dim in enumerate(dims, 1) if axis not in dropped)


def _joins(tensor: Sums, geometry: Pool, shape: Shape) -> bool:
    """Whether the mean of codes joins the layer that stores them, as the sum of their counts."""
    parts = split(tensor.steps)
    if parts is None or tensor.pool is not None or shape != tensor.shape:
        return False
    final, rest = parts.final, parts.rest
    counts = final.low == 0 and final.high * geometry.area < 1 << MAX_BITS
    return counts and are_affine(rest) and not any(any(step.offset) for step in rest)


def _separate(tensor: Sums, kind: str, shape: Shape) -> bool:
    """Whether pooling needs the tensor's codes stored, because it cannot join its layer."""
    if tensor.pool is not None or shape != tensor.shape:
        return True
    return kind == "average" and not are_affine(tensor.steps)


def _as_average(
    node: Node, tensor: Codes | Sums, constants: dict[str, Constant]
) -> tuple[Node, Collection[int]]:
    """A ReduceMean over rows, columns or both as AveragePool, and the axes that it drops."""
    axes = given_axes(node, constants)
    rank = len(tensor.dims) + 1
    spatial = {place for place, dim in enumerate(tensor.dims, 1) if dim != ("C",)}
    chosen = set(within(node, axes or (), rank))
    if not chosen or not chosen <= spatial:
        node.refuse(f"averages the axes {axes}", f"rows, columns or both, of {tuple(sorted(spatial))}")
    size = dict(enumerate(sizes(tensor), 1))
    kernel = tuple(size[a] if a in chosen else 1 for a in sorted(spatial))
    attributes = {"kernel_shape": kernel, "auto_pad": "NOTSET", "ceil_mode": 0}
    domain = "channels_last" if tensor.dims[-1] == ("C",) and rank > 2 else ""
    dropped = () if node.integer("keepdims") else chosen
    return replace(node, op="AveragePool", domain=domain, attributes=attributes), dropped


def _geometry(node: Node, kind: str, shape: Shape, rank: int) -> Pool:
    """The Pool of a node on `rank` spatial axes."""
    if "Global" in node.op:
        return Pool(kind=kind, kernel=shape[:2], stride=(1, 1))
    given = node.integers("kernel_shape")
    if given is None or len(given) != rank or min(given, default=0) < 1:
        node.refuse(f"kernel_shape is {given!r}", f"{rank} integers >= 1")
    kernel = pair(given)
    windows = window_geometry(node, rank, kernel, shape)
    if windows.dilation != (1, 1):
        node.refuse(f"dilations is {windows.dilation}", "1")
    ceil = node.attributes.get("ceil_mode", 0)
    if ceil and node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        node.refuse("ceil_mode is 1 with auto_pad", "one of them")
    padding = _ceiled(shape, windows) if ceil else windows.padding
    if kind == "average" and any(padding):
        node.refuse(f"averages with the padding {padding}", "no padding, ceil_mode 0")
    try:
        return Pool(kind=kind, kernel=kernel, stride=windows.stride, padding=padding)
    except InputError as error:
        node.refuse(str(error), "padding smaller than the kernel")


def _ceiled(shape: Shape, geometry: Geometry) -> Sides:
    """The padding that makes the last, partial windows whole."""
    padding = list(geometry.padding)
    for axis in (0, 1):
        size = geometry.padded(shape)[axis] - geometry.reach[axis]
        last = -(-size // geometry.stride[axis])
        # A window that would begin behind the map and its padding does not exist.
        if geometry.start(axis, last) >= shape[axis]:
            last -= 1
        needed = last * geometry.stride[axis] - size
        padding[axis + 2] = max(padding[axis + 2] + needed, padding[axis + 2])
    top, left, bottom, right = padding
    return top, left, bottom, right
