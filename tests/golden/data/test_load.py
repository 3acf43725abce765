"""A folder is one data set of one kind, of the network's shape and classes."""

import gzip
from functools import partial

import numpy as np
import pytest

from dorefa.golden.data.load import ACCEPTED, KINDS, data_files, load_data
from dorefa.golden.data.svhn import enlarge
from dorefa.golden.errors import InputError

from ...data_support import (
    idx_bytes,
    random_arrays,
    write_arrays,
    write_cifar,
    write_idx,
    write_png,
    write_svhn,
)

RGB = (32, 32, 3)


def same(data, arrays):
    found = data.train_images, data.train_labels, data.test_images, data.test_labels
    for one, other in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    assert data.train_images.dtype == data.test_images.dtype == np.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    assert data.train_images.flags.c_contiguous and data.test_images.flags.c_contiguous


def refusal(folder, shape=RGB, classes=10):
    with pytest.raises(InputError) as error:
        load_data(folder, shape, classes)
    assert str(error.value).isprintable()
    return str(error.value)


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("below", [False, True])
def test_idx_under_every_name(tmp_path, rng, separator, suffix, below):
    arrays = random_arrays(rng, (4, 6))
    (tmp_path / "another").mkdir()
    (tmp_path / "file").touch()
    folder = tmp_path / "data" if below else tmp_path
    pack = partial(gzip.compress, mtime=0) if suffix else bytes
    write_idx(folder, arrays, separator=separator, suffix=suffix, pack=pack)
    images = [array[..., None] if array.ndim == 3 else array for array in arrays]
    same(load_data(tmp_path, (4, 6, 1), 10), images)
    assert {path.parent for path in data_files(tmp_path)} == {folder} and len(list(data_files(tmp_path))) == 4


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (5, 3, 2), (3, 3, 7)])
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">u2"])
def test_arrays_of_any_channels(tmp_path, rng, shape, dtype):
    arrays = random_arrays(rng, shape)
    write_arrays(tmp_path, [array.astype(dtype) if array.ndim == 1 else array for array in arrays])
    shape = (*shape, 1)[:3]
    arrays = [array if array.ndim == 1 else array.reshape(-1, *shape) for array in arrays]
    same(load_data(tmp_path, shape, 10), arrays)


def test_arrays_in_the_other_order(tmp_path, rng):
    arrays = random_arrays(rng, (4, 6, 3))
    write_arrays(tmp_path, list(map(np.asfortranarray, arrays)))
    same(load_data(tmp_path, (4, 6, 3), 10), arrays)


@pytest.mark.parametrize("write", [write_svhn, write_cifar, write_arrays])
@pytest.mark.parametrize("below", [False, True])
def test_color_images_of_32x32(tmp_path, rng, write, below):
    arrays = random_arrays(rng, RGB)
    write(tmp_path / "cifar-10-batches-bin" if below else tmp_path, arrays)
    same(load_data(tmp_path, RGB, 10), arrays)


def test_svhn_alone_is_enlarged(tmp_path, rng):
    arrays = random_arrays(rng, RGB)
    write_svhn(tmp_path / "svhn", arrays)
    enlarged = [enlarge(array) if array.ndim == 4 else array for array in arrays]
    same(load_data(tmp_path / "svhn", (40, 40, 3), 10), enlarged)
    assert refusal(tmp_path / "svhn", (36, 36, 3)) == (
        f"{tmp_path}/svhn/train_32x32.mat: images are 32x32x3; accepted by this network: 36x36x3"
    )
    write_cifar(tmp_path / "cifar", arrays)
    assert refusal(tmp_path / "cifar", (40, 40, 3)) == (
        f"{tmp_path}/cifar/data_batch_1.bin: images are 32x32x3; accepted by this network: 40x40x3"
    )


def test_png_folders(tmp_path, rng):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    images, labels, test_images, test_labels = random_arrays(rng, (6, 5, 3), classes=3)
    write_png(tmp_path, (images, labels, test_images, test_labels), names=("cat", "bird", "ant"))
    # By name: ant, bird, cat; within a class as numbered.
    order, test_order = (np.argsort(2 - each, kind="stable") for each in (labels, test_labels))
    expected = images[order], 2 - labels[order], test_images[test_order], 2 - test_labels[test_order]
    same(load_data(tmp_path, (6, 5, 3), 3), expected)
    assert len(list(data_files(tmp_path))) == 15
    (tmp_path / "train" / "ant").rename(tmp_path / "train" / "asp")
    write_png(tmp_path, (images[:0], labels[:0], images[:1], np.array([2])), names=("cat", "bird", "ant"))
    assert refusal(tmp_path).endswith("/test/ant: no class of the training images; accepted: asp, bird, cat")


