"""The convolutions of a random residual network: blocks with shortcuts around a trunk."""

from typing import NamedTuple

import numpy as np

from ..network.layer import MAX_BITS, Layer
from ..network.parts import Pool, Rescale
from ..network.shapes import Shape, layer_shapes
from .draws import RawDraws
from .layers import Fields, Options, draw_geometry, draw_layer, draw_norm, draw_padding, moments

# Layers of a block at most: shortcut, a second term, the convolution in between, the sum.
BLOCK_LAYERS = 4
# Terms of a sum at most; each gets its part of what 16 bits hold.
_TERMS = 4
_LARGEST_TERM = ((1 << 15) - 1) // _TERMS - 2


class _Codes(NamedTuple):
    """Codes that a layer can read: shape (H, W, C); levels is the code that stands for 1.0."""

    name: str | None
    shape: tuple[int, int, int]
    levels: int


class _Trunk(NamedTuple):
    """What can be added to; mean and var are of t, float64 (Cout,)."""

    name: str
    shape: tuple[int, int, int]
    scale: np.float32
    terms: int
    mean: np.ndarray
    var: np.ndarray


class ResidualLayers:
    """Draws `layers`, one part after another; `codes` are those at their end, with `levels`.

    options: what all draws share, see Options; share: MACs of a layer at most; w_bits, a_bits: of
    all layers, None draws them.
    """

    def __init__(
        self,
        options: Options,
        shape: Shape,
        levels: int,
        share: int,
        w_bits: int | None,
        a_bits: int | None,
    ):
        self.layers: list[Layer] = []
        self.codes = _Codes(None, shape, levels)
        self._trunk: _Trunk | None = None
        self._options, self._draws, self._share = options, options.draws, share
        self._w_bits, self._a_bits = w_bits, a_bits

    def stem(self) -> None:
        """A convolution like those of a chain; every other one makes a trunk."""
        geometry, _ = draw_geometry(self._options, self.codes.shape, self._share)
        if self._draws.chance(2):
            self._plain("stem", geometry, self.codes)
        else:
            self._term("stem", geometry, self.codes, has_codes=True)

    def block(self, name: str) -> None:
        """Shortcut or identity, perhaps two more layers, and the sum, perhaps pooled."""
        draws, start = self._draws, self.codes
        trunk = self._trunk
        # Two more terms may follow.
        full = trunk is not None and trunk.terms > _TERMS - 2
        if trunk is None or full or trunk.shape[:2] != start.shape[:2] or draws.chance(4):
            self._trunk = None
            outputs = self._outputs(start.shape)
            trunk = self._term(f"{name}_shortcut", self._same(start.shape, outputs), start)
        channels = trunk.shape[2]
        if self._fits(start.shape, channels) and draws.chance(3):
            self._term(f"{name}_c", self._same(start.shape, channels), start)
        inner = start
        if not self._fits(start.shape, channels) or not draws.chance(4):
            outputs = self._outputs(start.shape, then=channels)
            inner = self._plain(f"{name}_a", self._same(start.shape, outputs), start)
        geometry = self._same(inner.shape, channels)
        if draws.chance(2):
            geometry["pool"] = self._pool(inner.shape)
        self._term(f"{name}_b", geometry, inner, has_codes=True)

    def _fits(self, shape: Shape, outputs: int, taps: int = 1) -> bool:
        return shape[0] * shape[1] * shape[2] * outputs * taps <= self._share

    def _outputs(self, shape: Shape, then: int = 1) -> int:
        """Output channels of a convolution, followed by one with `then` outputs."""
        height, width, _ = shape
        fitting = [
            channels
            for channels in self._options.channels
            # The map itself takes half a share at most: the next layer can read it.
            if self._fits(shape, channels) and self._fits((height, width, channels), max(2, then))
        ]
        return self._draws.pick(fitting)

    def _same(self, shape: Shape, outputs: int) -> Fields:
        """Geometry of a convolution that keeps the height and width, within the share."""
        draws = self._draws
        kernel = (draws.integer(1, 4), draws.integer(1, 4))
        if not self._fits(shape, outputs, kernel[0] * kernel[1]):
            kernel = (1, 1)
        dilation = tuple(draws.pick((1, 1, 1, 2)) for _ in range(2))
        extra = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        before = [draws.integer(0, total) for total in extra]
        after = [total - first for total, first in zip(extra, before, strict=True)]
        groups = [g for g in range(1, shape[2] + 1) if shape[2] % g == 0 and outputs % g == 0]
        group = draws.pick(groups) if draws.chance(3) else 1
        return {
            "kind": "conv",
            "shape": (outputs, *kernel, shape[2] // group),
            "groups": group,
            "dilation": dilation,
            "padding": (*before, *after),
        }

    def _pool(self, shape: Shape) -> Pool:
        draws = self._draws
        kind = draws.pick(("average", "average_codes", "max"))
        kernel = stride = draws.integer(1, min(3, shape[0])), draws.integer(1, min(3, shape[1]))
        if draws.chance(3):
            stride = draws.integer(1, kernel[0]), draws.integer(1, kernel[1])
        padding = (0, 0, 0, 0)
        if kind == "max" and self._options.allow_pool_padding:
            padding = draw_padding(draws, kernel)
        return Pool(kind=kind, kernel=kernel, stride=stride, padding=padding)

    def _bits(self, fixed: int | None) -> int:
        return fixed or self._draws.integer(1, MAX_BITS)

    def _append(self, layer: Layer, codes: _Codes) -> Shape:
        """Adds a layer that reads `codes`; returns its convolution's shape."""
        shapes = layer_shapes(layer, codes.shape)
        self.layers.append(layer)
        levels = layer.levels
        if levels is not None:
            self.codes = _Codes(layer.name, shapes.out_shape, levels)
        return shapes.conv_shape

    def _source(self, codes: _Codes) -> str | None:
        """None where the layer before is the one to read."""
        return codes.name if self.layers and self.layers[-1].name != codes.name else None

    def _plain(self, name: str, geometry: Fields, codes: _Codes) -> _Codes:
        geometry = geometry | {"source": self._source(codes)}
        out_bits, w_bits = self._bits(self._a_bits), self._bits(self._w_bits)
        layer = draw_layer(self._options, name, geometry, w_bits, codes.levels, out_bits)
        self._append(layer, codes)
        return self.codes

    def _term(self, name: str, geometry: Fields, codes: _Codes, has_codes: bool = False) -> _Trunk:
        """A layer whose trunk is added to the one there is, or begins a new one."""
        draws, added = self._draws, self._trunk
        w_bits = self._bits(self._w_bits)
        encoding = draws.pick(self._options.encodings)
        weights = draws.codes(geometry["shape"], w_bits)
        values = encoding.values(weights, w_bits).astype(np.int64)
        m, b, f = _draw_rounding(draws, values, codes.levels)
        mean, var = moments(values, codes.levels)
        mean, var = (m * mean + b) / (1 << f), m * m * var / (1 << 2 * f)
        if added is None:
            scale = _draw_scale(draws, var)
        else:
            scale, mean, var = added.scale, added.mean + mean, added.var + var
        fields = {key: value for key, value in geometry.items() if key != "shape"}
        if has_codes:
            fields |= self._staircase(fields, float(scale) * mean, float(scale) ** 2 * var)
        layer = Layer(
            name=name,
            codes=weights,
            w_bits=w_bits,
            encoding=encoding,
            scale=np.float32(1),
            source=self._source(codes),
            add=added and added.name,
            rescale=Rescale(m=m, b=b, f=f, scale=scale),
            **fields,
        )
        shape = self._append(layer, codes)
        trunk = self._trunk = _Trunk(name, shape, scale, 1 + (added.terms if added else 0), mean, var)
        return trunk

    def _staircase(self, fields: Fields, mean: np.ndarray, var: np.ndarray) -> Fields:
        """Activation, pooling and, three times in four, batch normalization of a trunk."""
        a_bits, pool = self._bits(self._a_bits), fields.get("pool")
        if pool is not None and pool.kind == "average_codes":
            if (((1 << a_bits) - 1) * pool.area).bit_length() > MAX_BITS:
                pool = None
        made: Fields = {"a_bits": a_bits, "pool": pool}
        averaged = pool is not None and pool.kind == "average"
        # Ties behind a divisor that is no power of two could have no affine form.
        if averaged or not self._draws.chance(4):
            made["norm"] = draw_norm(self._draws, mean, var / 2 if averaged else var)
        return made


def _draw_rounding(draws: RawDraws, values: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray, int]:
    """m, b int64 (Cout,) and f, such that no trunk value exceeds _LARGEST_TERM.

    values: integer weights int64 (Cout, ...), for input codes up to `levels`. Some channels have a
    negative m, a few have 0, and where m is small and f is not, many quotients are ties.
    """
    rows = values.reshape(len(values), -1)
    reach = levels * max(
        int(np.maximum(rows, 0).sum(axis=1).max()), -int(np.minimum(rows, 0).sum(axis=1).min()), 1
    )
    half = _LARGEST_TERM // 2
    f = draws.integer(0, 6)
    while (half << f) < reach:
        f += 1
    largest = min((half << f) // reach, draws.pick((3, 100, (1 << 20) - 1)))
    m = np.array([draws.integer((largest + 1) // 2, largest) for _ in values], np.int64)
    m[draws.codes(len(m), 2) == 0] *= -1
    m[draws.codes(len(m), 5) == 0] = 0
    size = np.sqrt((rows * rows).sum(axis=1).mean()) * levels * largest / 4
    b = np.rint(draws.reals(len(m), -1, 1) * min(size, half << f)).astype(np.int64)
    return m, b, f


def _draw_scale(draws: RawDraws, var: np.ndarray) -> np.float32:
    """Unit of a trunk whose first term has these variances; every other time a power of two."""
    scale = 0.25 / np.sqrt(var.mean() + 1)
    if draws.chance(2):
        return np.float32(2.0 ** np.frexp(scale)[1])
    return np.float32(scale * draws.reals((), 0.7, 1.4))
