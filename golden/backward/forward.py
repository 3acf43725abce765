"""The forward convolution of a layer as a job."""

import numpy as np

from .job import Job, Runner
from .shape import ConvolutionShape


class Forward:
    """One job, the layer itself: activations are images, weights are weights. `jobs`: the tuple of it."""

    def __init__(self, shape: ConvolutionShape):
        self.jobs = (
            Job(
                layer=shape.name,
                kind="forward",
                in_shape=shape.in_shape,
                out_channels=shape.channels,
                kernel=shape.kernel,
                w_bits=shape.w_bits,
                a_bits=shape.a_bits,
                **shape.spacing,
            ),
        )

    def sums(self, run: Runner, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """``sum(v_w a)``, int64 (N, Ho, Wo, Cout), of activation codes uint8 (N, H, W, C) and weight codes
        uint8 (Cout, Kh, Kw, Cin / groups)."""
        return run(self.jobs[0], activations, weights[None])
