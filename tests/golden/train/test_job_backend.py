"""Convolutions of a step by jobs: the sums of the operands, and the form of weight gradients."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden.backward.planes import run_planes
from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.backward.weight import WeightForm
from dorefa.golden.train.job_backend import JobBackend, form_by_pixels

SHAPE = ConvolutionShape(name="conv", in_shape=(5, 4, 2), channels=3, kernel=2, w_bits=1, a_bits=2, g_bits=3)


class Recorded:
    """A runner by bit planes that remembers its jobs."""

    def __init__(self):
        self.jobs = []

    def __call__(self, job, images, weights):
        self.jobs.append(job)
        return run_planes(job, images, weights)


@pytest.mark.parametrize("split", [1, 3])
@pytest.mark.parametrize("form", ["P", "B"])
def test_the_three_convolutions(form, split, rng):
    run = Recorded()
    backend = JobBackend(run, 1, lambda shape, batch: WeightForm(form, split))
    activations = rng.integers(0, 4, (2, 5, 4, 2), dtype=np.uint8)
    weights = rng.integers(0, 2, SHAPE.weights_shape, dtype=np.uint8)
    gradients = rng.integers(0, 8, (2, *SHAPE.out_shape), dtype=np.uint8)
    scales = np.array([3, 14])
    v_w, v_g, a = 2 * weights.astype(int) - 1, 2 * gradients.astype(int) - 7, activations.astype(int)
    forward, inputs, taps = np.zeros(v_g.shape, int), np.zeros(a.shape, int), np.zeros(v_w.shape, int)
    for ky, kx in np.ndindex(2, 2):
        window = slice(None), slice(ky, ky + 4), slice(kx, kx + 3)
        forward += np.einsum("nyxi,oi->nyxo", a[window], v_w[:, ky, kx])
        inputs[window] += np.einsum("nyxo,oi->nyxi", v_g, v_w[:, ky, kx])
        taps[:, ky, kx] = np.einsum("n,nyxo,nyxi->oi", scales, v_g, a[window])
    assert np.array_equal(backend.forward(SHAPE, activations, weights), forward)
    assert np.array_equal(backend.backward_input(SHAPE, gradients, weights), inputs)
    assert np.array_equal(backend.backward_weight(SHAPE, gradients, scales, activations), taps)
    assert [(job.kind, job.form) for job in run.jobs] == [
        ("forward", ""),
        ("border", ""),
        ("input", ""),
        *[("weight", form)] * (1 if form == "P" else 2),
    ]


def test_maps_of_few_gradients_take_the_batch_together():
    assert form_by_pixels(SHAPE, 8) == WeightForm("B") and form_by_pixels(SHAPE, 1) == WeightForm("P")
    assert form_by_pixels(replace(SHAPE, in_shape=(5, 5, 2)), 8) == WeightForm("P")
