"""Network files: exact round trip, deterministic bytes, atomic writing, and every refusal."""

import io
import os
import re
import resource

import numpy as np
import pytest

from dorefa.golden import InputError, random_images, random_network, run_float
from dorefa.golden.network import npz
from dorefa.golden.network.encoding import Encoding

from .support import contents, npy, refused, rewrite, with_header


@pytest.fixture
def network():
    return random_network(4, encodings=tuple(Encoding))


@pytest.fixture
def path(network, tmp_path):
    npz.save(network, tmp_path / "net.npz")
    return tmp_path / "net.npz"


def same(a, b):
    return (a is None and b is None) or np.array_equal(a, b)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("draw", range(12))
def test_round_trip(draw, residual, tmp_path):
    network = random_network(draw, encodings=tuple(Encoding), allow_average=True, residual=residual)
    path = tmp_path / "net.npz"
    npz.save(network, path)
    loaded = npz.load(path)
    names = ("name", "input_shape", "input_bits", "shapes", "links")
    assert all(getattr(loaded, name) == getattr(network, name) for name in names)
    for before, after in zip(network.layers, loaded.layers, strict=True):
        for name in (*npz._SCALARS, *npz._GRAPH, "pool"):
            assert getattr(after, name) == getattr(before, name)
        for name in npz._ARRAYS:
            assert same(getattr(after, name), getattr(before, name))
        assert (before.rescale is None) == (after.rescale is None)
        if before.rescale is not None:
            assert (after.rescale.f, after.rescale.bits) == (before.rescale.f, before.rescale.bits)
            for name in npz._RESCALE_ARRAYS:
                assert same(getattr(after.rescale, name), getattr(before.rescale, name))
        assert (before.norm is None) == (after.norm is None)
        if before.norm is not None:
            assert before.norm.eps == after.norm.eps
            for name in npz._NORM_ARRAYS:
                assert same(getattr(after.norm, name), getattr(before.norm, name))
    images = random_images(network, 2, draw)
    before, after = run_float(network, images), run_float(loaded, images)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_version_1_is_read(network, path):
    images = random_images(network, 2, 1)
    expected = run_float(network, images)

    def older(header):
        header["version"] = 1
        for entry in header["layers"]:
            for name in ("source", "add", "rescale"):
                assert entry.pop(name) is None

    with_header(path, older)
    loaded = run_float(npz.load(path), images)
    assert all(np.array_equal(loaded[name], codes) for name, codes in expected.items())


def test_bytes_are_the_same_every_time(network, path, tmp_path):
    npz.save(npz.load(path), tmp_path / "again.npz")
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "again.npz", path]


def test_numpy_reads_the_file(network, path):
    with np.load(path, allow_pickle=False) as arrays:
        assert np.array_equal(arrays["layer0.codes"], network.layers[0].codes)


