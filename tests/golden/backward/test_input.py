"""Jobs of input gradients: how many, where they have a border, what they leave out."""

import numpy as np

from dorefa.golden.backward.input import BackwardInput
from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.backward.shape import ConvolutionShape

WIDTHS = {"w_bits": 1, "a_bits": 2, "g_bits": 6}


def jobs(**fields):
    """Those of a layer of 16 channels in, 32 out."""
    shape = ConvolutionShape(name="conv", channels=32, **WIDTHS, **fields)
    return BackwardInput(shape).jobs


def test_a_padded_layer_has_a_border():
    border, job = jobs(in_shape=(12, 12, 16), kernel=3, padding=1)
    assert (border.kind, border.a_bits, border.images(8)) == ("border", 1, 1)
    assert (job.kind, job.a_bits, job.images(8)) == ("input", 6, 8)
    for each in border, job:
        assert each.in_shape == (12, 12, 32) and each.out_shape == (12, 12, 16)
        assert each.kernel == (3, 3) and each.padding == (1, 1, 1, 1) and each.w_bits == 1


def test_a_kernel_of_one_pixel_has_no_border():
    [job] = jobs(in_shape=(5, 6, 16), kernel=1)
    assert job.kind == "input" and job.padding == (0, 0, 0, 0)


def test_a_layer_that_covers_its_map_is_fully_connected():
    [job] = jobs(in_shape=(4, 4, 16), kernel=4)
    assert job.in_shape == (1, 1, 32) and job.out_shape == (1, 1, 256) and job.kernel == (1, 1)


def test_strides_are_phases_without_holes():
    made = [job for job in jobs(in_shape=(9, 8, 16), kernel=3, stride=2, padding=1) if job.kind == "input"]
    assert [job.part for job in made] == [0, 1, 2, 3]
    assert [job.out_shape[:2] for job in made] == [(5, 4), (5, 4), (4, 4), (4, 4)]
    assert [job.kernel for job in made] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert {job.stride for job in made} == {job.dilation for job in made} == {(1, 1)}
    taps = sum(job.kernel[0] * job.kernel[1] for job in made)
    assert taps == 9


def test_phases_that_no_tap_reaches_have_no_job(rng):
    shape = ConvolutionShape(name="conv", in_shape=(7, 7, 2), channels=3, kernel=1, stride=2, **WIDTHS)
    planner = BackwardInput(shape)
    assert [job.out_shape for job in planner.jobs] == [(4, 4, 2)]
    gradients = rng.integers(0, 64, (2, 4, 4, 3), dtype=np.uint8)
    sums = planner.sums(run_matrix, gradients, np.ones((3, 1, 1, 2), np.uint8))
    expected = (2 * gradients.astype(int) - 63).sum(axis=3)
    assert np.array_equal(sums[:, ::2, ::2], np.stack([expected, expected], axis=3))
    assert not sums[:, 1::2].any() and not sums[:, :, 1::2].any()


def test_gradients_of_the_padding_are_left_out():
    """Two columns of gradients lie beside a map of three with three columns of padding before it."""
    shape = {"in_shape": (3, 3, 16), "kernel": (1, 2), "padding": (0, 3, 0, 0)}
    border, job = jobs(**shape)
    assert ConvolutionShape(name="conv", channels=32, **WIDTHS, **shape).out_shape[:2] == (3, 5)
    assert job.in_shape == (3, 3, 32) and job.padding == (0, 0, 0, 1)


def test_gradients_beside_the_map_reach_no_input():
    assert jobs(in_shape=(3, 1, 16), kernel=1, padding=(0, 1, 0, 0), stride=(1, 2)) == ()


def test_dilation_goes_with_the_stride():
    made = jobs(in_shape=(13, 13, 16), kernel=3, stride=2, dilation=(3, 2))
    assert {job.dilation for job in made} == {(3, 1)}


def test_the_runner_sees_the_whole_batch_once():
    shape = ConvolutionShape(name="conv", in_shape=(6, 6, 2), channels=3, kernel=3, padding=1, **WIDTHS)
    seen = []

    def run(job, images, weights):
        seen.append((job.kind, len(images), len(weights)))
        return run_matrix(job, images, weights)

    BackwardInput(shape).sums(run, np.ones((5, 6, 6, 3), np.uint8), np.ones(shape.weights_shape, np.uint8))
    assert seen == [("border", 1, 1), ("input", 5, 1)]
