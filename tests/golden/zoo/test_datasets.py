"""IDX reader, MNIST folder, and the shipped sample."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.zoo.datasets import digits_sample, load_mnist, read_idx


def idx_bytes(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write_set(folder, rng, *, separator="-", suffix="", train=5, test=3):
    """Four random IDX files; returns what load_mnist must find in them."""
    arrays = {
        f"train-images{separator}idx3-ubyte": rng.integers(0, 256, (train, 4, 6), np.uint8),
        f"train-labels{separator}idx1-ubyte": rng.integers(0, 10, train, np.uint8),
        f"t10k-images{separator}idx3-ubyte": rng.integers(0, 256, (test, 4, 6), np.uint8),
        f"t10k-labels{separator}idx1-ubyte": rng.integers(0, 10, test, np.uint8),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx_bytes(array)
        (folder / (name + suffix)).write_bytes(gzip.compress(content, mtime=0) if suffix else content)
    return list(arrays.values())


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


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("below", [False, True])
def test_load_mnist_finds_every_way_to_name_the_files(tmp_path, rng, separator, suffix, below):
    folder = tmp_path / "data" if below else tmp_path
    (tmp_path / "another").mkdir()
    arrays = write_set(folder, rng, separator=separator, suffix=suffix)
    found = load_mnist(tmp_path)
    np.testing.assert_array_equal(found.train_images, arrays[0][..., None])
    np.testing.assert_array_equal(found.train_labels, arrays[1])
    np.testing.assert_array_equal(found.test_images, arrays[2][..., None])
    np.testing.assert_array_equal(found.test_labels, arrays[3])


def test_load_mnist_names_the_missing_files(tmp_path, rng):
    write_set(tmp_path / "below", rng)
    (tmp_path / "below" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError) as error:
        load_mnist(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: no t10k-labels-idx1-ubyte here or one folder below; "
        "accepted: '-' or '.' before idx, with or without .gz"
    )


def test_load_mnist_refuses_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder; needed: one with the four"):
        load_mnist(tmp_path / "nowhere")


def test_load_mnist_refuses_files_that_do_not_fit_each_other(tmp_path, rng):
    write_set(tmp_path, rng)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(4, np.uint8)))
    with pytest.raises(InputError, match=r"shape \(4,\); needed: \(5,\), one label per image of"):
        load_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((4, 9), np.uint8)))
    with pytest.raises(InputError, match="rank 2; needed: 3"):
        load_mnist(tmp_path)


def test_shipped_sample_is_the_start_of_the_test_set():
    images, labels = digits_sample()
    assert images.shape == (1000, 28, 28, 1) and images.dtype == np.uint8
    assert labels.shape == (1000,) and labels.dtype == np.uint8
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(labels).tolist() == [85, 126, 116, 107, 110, 87, 87, 99, 89, 94]
    assert not images.flags.writeable
