"""What one pass of a forward bit-convolution engine computes, and what a runner of it is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..network.geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class Job(Geometry):
    """A convolution of unsigned codes with bipolar weight codes that a training step asks for again and again
    with other operands: ``sum((2 w - n_w) a)`` with ``n_w = 2^w_bits - 1``, code 0 in the padding.

    `layer`: name of the layer it serves; `kind`: ``forward``, ``input`` (gradients and weights), ``border``
    (a map of ones and weights) or ``weight`` (activations and gradients); `form` of ``weight``: ``P`` or
    ``B``; `part`: its number among the jobs of that layer and kind. `in_shape` (H, W, C) of its images,
    `out_channels` of its results, all groups together. `shared_weights`: every channel group has the same
    weights, which are given once. `images_each`: its images for every sample, those of a layer's channel
    groups where each is an image of its own; for a batch where the batch is in the reduction (form B) or no
    sample counts (``border``).
    """

    layer: str
    kind: str
    form: str = ""
    part: int = 0
    in_shape: tuple[int, int, int]
    out_channels: int
    w_bits: int
    a_bits: int
    shared_weights: bool = False
    images_each: int = 1

    def __post_init__(self) -> None:
        self._normalize(f"job {self.name}:")

    @property
    def name(self) -> str:
        """Layer, kind, form and part, as reports show them."""
        return " ".join(filter(None, (self.layer, self.kind, self.form, str(self.part))))

    @property
    def weights_shape(self) -> tuple[int, int, int, int]:
        """(channels, Kh, Kw, Cin / groups) of the weights as they are given."""
        channels = self.out_channels // self.groups if self.shared_weights else self.out_channels
        return (channels, *self.kernel, self.in_shape[2] // self.groups)

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(Ho, Wo, channels) of the sums of one image."""
        return (*self.output_size(self.in_shape[:2]), self.out_channels)

    @property
    def macs(self) -> int:
        """Products of an image, those of padded positions included."""
        rows, columns, channels = self.out_shape
        return rows * columns * channels * self.area * (self.in_shape[2] // self.groups)

    def images(self, batch: int) -> int:
        """Images that a step with `batch` samples runs through it."""
        return self.images_each if self.kind == "border" or self.form == "B" else self.images_each * batch

    def check(self, images: np.ndarray, weights: np.ndarray) -> None:
        """InputError for operands of other dtypes or shapes than a :data:`Runner` takes."""
        for name, array, shape in (
            ("images", images, self.in_shape),
            ("weights", weights, self.weights_shape),
        ):
            if array.dtype != np.uint8 or array.shape[1:] != shape or not len(array):
                raise InputError(
                    f"job {self.name}: {name} are {array.dtype} {array.shape}; accepted: uint8 (N, "
                    f"{str(shape)[1:]}"
                )
        if len(weights) not in (1, len(images)):
            raise InputError(
                f"job {self.name}: {len(weights)} sets of weights; accepted: 1 or {len(images)}, one an image"
            )


# run(job, images uint8 (N, H, W, C), weights uint8 (M, *job.weights_shape), M = 1 for the same weights for
# all images, or N) -> int64 (N, Ho, Wo, out_channels).
Runner = Callable[[Job, np.ndarray, np.ndarray], np.ndarray]


# Sums int64 of images (N, H, W, C) with one set of weights, for the geometry given as keywords.
Convolution = Callable[..., np.ndarray]


def run_each(job: Job, images: np.ndarray, weights: np.ndarray, convolve: Convolution) -> np.ndarray:
    """What a :data:`Runner` returns, by ``convolve(images, weights of all of them, stride=, ...)``.

    Channel groups that share weights are images of their own for it, and images with their own weights are
    convolved one by one.
    """
    job.check(images, weights)
    spacing = job.spacing
    groups = job.groups if job.shared_weights else 1
    apart = images.reshape(*images.shape[:3], groups, -1).transpose(0, 3, 1, 2, 4)
    if job.shared_weights:
        spacing["groups"] = 1
    if len(weights) == 1:
        sums = convolve(apart.reshape(-1, *apart.shape[2:]), weights[0], **spacing)
    else:
        pairs = zip(apart, weights, strict=True)
        sums = np.concatenate([convolve(own, of_image, **spacing) for own, of_image in pairs])
    sums = sums.reshape(len(images), groups, *sums.shape[1:])
    return sums.transpose(0, 2, 3, 1, 4).reshape(len(images), *job.out_shape)
