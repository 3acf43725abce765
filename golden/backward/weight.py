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

In both forms the codes of a kernel may be *split*: a bipolar code of s b bits is s bipolar codes of b bits,
``2 q - (2^(s b) - 1) = sum over parts p(2^(b p) (2 q_p - (2^b - 1)))``, and each is an output channel of its
own. So layers of few channels fill the rows of an array in fewer planes.

A layer's channel groups are images of their own in both forms, since each has other gradients.
"""

from typing import NamedTuple

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.encoding import Encoding
from ..network.layer import MAX_BITS
from ..quantizers.gradient import SCALE_BITS
from .job import Job, Runner
from .shape import ConvolutionShape
from .weight_windows import WeightWindows, weight_windows

NAMES = ("P", "B")
# Rows and columns that a kernel of the engine may have.
LONGEST_KERNEL = 63


class WeightForm(NamedTuple):
    """Form of weight gradients: `name` P or B, and into how many channels the codes of one are split."""

    name: str
    split: int = 1

    def cuts(self, g_bits: int) -> list[tuple[int, int]]:
        """(lowest bit, bits of a channel) of the codes of every job but that of ones: `split` channels each,
        one behind the other."""
        bits = g_bits if self.name == "P" else SCALE_BITS + g_bits + 1
        most = MAX_BITS * self.split
        return [(low, -(-min(most, bits - low) // self.split)) for low in range(0, bits, most)]


class BackwardWeight:
    """Jobs of kind ``weight`` for one form and batches of `batch` samples: `jobs`.

    One for every phase and band of rows and columns, in form B for each of them one of ones and one for every
    part of the widened gradients. Maps of gradients have at most `longest` rows and columns in a job.
    """

    def __init__(self, shape: ConvolutionShape, form: WeightForm, batch: int, longest: int = LONGEST_KERNEL):
        self._shape, self._batch = shape, checks.integer(batch, f"layer {shape.name}: batch", 1)
        checks.choice(form.name, f"layer {shape.name}: form", NAMES)
        checks.integer(form.split, f"layer {shape.name}: split", 1)
        self._form = form
        self._inner, self._outer = shape.in_shape[2] // shape.groups, shape.channels // shape.groups
        self._cuts = form.cuts(shape.g_bits)
        low, bits = self._cuts[-1]
        # Half of a kernel's codes, as those of either sign are as many.
        self._half = 1 << (low + bits * form.split - 1)
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
        widths = [(bits, self._outer * self._form.split) for _, bits in self._cuts]
        if self._form.name == "B":
            widths.insert(0, (1, 1))
        depth = self._inner * (self._batch if self._form.name == "B" else 1)
        return [
            Job(
                layer=self._shape.name,
                kind="weight",
                form=self._form.name,
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

        InputError for a batch that is not the one the jobs were made for, and other scales.
        """
        if not len(gradients) == len(scales) == len(activations) == self._batch:
            raise InputError(
                f"layer {self._shape.name}: {len(gradients)} gradients, {len(scales)} scales and "
                f"{len(activations)} maps of activations; accepted: {self._batch} each, one a sample"
            )
        if not 0 <= scales.min() <= scales.max() <= 1 << SCALE_BITS:
            raise InputError(
                f"layer {self._shape.name}: scales of {scales.min()} to {scales.max()}; accepted: 0 to "
                f"{1 << SCALE_BITS}"
            )
        of_form = self._per_sample if self._form.name == "P" else self._of_batch
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
        [job], [(low, bits)] = jobs, self._cuts
        images = maps.transpose(0, 3, 1, 2, 4).reshape(-1, *job.in_shape)
        codes = kernels.astype(np.int64) + (self._half - (1 << (self._shape.g_bits - 1)))
        codes = codes.transpose(0, 3, 1, 2).reshape(-1, self._outer, *job.weights_shape[1:])
        sums = self._joined(run(job, images, self._split(codes, low, bits)), bits)
        sums = sums.reshape(self._batch, -1, *sums.shape[1:])
        return np.einsum("n,n...->...", scales.astype(np.int64), sums)

    def _of_batch(
        self, run: Runner, jobs: list[Job], kernels: np.ndarray, scales: np.ndarray, maps: np.ndarray
    ) -> np.ndarray:
        ones, *parts = jobs
        images = maps.transpose(3, 1, 2, 4, 0).reshape(-1, *ones.in_shape)
        values = Encoding.BIPOLAR.values(kernels, self._shape.g_bits).astype(np.int64)
        codes = values * scales.astype(np.int64).reshape(-1, 1, 1, 1) + self._half
        codes = codes.transpose(3, 1, 2, 0).reshape(-1, self._outer, *ones.weights_shape[1:])
        sums = -run(ones, images, np.ones((1, *ones.weights_shape), np.uint8))[..., None]
        for job, (low, bits) in zip(parts, self._cuts, strict=True):
            found = run(job, images, self._split(codes, low, bits))
            sums = sums + (self._joined(found, bits) << low)
        return sums // 2

    def _split(self, codes: np.ndarray, low: int, bits: int) -> np.ndarray:
        """Weights (M, parts and channels, ...) of a job from the codes (M, channels, ...) of kernels."""
        parts = [(codes >> (low + bits * part)) & ((1 << bits) - 1) for part in range(self._form.split)]
        return np.concatenate(parts, axis=1).astype(np.uint8)

    def _joined(self, sums: np.ndarray, bits: int) -> np.ndarray:
        """(M, Kh, Kw, input channels, channels) from the sums of a job with `bits` a part."""
        sums = sums.reshape(*sums.shape[:3], self._inner, self._form.split, self._outer)
        return (sums << (bits * np.arange(self._form.split))[:, None]).sum(axis=4)
