"""dorefa.hw.compiler.training.job_pass: packets, descriptors and sums of a job."""

import re

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.compiler.map_layout import MapLayout
from dorefa.hw.compiler.training.job_pass import JobPass, map_layout

from ...support import decode
from .support import CONFIG, job_of, operands, shared_job


def test_a_channel_group_is_a_block():
    assert map_layout(job_of()) == MapLayout.dense((5, 4, 6))
    assert map_layout(job_of(groups=2)) == MapLayout(shape=(5, 4, 6), blocks=2, channels=3)
    assert map_layout(shared_job()) == MapLayout(shape=(5, 4, 6), blocks=6, channels=1)


def test_packets_of_a_dense_map(rng):
    images, _ = operands(job_of(), rng)
    own = JobPass(part=job_of(), config=CONFIG)
    assert own.image_bytes == 120
    assert own.packets(images).tobytes() == images.tobytes()


def test_packets_in_blocks_that_begin_with_a_word(rng):
    images, _ = operands(shared_job(), rng)
    own = JobPass(part=shared_job(), config=CONFIG)
    # 20 codes in 3 words of 8 bits per plane, for each of 6 channels.
    assert own.image_bytes == 144
    for image, packet in zip(images, own.packets(images), strict=True):
        for channel in range(6):
            block = packet[24 * channel : 24 * (channel + 1)]
            assert block[:20].tolist() == image[..., channel].ravel().tolist() and not block[20:].any()


def test_descriptors_say_what_is_shared_and_that_sums_are_bare():
    for job in (job_of(), shared_job()):
        values = decode(CONFIG, JobPass(part=job, config=CONFIG).descriptor)
        assert values["shared_weights"] == job.shared_weights and values["bare_sums"] == values["raw"] == 1
        assert values["ends_image"] == 1 and values["pixel_groups"] == values["param_base"] == 0


def test_weights_of_shared_groups_are_there_once():
    # 42 / 6 channels are 2 tiles of 4 rows, K = 6 is one word.
    assert JobPass(part=shared_job(), config=CONFIG).geometry.weight_words == 2 * 3
    assert JobPass(part=shared_job(shared_weights=False), config=CONFIG).geometry.weight_words == 6 * 2 * 3


@pytest.mark.parametrize("encoding", ["bipolar", "any"])
@pytest.mark.parametrize("job", [job_of(groups=2), shared_job()], ids=["own", "shared"])
def test_constants_are_what_xnor_products_lack(job, encoding, rng):
    _, weights = operands(job, rng)
    own = JobPass(part=job, config=CONFIG.replace(encoding=encoding))
    found = own.constants(weights)
    assert found.shape == (3, job.out_channels)
    if encoding == "any":
        assert not found.any()
        return
    for codes, constants in zip(weights, found, strict=True):
        # Counts of zeros: of unused lanes, and of activations that are all ones.
        for channel in range(job.out_channels):
            plane_sums = codes[channel % len(codes)].astype(int).sum()
            assert constants[channel] == 3 * (plane_sums - 16 * -(-codes[0].size // 16) * 7)


def test_answers_are_sums_with_their_constants(rng):
    job = job_of(out_channels=4)
    own = JobPass(part=job, config=CONFIG)
    _, weights = operands(job, rng, weights=1)
    bare = rng.integers(-(1 << 27), 1 << 27, (2, *job.out_shape), np.int32)
    sums = own.answers(bare.reshape(2, -1).view(np.uint8), weights)
    assert sums.dtype == np.int64 and np.array_equal(sums, bare + own.constants(weights)[0])
    assert own.result_bytes == bare[0].nbytes


def test_needs_leave_out_what_only_codes_need():
    needs = JobPass(part=shared_job(), config=CONFIG).needs
    assert not {"out_bits", "param_depth", "pool_depth", "line_depth"} & set(needs)
    assert needs["weight_depth"].least == 2 * 2 * 3 and needs["image_depth"].least == 6 * 3
    assert {need.layer for need in needs.values()} == {"conv weight P 0"}


def test_a_field_that_is_too_narrow():
    job = job_of(in_shape=(90, 2, 1), kernel=(64, 1))
    message = "layer conv input 0: program field row_rounds = 64 does not fit its 7 bits; accepted: 1 to 63"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        JobPass(part=job, config=CONFIG).descriptor  # noqa: B018
