"""The convolution that gives a layer's weight gradients (backward-weight) as jobs.

Activations are images and gradients their kernels (:mod:`.weight_windows`). Every input channel is a channel
group of one channel, and all groups have the same weights: the gradients.

Form P, per sample: sums ``S_n`` of sample n with its bipolar gradient codes, and ``sum k_n S_n`` of them with
the integer scales. One image is a sample's map, NHWC.

Form B, the batch in the reduction, for maps of few gradients: the sums of ``u = k_n v`` over pixels and
samples. The batch is the channel axis (channel c of sample n is channel ``c batch + n``), so a group has
`batch` channels. With ``2^b`` above every ``2 |u| + 1``, the b bits of ``u + 2^(b - 1)`` are a bipolar code
of ``2 u + 1``; cut in parts of at most 8 bits they are bipolar codes again, each a job::

    sum(u a) = (sum over parts(2^lowest bit of the part * sums) - sum(a)) / 2

where ``sum(a)`` is one more job: 1-bit weights, all of them 1.

A layer's channel groups are images of their own in both forms, since each has other gradients.
"""

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.encoding import Encoding
from ..network.layer import MAX_BITS
from ..quantizers.gradient import SCALE_BITS
from .job import Job, Runner
from .shape import ConvolutionShape
from .weight_windows import WeightWindows, weight_windows

FORMS = ("P", "B")
# Rows and columns that a kernel of the engine may have.
LONGEST_KERNEL = 63


class BackwardWeight:
    """Jobs of kind ``weight`` for one form, P or B, and batches of `batch` samples: `jobs`.

    One for every phase and band of rows and columns, in form B for each of them one of ones and one for every
    part of the widened gradients. Maps of gradients have at most `longest` rows and columns in a job.
    """

    def __init__(self, shape: ConvolutionShape, form: str, batch: int, longest: int = LONGEST_KERNEL):
        self._shape, self._batch = shape, checks.integer(batch, f"layer {shape.name}: batch", 1)
        self._form = checks.choice(form, f"layer {shape.name}: form", FORMS)
        self._inner, self._outer = shape.in_shape[2] // shape.groups, shape.channels // shape.groups
        # Lowest bit and bits of each part of a kernel's codes.
        self._cuts = [(0, shape.g_bits)]
        if form == "B":
            self._u_bits = SCALE_BITS + shape.g_bits + 1
            lows = range(0, self._u_bits, MAX_BITS)
            self._cuts = [(low, min(MAX_BITS, self._u_bits - low)) for low in lows]
        places = [
            (rows, columns)
            for rows in weight_windows(shape, 0, longest)
            for columns in weight_windows(shape, 1, longest)
        ]
        jobs: list[Job] = []
        self._parts: list[tuple[WeightWindows, WeightWindows, list[Job]]] = []
        for rows, columns in places:
            own = self._jobs(len(jobs), rows, columns)
            self._parts.append((rows, columns, own))
            jobs += own
        self.jobs = tuple(jobs)

    def _jobs(self, number: int, rows: WeightWindows, columns: WeightWindows) -> list[Job]:
        """One for every cut; in form B the one of ones before them."""
        widths = [(bits, self._outer) for _, bits in self._cuts]
        if self._form == "B":
            widths.insert(0, (1, 1))
        depth = self._inner * (self._batch if self._form == "B" else 1)
        return [
            Job(
                layer=self._shape.name,
                kind="weight",
                form=self._form,
                part=part,
                in_shape=(rows.count, columns.count, depth),
                out_channels=self._inner * channels,
                kernel=(rows.kernel, columns.kernel),
                stride=(rows.stride, columns.stride),
                padding=(rows.padding[0], columns.padding[0], rows.padding[1], columns.padding[1]),
                groups=self._inner,
                w_bits=bits,
                a_bits=self._shape.a_bits,
                shared_weights=True,
                images_each=self._shape.groups,
            )
            for part, (bits, channels) in enumerate(widths, number)
        ]

    def sums(
        self, run: Runner, gradients: np.ndarray, scales: np.ndarray, activations: np.ndarray
    ) -> np.ndarray:
        """``sum_n k_n sum(v_g a)``, int64 (Cout, Kh, Kw, Cin / groups), of gradient codes uint8 (N, Ho, Wo,
        Cout), their integer scales k (N,) in 0..2^SCALE_BITS and activation codes uint8 (N, H, W, C).

        InputError for a batch that is not the one the jobs were made for.
        """
        if not len(gradients) == len(scales) == len(activations) == self._batch:
            raise InputError(
                f"layer {self._shape.name}: {len(gradients)} gradients, {len(scales)} scales and "
                f"{len(activations)} maps of activations; accepted: {self._batch} each, one a sample"
            )
        of_form = self._per_sample if self._form == "P" else self._of_batch
        result = np.zeros(self._shape.weights_shape, np.int64)
        for rows, columns, jobs in self._parts:
            kernels = gradients[:, rows.gradients, columns.gradients]
            maps = activations[:, rows.activations, columns.activations]
            maps = maps.reshape(*maps.shape[:3], self._shape.groups, self._inner)
            # (groups, Kh, Kw, Cin / groups, Cout / groups)
            sums = of_form(run, jobs, kernels, scales, maps)
            sums = sums.transpose(0, 4, 1, 2, 3)
            result[:, rows.taps, columns.taps] += sums.reshape(-1, *sums.shape[2:])
        return result

    def _per_sample(
        self, run: Runner, jobs: list[Job], kernels: np.ndarray, scales: np.ndarray, maps: np.ndarray
    ) -> np.ndarray:
        [job] = jobs
        images = maps.transpose(0, 3, 1, 2, 4).reshape(-1, *job.in_shape)
        weights = kernels.transpose(0, 3, 1, 2).reshape(-1, *job.weights_shape)
        sums = run(job, images, weights)
        sums = sums.reshape(self._batch, self._shape.groups, *sums.shape[1:3], self._inner, self._outer)
        return np.einsum("n,n...->...", scales.astype(np.int64), sums)

    def _of_batch(
        self, run: Runner, jobs: list[Job], kernels: np.ndarray, scales: np.ndarray, maps: np.ndarray
    ) -> np.ndarray:
        ones, *parts = jobs
        images = maps.transpose(3, 1, 2, 4, 0).reshape(-1, *ones.in_shape)
        values = Encoding.BIPOLAR.values(kernels, self._shape.g_bits).astype(np.int64)
        digits = values * scales.astype(np.int64).reshape(-1, 1, 1, 1) + (1 << (self._u_bits - 1))
        digits = digits.transpose(3, 1, 2, 0).reshape(self._shape.groups, *parts[0].weights_shape)
        sums = -run(ones, images, np.ones((1, *ones.weights_shape), np.uint8))[..., None]
        for job, (low, bits) in zip(parts, self._cuts, strict=True):
            codes = ((digits >> low) & ((1 << bits) - 1)).astype(np.uint8)
            found = run(job, images, codes)
            sums = sums + (found.reshape(*found.shape[:3], self._inner, self._outer) << low)
        return sums // 2
