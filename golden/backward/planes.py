"""Jobs by bit planes: AND or XNOR and popcount, as the engine computes them."""

from functools import partial

import numpy as np

from ..network.encoding import Encoding
from ..run import bitplanes
from .job import Job, run_each


def run_planes(job: Job, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sums of a job, a :data:`.job.Runner`: products of planes by AND, and the row of ones."""
    return _run(job, images, weights, xnor=False)


def run_xnor_planes(job: Job, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The same by XNOR and a constant per output channel."""
    return _run(job, images, weights, xnor=True)


def _run(job: Job, images: np.ndarray, weights: np.ndarray, xnor: bool) -> np.ndarray:
    convolve = partial(
        bitplanes.convolve, a_bits=job.a_bits, w_bits=job.w_bits, encoding=Encoding.BIPOLAR, xnor=xnor
    )
    return run_each(job, images, weights, convolve)
