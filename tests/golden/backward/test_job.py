"""Jobs: what follows from their fields, what of operands is refused."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.backward.planes import run_planes, run_xnor_planes
from dorefa.golden.errors import InputError

JOB = Job(
    layer="conv1",
    kind="weight",
    form="P",
    part=2,
    in_shape=(5, 6, 4),
    out_channels=8,
    kernel=(3, 2),
    padding=(1, 0, 0, 1),
    groups=4,
    w_bits=6,
    a_bits=2,
    shared_weights=True,
)


def test_sizes():
    assert JOB.name == "conv1 weight P 2" and replace(JOB, form="", kind="input").name == "conv1 input 2"
    assert JOB.out_shape == (4, 6, 8) and JOB.weights_shape == (2, 3, 2, 1)
    assert replace(JOB, shared_weights=False).weights_shape == (8, 3, 2, 1)
    assert JOB.macs == 4 * 6 * 8 * 3 * 2


def test_images_of_a_step():
    each = replace(JOB, images_each=3)
    assert each.images(8) == 24 and replace(each, kind="forward", form="").images(8) == 24
    assert replace(each, form="B").images(8) == 3
    assert replace(JOB, kind="border", form="").images(8) == 1


@pytest.mark.parametrize("run", [run_matrix, run_planes, run_xnor_planes])
@pytest.mark.parametrize("sets", [1, 3])
def test_shared_weights_are_those_of_every_group(run, sets, rng):
    images = rng.integers(0, 4, (3, *JOB.in_shape), dtype=np.uint8)
    weights = rng.integers(0, 64, (sets, *JOB.weights_shape), dtype=np.uint8)
    sums = run(JOB, images, weights)
    apart = replace(JOB, shared_weights=False)
    assert sums.shape == (3, *JOB.out_shape) and sums.dtype == np.int64
    assert np.array_equal(sums, run(apart, images, np.tile(weights, (1, 4, 1, 1, 1))))
    for image in range(3):
        window = images[image, 1:4, 2:4, 3].astype(int)
        values = 2 * weights[image % sets, 1, :, :, 0].astype(int) - 63
        # Group 3, its channel 1, row 2: one row of padding above.
        assert sums[image, 2, 2, 7] == (window * values).sum()


OPERANDS = {"images": np.zeros((2, 5, 6, 4), np.uint8), "weights": np.zeros((1, 2, 3, 2, 1), np.uint8)}


@pytest.mark.parametrize("run", [run_matrix, run_planes])
@pytest.mark.parametrize(
    ("operand", "value", "message"),
    [
        ("images", np.zeros((2, 5, 6, 4)), "images are float64 (2, 5, 6, 4); accepted: uint8 (N, 5, 6, 4)"),
        (
            "images",
            np.zeros((0, 5, 6, 4), np.uint8),
            "images are uint8 (0, 5, 6, 4); accepted: uint8 (N, 5, 6, 4)",
        ),
        (
            "weights",
            np.zeros((1, 8, 3, 2, 1), np.uint8),
            "weights are uint8 (1, 8, 3, 2, 1); accepted: uint8 (N, 2, 3, 2, 1)",
        ),
        ("weights", np.zeros((3, 2, 3, 2, 1), np.uint8), "3 sets of weights; accepted: 1 or 2, one an image"),
    ],
)
def test_operands_of_other_jobs_are_refused(run, operand, value, message):
    with pytest.raises(InputError) as caught:
        run(JOB, **(OPERANDS | {operand: value}))
    assert str(caught.value) == f"job conv1 weight P 2: {message}"
