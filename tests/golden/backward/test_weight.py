"""Jobs of weight gradients: forms, phases, bands, widths of parts."""

import numpy as np
import pytest

from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.backward.weight import BackwardWeight, WeightForm
from dorefa.golden.errors import InputError
from dorefa.golden.quantizers.gradient import SCALE_BITS

LAYER = {"name": "conv", "channels": 32, "w_bits": 1, "a_bits": 2}


def planned(name, batch=8, longest=63, g_bits=6, split=1, **fields):
    shape = ConvolutionShape(**LAYER, g_bits=g_bits, **fields)
    return BackwardWeight(shape, WeightForm(name, split), batch, longest)


def test_form_p_is_one_job_for_all_input_channels():
    [job] = planned("P", in_shape=(12, 12, 16), kernel=3, padding=1).jobs
    assert job.in_shape == (12, 12, 16) and job.groups == 16 and job.shared_weights
    assert job.kernel == (12, 12) and job.padding == (1, 1, 1, 1) and job.out_shape == (3, 3, 512)
    assert job.weights_shape == (32, 12, 12, 1) and (job.w_bits, job.a_bits) == (6, 2)
    assert job.images(8) == 8


def test_channel_groups_are_images():
    [job] = planned("P", in_shape=(12, 12, 16), kernel=3, groups=4).jobs
    assert job.in_shape == (12, 12, 4) and job.groups == 4 and job.weights_shape == (8, 10, 10, 1)
    assert job.images(8) == 32
    assert {job.images(8) for job in planned("B", in_shape=(12, 12, 16), kernel=3, groups=4).jobs} == {4}


@pytest.mark.parametrize("g_bits", range(1, 9))
def test_form_b_is_a_job_for_every_part_of_the_batch(g_bits):
    ones, *parts = planned("B", in_shape=(4, 4, 16), kernel=4, g_bits=g_bits).jobs
    assert sum(job.w_bits for job in parts) == g_bits + SCALE_BITS + 1
    assert max(job.w_bits for job in parts) <= 8 and ones.w_bits == 1
    assert [job.part for job in (ones, *parts)] == list(range(len(parts) + 1))
    for job in (ones, *parts):
        assert job.in_shape == (4, 4, 128) and job.groups == 16 and job.shared_weights
        assert job.kernel == (1, 1) and job.images(8) == 1
    assert {job.weights_shape for job in parts} == {(32, 1, 1, 8)}
    assert ones.weights_shape == (1, 1, 1, 8) and ones.out_channels == 16


@pytest.mark.parametrize("form", ["P", "B"])
def test_strides_and_dilation_are_phases_without_holes(form):
    made = planned(form, in_shape=(14, 14, 2), kernel=3, stride=2, dilation=(1, 3), padding=1).jobs
    assert {job.dilation for job in made} == {(1, 1)} and {job.stride for job in made} == {(1, 3)}
    assert len(made) == 4 * (1 if form == "P" else 3)
    # Every second of 14 columns with one of padding; taps 0 and 2 are three of these apart, tap 1 is alone.
    assert {(job.in_shape[1], job.padding[1], job.kernel[1], job.out_shape[1]) for job in made} == {
        (7, 1, 5, 2),
        (5, 0, 5, 1),
    }


