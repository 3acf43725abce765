"""The IDX reader."""

import gzip
import tracemalloc

import numpy as np
import pytest

from dorefa.golden.data.idx import read_idx
from dorefa.golden.errors import InputError

from ...data_support import idx_bytes


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 5), (0, 28, 28)])
@pytest.mark.parametrize("compressed", [False, True])
def test_read_idx_returns_what_was_written(tmp_path, rng, shape, compressed):
    array = rng.integers(0, 256, shape, np.uint8)
    content = idx_bytes(array)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content, mtime=0) if compressed else content)
    read = read_idx(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


GOOD = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not an IDX file: starts with nothing; needed: 0000 08 and rank"),
        (b"PNG!" + GOOD, "not an IDX file: starts with 504e4721; needed: 0000 08 and rank"),
        (b"\0\0\x0d\x01\0\0\0\0", "IDX element type 0x0d; needed: 0x08, unsigned bytes"),
        (GOOD[:9], "truncated in the IDX header: 9 bytes; needed: 12"),
        (GOOD[:-1], "truncated: 17 bytes; needed: 18 for shape (2, 3)"),
        (GOOD + b"\0", "has bytes left over; needed: 18 for shape (2, 3)"),
        (b"\0\0\x08\0", "IDX rank 0; accepted: 1 to 8"),
        (b"\0\0\x08\x41" + b"\0\0\0\1" * 65, "IDX rank 65; accepted: 1 to 8"),
        (
            b"\0\0\x08\x03" + b"\xff" * 12,
            "claims shape (4294967295, 4294967295, 4294967295); accepted: at most",
        ),
        (
            b"\0\0\x08\x02" + bytes(4) + b"\xff" * 4,
            "claims shape (0, 4294967295); accepted: at most 536870912 el",
        ),
        (b"\0\0\x08\x01\x20\0\0\0x", "truncated: 9 bytes; needed: 536870920 for shape (536870912,)"),
        (gzip.compress(GOOD + b"\0", mtime=0), "has bytes left over; needed: 18 for shape (2, 3)"),
        (gzip.compress(GOOD, mtime=0)[:-9], "cannot be read (gzip: the file ends too early)"),
    ],
)
def test_bad_idx_files_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "bad-idx"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_a_gzip_that_unpacks_to_more_than_it_claims_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(GOOD + bytes(1 << 28), mtime=0))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"has bytes left over; needed: 18 for shape \(2, 3\)$"):
        read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_missing_idx_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing-here: cannot be read .No such file"):
        read_idx(tmp_path / "nothing-here")