def test_failed_writing_leaves_the_old_file(network, path):
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with refused(
            path,
            "cannot be written: File too large; accepted: a file in a writable folder with room",
        ):
            npz.save(network, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["net.npz"]


def test_folder_that_is_not_there(network, tmp_path):
    path = tmp_path / "none" / "net.npz"
    reason = f"{path.parent} is no folder"
    with refused(path, f"cannot be written: {reason}; accepted: a file in a writable folder with room"):
        npz.save(network, path)
    with refused(path, "cannot be read (No such file or directory); accepted: a network file (.npz)"):
        npz.load(path)


def test_truncated_at_any_place(path):
    content = path.read_bytes()
    for length in [*range(0, len(content), max(1, len(content) // 60)), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="is not a network file or is truncated"):
            npz.load(path)


def test_damaged_bytes_never_pass(path, rng):
    content = path.read_bytes()
    network = npz.load(path)
    for place in rng.integers(0, len(content), 150).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            loaded = npz.load(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            # Bits of the zip directory that nothing depends on, such as time stamps.
            for before, after in zip(network.layers, loaded.layers, strict=True):
                assert same(before.codes, after.codes) and same(before.scale, after.scale)


def test_foreign_files(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, weights=np.ones(3))
    message = "has no array 'header'; accepted: a network file (.npz) of this program"
    with refused(path, message):
        npz.load(path)
    np.savez(path, header=np.frombuffer(b'{"a": 1}', np.uint8))
    with refused(path, "header has no format 'dorefa network'; accepted: a network file"):
        npz.load(path)
    np.savez(path, header=np.frombuffer(b"a", np.uint8))
    with pytest.raises(InputError, match=r"header is not JSON \(.*\); accepted: JSON$"):
        npz.load(path)
    path.write_bytes(b"not a zip file")
    with pytest.raises(InputError, match="is not a network file or is truncated"):
        npz.load(path)


def test_pickles_are_never_opened(path):
    files = contents(path)
    files["layer0.codes.npy"] = npy(np.array([{}], object), allow_pickle=True)
    rewrite(path, files)
    with refused(
        path, "array layer0.codes is object, no number; accepted: row-major uint8, float32 or int64"
    ):
        npz.load(path)


def test_declared_size_that_is_not_there(path):
    files = contents(path)
    header = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**9)}
    np.lib.format.write_array_header_1_0(header, description)
    files["layer0.codes.npy"] = header.getvalue() + b"12"
    rewrite(path, files)
    with refused(
        path,
        "array layer0.codes claims shape (1000000000, 1000000000) of uint8; "
        f"accepted: row-major uint8, float32 or int64, at most {1 << 29} bytes",
    ):
        npz.load(path)


def test_arrays_that_do_not_match(network, path):
    original = contents(path)
    codes = network.layers[0].codes

    def replaced(**files):
        entries = {name.replace("__", ".") + ".npy": content for name, content in files.items()}
        rewrite(path, original | entries)

    replaced(layer0__codes=npy(codes.astype(np.float32)))
    with refused(path, "layer conv0: codes has dtype float32; accepted: uint8"):
        npz.load(path)
    replaced(layer0__codes=npy(codes.astype(np.int64)))
    with refused(path, "layer conv0: codes has dtype int64; accepted: uint8"):
        npz.load(path)
    replaced(layer0__codes=npy(codes.astype(np.int16)))
    with refused(path, "array layer0.codes is int16; accepted: row-major uint8, float32 or int64"):
        npz.load(path)
    replaced(layer0__codes=npy(codes[..., 0]))
    with pytest.raises(InputError, match="layer conv0: codes has shape"):
        npz.load(path)
    replaced(layer0__codes=npy(np.asfortranarray(np.zeros((2, 2), np.uint8))))
    with pytest.raises(InputError, match="is column-major uint8; accepted: row-major"):
        npz.load(path)
    replaced(layer0__codes=b"\x93NUMPY\x02\x00")
    with refused(
        path,
        "array layer0.codes has a header that is damaged "
        "(EOF: reading array header length, expected 4 bytes got 0); "
        "accepted: row-major uint8, float32 or int64",
    ):
        npz.load(path)
    replaced(layer0__scale=npy(np.float32(np.nan)))
    with refused(path, "layer conv0: scale is nan; accepted: finite numbers"):
        npz.load(path)
    replaced(extra=npy(codes))
    with refused(path, "array extra is not part of the network; accepted: those of the header"):
        npz.load(path)
    rewrite(path, {name: text for name, text in original.items() if name != "layer0.codes.npy"})
    with refused(path, "array layer0.codes is missing; accepted: every array of the header"):
        npz.load(path)


def first(**fields):
    """A change of the first layer's entry of a header."""
    return lambda header: header["layers"][0].update(fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: header.update(version=3), "version is 3; accepted: 1..2"),
        (lambda header: header.update(version=True), "version is True; accepted: 1..2"),
        (
            lambda header: header.update(version=1),
            "header layer 0: add is unknown; accepted: name, kind",
        ),
        (first(rescale={"f": 3}), "header layer 0 rescale: bits is missing; accepted: f, bits"),
        (
            first(rescale={"f": 3, "bits": 16}),
            "array layer0.rescale.m is missing; accepted: every array of the header",
        ),
        (
            lambda header: header["layers"][1].update(source="conv7"),
            "layer conv1: source is 'conv7', which no layer is called; accepted: input, conv0",
        ),
        (lambda header: header.update(layers=3), "header layers is 3; accepted: a list"),
        (lambda header: header.pop("name"), "header: name is missing; accepted: format, version"),
        (first(color=1), "header layer 0: color is unknown; accepted: name, kind"),
        (
            first(arrays=["bias", "magic"]),
            "header layer 0 arrays is ['bias', 'magic']; accepted: of codes, scale",
        ),
        (first(norm=[]), "header layer 0 norm is []; accepted"),
        (first(w_bits=9), "layer conv0: w_bits is 9; accepted"),
        (first(padding=1 << 40), "layer conv0: kernel reads a padded map of (2199023255"),
        (first(padding=1 << 62), "layer conv0: kernel reads a padded map of (9223372036854775"),
        (first(w_bits=10**4), "layer conv0: w_bits is 10000; accepted: an integer in 1..8"),
        (first(w_bits=[0] * 100), "layer conv0: w_bits is [0, 0, 0, "),
        (first(name="x" * 100_000, w_bits=9), "layer xxxx"),
        (
            lambda header: header.update(input_shape=[1 << 20, 1 << 20, 1]),
            "network random4: input_shape is (1048576, 1048576, 1); accepted: at most 134217728 elements",
        ),
        (first(stride="ab"), "layer conv0: stride is 'ab'; accepted: 2 integers"),
        (
            lambda header: header.update(input_shape=[1, 2]),
            "network random4: input_shape is [1, 2]; accepted: 3 integers",
        ),
    ],
)
def test_headers_that_do_not_fit(change, message, path):
    with_header(path, change)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}"):
        npz.load(path)
