"""Jobs by matrix products."""

from typing import Any

import numpy as np

from ..network.encoding import Encoding
from ..run import matmul
from .job import Job, run_each


def run_matrix(job: Job, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sums of a job, a :data:`.job.Runner`: float32 products where no sum can reach 2^24, float64 below
    2^53, InputError beyond (:func:`dorefa.golden.run.matmul.convolve`)."""

    def convolve(codes: np.ndarray, of_weights: np.ndarray, **spacing: Any) -> np.ndarray:
        return matmul.convolve(codes, Encoding.BIPOLAR.values(of_weights, job.w_bits), **spacing)

    return run_each(job, images, weights, convolve)
