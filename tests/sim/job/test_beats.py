"""dorefa.sim.job.beats: packets as beats."""

import numpy as np
import pytest

from dorefa.sim.job.beats import Beat, beats, image_packet


def test_the_last_beat_may_be_partial():
    assert list(beats(b"\x01\x02\x03\x04\x05", 2)) == [
        Beat(data=0x0201, keep=3, last=False),
        Beat(data=0x0403, keep=3, last=False),
        Beat(data=0x05, keep=1, last=True),
    ]
    assert list(beats(b"\x01\x02", 2)) == [Beat(data=0x0201, keep=3, last=True)]


@pytest.mark.parametrize("width", [1, 3, 8])
def test_beats_hold_the_image(width, rng):
    image = rng.integers(0, 256, (3, 5, 2)).astype(np.uint8)
    # A part of a larger array, whose bytes do not lie side by side.
    found = list(beats(image_packet(image[:, ::2]), width))
    data = b"".join(beat.data.to_bytes(width, "little")[: beat.keep.bit_length()] for beat in found)
    assert data == bytes(image[:, ::2].reshape(-1).tolist())
    assert [beat.last for beat in found] == [False] * (len(found) - 1) + [True]
