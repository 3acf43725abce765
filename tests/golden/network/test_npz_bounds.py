"""Network files that would take more memory or time than a network can: refused before they do."""

import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from dorefa.golden import InputError, archive, random_network
from dorefa.golden.network import npz

from .support import contents, npy, refused, rewrite


@pytest.fixture
def path(tmp_path):
    npz.save(random_network(4), tmp_path / "net.npz")
    return tmp_path / "net.npz"


def test_huge_arrays_are_refused_before_unpacking(path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED", 10_000)
    files = {"header.npy": contents(path)["header.npy"], "bomb.npy": bytes(1 << 20)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    assert path.stat().st_size < 10_000
    total = sum(len(content) for content in files.values())
    with refused(path, f"arrays unpack to {total} bytes; accepted: at most 10000"):
        npz.load(path)


def test_a_member_that_unpacks_to_more_than_it_claims_is_not_unpacked(path):
    files = contents(path)
    claimed = len(files["layer0.codes.npy"])
    files["layer0.codes.npy"] += bytes(1 << 28)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    whole = struct.pack("<L", (1 << 28) + claimed)
    path.write_bytes(path.read_bytes().replace(whole, struct.pack("<L", claimed)))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"is not a network file or is truncated \(Bad CRC-32 for file"):
        npz.load(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_header_that_is_larger_than_any(path):
    files = contents(path)
    files["header.npy"] = npy(np.full((1 << 22) + 1, ord(" "), np.uint8))
    rewrite(path, files)
    with refused(path, "header is not JSON (4194305 bytes, more than 4194304); accepted: JSON"):
        npz.load(path)


def test_a_method_of_compression_without_bounds(path):
    files = contents(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as file:
        for name, content in files.items():
            file.writestr(name, content)
    with refused(path, "'header.npy' is compressed by method 12; accepted: 0 (none) and 8 (deflate)"):
        npz.load(path)


def test_very_many_members(path):
    with zipfile.ZipFile(path, "w") as file:
        for number in range(65_000):
            file.writestr(zipfile.ZipInfo(f"{number:040}"), b"")
    with pytest.raises(
        InputError, match=r"\(its list of arrays has 5590000 bytes or more, accepted are 4194304\)"
    ):
        npz.load(path)


def test_a_name_of_an_array_is_one_line(path):
    rewrite(path, contents(path) | {"layer0\t.codes.npy": b""})
    accepted = "accepted: row-major uint8, float32 or int64"
    with refused(path, rf"array layer0\t.codes does not begin as .npy does but with b''; {accepted}"):
        npz.load(path)


def test_an_array_that_is_there_twice(path):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as file:
        file.writestr("header.npy", b"")
    with refused(path, "an array is there twice; accepted: each name once"):
        npz.load(path)


@pytest.mark.parametrize("tail", [b"c", b"PK\x05\x06" + bytes(17), bytes(70_000)])
def test_bytes_behind_the_file(tail, path):
    path.write_bytes(path.read_bytes() + tail)
    with refused(
        path,
        "is not a network file or is truncated (does not end as .npz does); accepted: a network file (.npz)",
    ):
        npz.load(path)