def test_no_folder_and_no_data_set(tmp_path):
    kinds = (
        "one data set: IDX (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
        "t10k-labels-idx1-ubyte, '-' or '.' before idx, with or without .gz), or "
        ".npy arrays (train_images.npy, train_labels.npy, test_images.npy, test_labels.npy), or "
        "SVHN (train_32x32.mat, test_32x32.mat), or CIFAR-10, binary version (data_batch_1.bin, "
        "data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin, test_batch.bin), or "
        "PNG folders (train, test, in each CLASS/*.png)"
    )
    assert ACCEPTED == kinds
    assert refusal(tmp_path) == f"{tmp_path}: holds nothing; accepted: {kinds}"
    for name in ("data_batch_1", "extra_32x32.mat", "c", "d", "e"):
        (tmp_path / name).touch()
    (tmp_path / "f\n").mkdir()
    assert refusal(tmp_path).startswith(
        f"{tmp_path}: holds 'c', 'd', 'data_batch_1', 'e', 'extra_32x32.mat' and 1 more; accepted: one data"
    )
    accepted = f"accepted: a folder with {kinds}"
    assert (
        refusal(tmp_path / "no") == f"{tmp_path}/no: cannot be read (No such file or directory); {accepted}"
    )
    assert refusal(tmp_path / "c") == f"{tmp_path}/c: cannot be read (Not a directory); {accepted}"
    assert refusal("a" * 300) == f"{'a' * 300}: cannot be read (File name too long); {accepted}"


def test_several_data_sets(tmp_path, rng):
    arrays = random_arrays(rng, RGB)
    write_cifar(tmp_path / "a", arrays)
    write_svhn(tmp_path / "b", arrays)
    assert refusal(tmp_path).startswith(
        f"{tmp_path}: holds CIFAR-10, binary version in {tmp_path}/a and SVHN in {tmp_path}/b; acc"
    )
    same(load_data(tmp_path / "a", RGB, 10), arrays)
    (tmp_path / "a" / "test_labels.npy").touch()
    assert refusal(tmp_path / "a").startswith(
        f"{tmp_path}/a: holds .npy arrays in {tmp_path}/a and CIFAR-10, binary version in {tmp_path}/a; "
    )


def test_a_whole_data_set_wins_over_part_of_one_above(tmp_path, rng):
    arrays = random_arrays(rng, (4, 6))
    write_idx(tmp_path / "data", arrays)
    (tmp_path / "test").mkdir()  # as half of a folder of PNG files
    images = [array[..., None] if array.ndim == 3 else array for array in arrays]
    same(load_data(tmp_path, (4, 6, 1), 10), images)


def test_missing_files_are_listed(tmp_path, rng):
    write_cifar(tmp_path, random_arrays(rng, RGB))
    for name in ("data_batch_3", "test_batch"):
        (tmp_path / f"{name}.bin").unlink()
    assert refusal(tmp_path) == (
        f"{tmp_path}: no data_batch_3.bin, test_batch.bin; accepted: all of {KINDS[3]}"
    )


def test_the_network_decides_on_shape_and_classes(tmp_path, rng):
    arrays = random_arrays(rng, (4, 6, 3))
    write_arrays(tmp_path, arrays)
    assert refusal(tmp_path, (4, 6, 1)) == (
        f"{tmp_path}/train_images.npy: images are 4x6x3; accepted by this network: 4x6x1"
    )
    load_data(tmp_path, (4, 6, 3), 1000)
    assert refusal(tmp_path, (4, 6, 3), 9) == (
        f"{tmp_path}/train_labels.npy: label 9 of image 9; accepted by this network: 0..8"
    )
    for label in (-1, 1 << 62):
        arrays[3].flat[0] = 0
        np.save(tmp_path / "test_labels.npy", np.array([0, label, 0, 0, 0]))
        assert refusal(tmp_path, (4, 6, 3)) == (
            f"{tmp_path}/test_labels.npy: label {label} of image 1; accepted by this network: 0..9"
        )


GOOD = np.zeros((2, 4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    "images, labels, where, message",
    [
        (
            GOOD.astype(np.float32),
            [0, 1],
            "images",
            "is float32 of shape (2, 4, 6, 3); accepted: uint8 images",
        ),
        (GOOD.astype(bool), [0, 1], "images", "is bool of shape (2, 4, 6, 3); accepted: uint8 images"),
        (
            GOOD[0, 0],
            [0, 1],
            "images",
            "is uint8 of shape (6, 3); accepted: uint8 images (N, height, width, ch",
        ),
        (GOOD, [0.0, 1.0], "labels", "is float64 of shape (2,); accepted: integer labels (N,) as .npy"),
        (GOOD, [[0], [1]], "labels", "is int64 of shape (2, 1); accepted: integer labels (N,) as .npy"),
        (GOOD, [0, 1, 2], "labels", "shape (3,); accepted: (2,), one label per image of test_images.npy"),
        (GOOD[:0], [0][:0], "images", "holds no images; accepted: one or more"),
        (GOOD, np.array([0, None]), "labels", "is object, no number; accepted: integer labels (N,) as .npy"),
    ],
)
def test_other_arrays_are_refused(tmp_path, images, labels, where, message):
    labels = np.array(labels, np.int64) if len(labels) == 0 else np.array(labels)
    write_arrays(tmp_path, (GOOD, np.zeros(2, int), images, labels))
    assert refusal(tmp_path, (4, 6, 3)).startswith(f"{tmp_path}/test_{where}.npy: {message}")


def test_idx_of_other_ranks_is_refused(tmp_path, rng):
    write_idx(tmp_path, random_arrays(rng, (4, 6)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(4, np.uint8)))
    message = "shape (4,); accepted: (10,), one label per image of train-images-idx3-ubyte"
    assert refusal(tmp_path, (4, 6, 1)) == f"{tmp_path}/train-labels-idx1-ubyte: {message}"
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((4, 9), np.uint8)))
    assert (
        refusal(tmp_path) == f"{tmp_path}/train-images-idx3-ubyte: rank 2; needed: 3 (images, rows, columns)"
    )