@pytest.mark.parametrize("longest", [63, 20, 7])
def test_large_maps_are_bands(longest, rng):
    shape = ConvolutionShape(**LAYER | {"channels": 2}, g_bits=2, in_shape=(70, 64, 1), kernel=3, padding=1)
    planner = BackwardWeight(shape, WeightForm("P"), 2, longest)
    bands = [-(-size // longest) for size in (70, 64)]
    assert len(planner.jobs) == bands[0] * bands[1]
    assert max(max(job.kernel) for job in planner.jobs) <= longest
    assert sum(job.area for job in planner.jobs) == 70 * 64
    assert [job.part for job in planner.jobs] == list(range(len(planner.jobs)))
    gradients = rng.integers(0, 4, (2, 70, 64, 2), dtype=np.uint8)
    activations = rng.integers(0, 4, (2, 70, 64, 1), dtype=np.uint8)
    found = planner.sums(run_matrix, gradients, np.array([1, 9]), activations)
    scaled = (2 * gradients.astype(int) - 3) * np.array([1, 9])[:, None, None, None]
    padded = np.pad(activations[..., 0].astype(int), ((0, 0), (1, 1), (1, 1)))
    for ky, kx in np.ndindex(3, 3):
        window = padded[:, ky : ky + 70, kx : kx + 64, None]
        assert np.array_equal(found[:, ky, kx, 0], (scaled * window).sum(axis=(0, 1, 2)))


def test_taps_that_meet_padding_alone_have_no_job():
    shape = {"in_shape": (2, 3, 1), "kernel": (1, 1), "stride": 3, "padding": (1, 0, 0, 0)}
    assert planned("P", **shape).jobs == ()


def test_the_runner_sees_the_whole_batch_once():
    seen = []

    def run(job, images, weights):
        seen.append((job.form, job.part, len(images), len(weights)))
        return run_matrix(job, images, weights)

    for form in "PB":
        planner = planned(form, batch=5, in_shape=(3, 3, 4), kernel=2, groups=2)
        gradients, activations = np.ones((5, 2, 2, 32), np.uint8), np.ones((5, 3, 3, 4), np.uint8)
        planner.sums(run, gradients, np.ones(5, int), activations)
    assert seen == [("P", 0, 10, 10), ("B", 0, 2, 1), ("B", 1, 2, 2), ("B", 2, 2, 2)]


@pytest.mark.parametrize("g_bits", range(1, 9))
@pytest.mark.parametrize("split", [2, 3, 8, 20])
def test_parts_of_codes_are_channels(split, g_bits):
    [job] = planned("P", in_shape=(12, 12, 16), kernel=3, g_bits=g_bits, split=split).jobs
    bits = -(-g_bits // split)
    assert (job.w_bits, job.weights_shape, job.out_shape[2]) == (bits, (32 * split, 10, 10, 1), 512 * split)
    ones, *parts = planned("B", in_shape=(4, 4, 16), kernel=4, g_bits=g_bits, split=split).jobs
    whole = g_bits + SCALE_BITS + 1
    assert len(parts) == -(-whole // (8 * split)) and max(job.w_bits for job in parts) <= 8
    assert whole <= split * sum(job.w_bits for job in parts) < whole + split
    assert {job.weights_shape[0] for job in parts} == {32 * split} and ones.out_channels == 16


@pytest.mark.parametrize("split", [1, 2, 3, 5, 17])
@pytest.mark.parametrize("form", ["P", "B"])
def test_extremes_of_all_operands(form, split):
    """The greatest scale and codes of either end, of eight bits: what the widths of the parts must hold."""
    shape = ConvolutionShape(
        name="fc", in_shape=(1, 1, 3), channels=2, kernel=1, w_bits=8, a_bits=8, g_bits=8
    )
    gradients = np.array([[0, 255], [255, 255], [0, 0]], np.uint8).reshape(3, 1, 1, 2)
    activations = np.full((3, 1, 1, 3), 255, np.uint8)
    scales = np.array([1 << SCALE_BITS, 1 << SCALE_BITS, 0])
    sums = BackwardWeight(shape, WeightForm(form, split), 3).sums(run_matrix, gradients, scales, activations)
    most = 255 * 255 << SCALE_BITS
    assert sums[:, 0, 0].tolist() == [[0] * 3, [2 * most] * 3]


def test_what_is_no_plan_is_refused():
    fields = {"in_shape": (3, 3, 4), "kernel": 2}
    with pytest.raises(InputError) as caught:
        planned("Q", **fields)
    assert str(caught.value) == "layer conv: form is 'Q'; accepted: P, B"
    with pytest.raises(InputError) as caught:
        planned("P", split=0, **fields)
    assert str(caught.value) == "layer conv: split is 0; accepted: an integer >= 1"
    with pytest.raises(InputError) as caught:
        planned("P", batch=0, **fields)
    assert str(caught.value) == "layer conv: batch is 0; accepted: an integer >= 1"
    gradients, activations = np.zeros((3, 2, 2, 32), np.uint8), np.zeros((4, 3, 3, 4), np.uint8)
    with pytest.raises(InputError) as caught:
        planned("P", batch=4, **fields).sums(run_matrix, gradients, np.ones(3, int), activations)
    assert str(caught.value) == (
        "layer conv: 3 gradients, 3 scales and 4 maps of activations; accepted: 4 each, one a sample"
    )
    for low, high in ((-1, 3), (0, (1 << SCALE_BITS) + 1)):
        gradients, scales = np.zeros((2, 2, 2, 32), np.uint8), np.array([low, high])
        with pytest.raises(InputError) as caught:
            planned("P", batch=2, **fields).sums(run_matrix, gradients, scales, activations[:2])
        assert str(caught.value) == (
            f"layer conv: scales of {low} to {high}; accepted: 0 to {1 << SCALE_BITS}"
        )
