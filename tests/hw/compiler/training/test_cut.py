"""dorefa.hw.compiler.training.cut: parts of jobs compute the jobs, and what cannot run is refused by name."""

import dataclasses
import re

import numpy as np
import pytest

from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.cut import parts_of

from .support import CONFIG, job_of, operands, shared_job

# (job, changes of the engine, (groups, channels) of its parts)
CUTS = [
    (job_of(), {}, [(1, 10)]),
    # 3 tiles of 3 words x 3 bits: two fit 9 words x 2 halves, and are cut in equal parts.
    (job_of(), {"weight_depth": 36}, [(1, 8), (1, 2)]),
    (job_of(), {"weight_depth": 18}, [(1, 4), (1, 4), (1, 2)]),
    (job_of(), {"weight_depth": 27, "weights": "onchip"}, [(1, 10)]),
    # Groups of 2 tiles of 2 words x 3 bits.
    (job_of(groups=2), {"weight_depth": 48}, [(2, 5)]),
    (job_of(groups=2), {"weight_depth": 24}, [(1, 5), (1, 5)]),
    (job_of(groups=2), {"weight_depth": 12}, [(1, 4), (1, 1), (1, 4), (1, 1)]),
    # 6 groups of 3 words a plane, with the same 2 tiles of 1 word x 3 bits.
    (shared_job(), {"weight_depth": 12}, [(6, 7)]),
    (shared_job(), {"weight_depth": 6}, [(6, 4), (6, 3)]),
    (shared_job(), {"image_depth": 14}, [(4, 7), (2, 7)]),
    (shared_job(), {"image_depth": 12, "weight_depth": 6}, [(4, 4), (4, 3), (2, 4), (2, 3)]),
]


@pytest.mark.parametrize(("job", "changes", "expected"), CUTS)
def test_parts_compute_the_job(job, changes, expected, rng):
    parts = parts_of(job, CONFIG.replace(**changes))
    assert [(len(part.groups), len(part.channels)) for part in parts] == expected
    images, weights = operands(job, rng)
    sums = np.full((3, *job.out_shape), 1 << 40)
    for part in parts:
        own = part.weights(weights)
        part.put(run_matrix(part.computed.part, part.images(images), own), sums)
    assert np.array_equal(sums, run_matrix(job, images, weights))


def test_no_more_groups_than_a_program_counts():
    job = shared_job(in_shape=(1, 1, 1500), kernel=(1, 1), groups=1500, out_channels=1500)
    parts = parts_of(job, CONFIG)
    assert [part.groups for part in parts] == [range(1023), range(1023, 1500)]


def refuse(job, changes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        parts_of(job, CONFIG.replace(**changes))


def test_a_tile_that_does_not_fit():
    for changes, have, least in (
        ({"weight_depth": 17}, 17, 18),
        ({"weight_depth": 8, "weights": "onchip"}, 8, 9),
    ):
        refuse(
            job_of(),
            changes,
            "job conv input 0: one tile of 4 channels needs 9 weight words per row (= 3 words x 3 bits), the "
            f"engine has weight_depth = {have}; accepted: at least {least}",
        )


def test_a_map_that_does_not_fit():
    refuse(
        job_of(groups=2),
        {"image_depth": 7},
        "job conv input 0: a map of 5x4x3 codes of 2 bits needs 8 words of 8 bits per plane, the engine has "
        "image_depth = 7; accepted: at least 8",
    )
    refuse(
        dataclasses.replace(job_of(), a_bits=1),
        {"feature_depth": 14},
        "job conv input 0: a map of 5x4x6 codes of 1 bits needs 15 words of 8 bits per plane, the engine has "
        "feature_depth = 14; accepted: at least 15",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acc_bits": 9}, "it needs acc_bits of 11, the engine has 9; accepted: at least 11"),
        ({"w_bits": 2}, "it needs w_bits of 3, the engine has 2; accepted: at least 3"),
        ({"a_bits": 1}, "it needs a_bits of 2, the engine has 1; accepted: at least 2"),
        ({"image_patch_depth": 2}, "it needs image_patch_depth of 3, the engine has 2; accepted: at least 3"),
    ],
)
def test_other_needs(changes, message):
    refuse(job_of(), changes, f"job conv input 0: {message}")
