"""Planted faults in operands, runners and windows: the comparison with direct sums finds each."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden.backward import input as backward_input
from dorefa.golden.backward import weight as backward_weight
from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.random.backward import ConvolutionCase

from .direct import differing


@pytest.fixture
def case(rng):
    """Strided in rows, padded, three channels in and four out, two samples."""
    shape = ConvolutionShape(
        name="layer",
        in_shape=(8, 7, 3),
        channels=4,
        kernel=(3, 3),
        stride=(2, 1),
        padding=1,
        w_bits=2,
        a_bits=2,
        g_bits=3,
    )
    return ConvolutionCase(
        shape,
        activations=rng.integers(0, 4, (2, *shape.in_shape), dtype=np.uint8),
        weights=rng.integers(0, 4, shape.weights_shape, dtype=np.uint8),
        gradients=rng.integers(0, 8, (2, *shape.out_shape), dtype=np.uint8),
        scales=np.array([3, 15]),
    )


def test_without_a_fault_nothing_differs(case):
    assert differing(case, run_matrix) == set()


def without_border(job, images, weights):
    return run_matrix(job, images, weights) * (job.kind != "border")


def border_of_zeros(job, images, weights):
    return run_matrix(job, images * (job.kind != "border"), weights)


def not_turned(job, images, weights):
    turned = job.kind in ("input", "border")
    return run_matrix(job, images, weights[:, :, ::-1, ::-1] if turned else weights)


def not_transposed(job, images, weights):
    if job.kind in ("input", "border"):
        weights = np.roll(weights, 1, axis=1)
    return run_matrix(job, images, weights)


def groups_have_their_own(job, images, weights):
    """What an engine does that goes on in its weight memory: the next group has the next weights."""
    if not job.shared_weights:
        return run_matrix(job, images, weights)
    own = np.concatenate([np.roll(weights, group, axis=1) for group in range(job.groups)], axis=1)
    return run_matrix(replace(job, shared_weights=False), images, own)


def weights_of_the_first_sample(job, images, weights):
    return run_matrix(job, images, weights[:1])


def without_sum_of_activations(job, images, weights):
    sums = run_matrix(job, images, weights)
    return sums * (job.form != "B" or job.w_bits != 1)


def planes_swapped(job, images, weights):
    """Of parts of a widened gradient, the bits in the wrong order."""
    swapped = job.form == "B" and job.w_bits > 1
    return run_matrix(
        job, images, ((weights >> 1) | ((weights & 1) << (job.w_bits - 1))) if swapped else weights
    )


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (without_border, {"input"}),
        (border_of_zeros, {"input"}),
        (not_turned, {"input"}),
        (not_transposed, {"input"}),
        (groups_have_their_own, {"P", "B"}),
        (weights_of_the_first_sample, {"P"}),
        (without_sum_of_activations, {"B"}),
        (planes_swapped, {"B"}),
    ],
)
def test_faults_of_operands_and_runners_are_found(case, fault, found):
    assert differing(case, fault) == found


def test_a_phase_of_inputs_off_by_one_is_found(case, monkeypatch):
    phase = backward_input._phase

    def off_by_one(shape, axis, first):
        made = phase(shape, axis, first)
        other = slice((first + 1) % shape.stride[axis], made.target.stop, made.target.step)
        return replace(made, target=other)

    monkeypatch.setattr(backward_input, "_phase", off_by_one)
    assert differing(case, run_matrix) == {"input"}


@pytest.mark.parametrize("fault", ["phase", "padding", "last band"])
def test_windows_of_weights_that_are_wrong_are_found(case, monkeypatch, fault):
    weight_windows = backward_weight.weight_windows

    def wrong(shape, axis, longest):
        made = list(weight_windows(shape, axis, longest))
        if fault == "last band":
            return made[:-1]
        for number, windows in enumerate(made):
            if fault == "phase" and windows.activations.start >= 1:
                own = windows.activations
                made[number] = replace(windows, activations=slice(own.start - 1, own.stop - 1, own.step))
            if fault == "padding":
                made[number] = replace(windows, padding=windows.padding[::-1])
        return made

    monkeypatch.setattr(backward_weight, "weight_windows", wrong)
    assert differing(case, run_matrix, longest=3) == {"P", "B"}


def test_a_wrong_constant_of_the_batch_is_found(case, monkeypatch):
    planned = backward_weight.BackwardWeight.__init__

    def wrong(self, *arguments):
        planned(self, *arguments)
        self._half += self._form.name == "B"

    monkeypatch.setattr(backward_weight.BackwardWeight, "__init__", wrong)
    assert differing(case, run_matrix) == {"B"}
