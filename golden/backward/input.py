"""The convolution that gives a layer's input gradients (backward-input) as jobs.

Gradient codes are images, the layer's weights, turned and transposed, are weights: what the forward pass
computes, with A := G. A gradient of G bits stands for ``v = 2 q - n`` with ``n = 2^G - 1``, so::

    sum(v v_w) = 2 sum(q v_w) - n sum(v_w)

where the second sum is over the taps that meet a gradient: a job of its own on a map of ones (*border*), the
same for all samples. Where the first job has no padding every tap meets one, and the sum is a constant per
output channel.

Strides s leave no holes: input positions ``f + s t`` of one *phase* f meet every ``s / gcd(s, D)``-th tap of
a kernel with dilation D, from ``k0`` on, and their job is an ordinary one on the gradients::

    position of the gradient = t + d - (D / gcd) j,    d = (f + before - D k0) / s,    tap = k0 + j s / gcd

Turned around (tap J - 1 - j), that is a convolution with ``(J - 1) D / gcd - d`` pixels of padding before the
map; where this or its counterpart behind the map is negative, gradients are left out instead.
"""

from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from ..network.encoding import Encoding
from .job import Job, Runner
from .shape import ConvolutionShape


@dataclass(frozen=True)
class _Phase:
    """One axis of a job: which `target` inputs it computes from which `gradients` and, in the order of its
    windows, `taps`."""

    target: slice
    gradients: slice
    taps: slice
    kernel: int
    dilation: int
    padding: tuple[int, int]

    @property
    def size(self) -> int:
        """Rows or columns of its images."""
        return self.gradients.stop - self.gradients.start


def _phases(shape: ConvolutionShape, axis: int) -> list[_Phase]:
    """Those that any gradient reaches."""
    made = (_phase(shape, axis, first) for first in range(min(shape.stride[axis], shape.in_shape[axis])))
    return [phase for phase in made if phase is not None]


def _phase(shape: ConvolutionShape, axis: int, first: int) -> _Phase | None:
    stride, spread, kernel = shape.stride[axis], shape.dilation[axis], shape.kernel[axis]
    size, gradients, before = shape.in_shape[axis], shape.out_shape[axis], shape.padding[axis]
    common = gcd(stride, spread)
    step, dilation = stride // common, spread // common
    meeting = (tap for tap in range(min(step, kernel)) if (first + before - spread * tap) % stride == 0)
    first_tap = next(meeting, None)
    if first_tap is None:
        return None
    shift = (first + before - spread * first_tap) // stride
    taps = len(range(first_tap, kernel, step))
    ahead = (taps - 1) * dilation - shift
    behind = -(-(size - first) // stride) + shift - gradients
    used = slice(max(0, -ahead), gradients - max(0, -behind))
    if used.stop <= used.start:
        return None
    return _Phase(
        target=slice(first, size, stride),
        gradients=used,
        taps=slice(first_tap + (taps - 1) * step, None, -step),
        kernel=taps,
        dilation=dilation,
        padding=(max(0, ahead), max(0, behind)),
    )


@dataclass(frozen=True)
class _Part:
    """A job and where its operands and results lie: rows and columns."""

    job: Job
    border: Job | None
    rows: _Phase
    columns: _Phase

    @classmethod
    def of(cls, shape: ConvolutionShape, number: int, rows: _Phase, columns: _Phase) -> "_Part":
        job = Job(
            layer=shape.name,
            kind="input",
            part=number,
            in_shape=(rows.size, columns.size, shape.channels),
            out_channels=shape.in_shape[2],
            kernel=(rows.kernel, columns.kernel),
            padding=(rows.padding[0], columns.padding[0], rows.padding[1], columns.padding[1]),
            dilation=(rows.dilation, columns.dilation),
            groups=shape.groups,
            w_bits=shape.w_bits,
            a_bits=shape.g_bits,
        )
        border = replace(job, kind="border", a_bits=1) if any(job.padding) else None
        return cls(job, border, rows, columns)

    def weights(self, codes: np.ndarray) -> np.ndarray:
        """Those of the job, (1, Cin, Kh, Kw, Cout / groups), of the layer's."""
        taps = codes[:, self.rows.taps][:, :, self.columns.taps]
        taps = taps.reshape(self.job.groups, -1, *taps.shape[1:]).transpose(0, 4, 2, 3, 1)
        return np.ascontiguousarray(taps).reshape(1, *self.job.weights_shape)

    def tap_sums(self, run: Runner, weights: np.ndarray) -> np.ndarray:
        """``sum(v_w)`` over the taps that meet a gradient, shaped like the job's results or (Cin,)."""
        if self.border is not None:
            return run(self.border, np.ones((1, *self.border.in_shape), np.uint8), weights)
        values = Encoding.BIPOLAR.values(weights[0], self.job.w_bits)
        return values.sum(axis=(1, 2, 3), dtype=np.int64)


class BackwardInput:
    """Jobs of kind ``input`` and ``border``: `jobs`, one or a pair for every phase of rows and columns.

    A kernel that covers the map (fully connected, without groups) is one job on one pixel with H W C output
    channels.
    """

    def __init__(self, shape: ConvolutionShape):
        self._in_shape, self._g_bits = shape.in_shape, shape.g_bits
        if shape.covers_map and shape.groups == 1:
            shape = shape.on_one_pixel()
        self._shape = shape
        places = [(rows, columns) for rows in _phases(shape, 0) for columns in _phases(shape, 1)]
        self._parts = [_Part.of(shape, number, *place) for number, place in enumerate(places)]
        self.jobs = tuple(job for part in self._parts for job in (part.border, part.job) if job is not None)

    def sums(self, run: Runner, gradients: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """``sum(v_g v_w)``, int64 (N, H, W, C), of gradient codes uint8 (N, Ho, Wo, Cout) and weight codes
        uint8 (Cout, Kh, Kw, Cin / groups)."""
        result = np.zeros((len(gradients), *self._shape.in_shape), np.int64)
        codes = weights.reshape(self._shape.weights_shape)
        for part in self._parts:
            own = part.weights(codes)
            constant = ((1 << self._g_bits) - 1) * part.tap_sums(run, own)
            images = np.ascontiguousarray(gradients[:, part.rows.gradients, part.columns.gradients])
            sums = 2 * run(part.job, images, own) - constant
            result[:, part.rows.target, part.columns.target] = sums
        return result.reshape(-1, *self._in_shape)
