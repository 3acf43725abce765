"""dorefa.golden.npy: the arrays that NumPy writes, and every file that is none, refused in one line."""

import io
import re

import numpy as np
import pytest

from dorefa.golden import InputError, npy
from dorefa.golden.reading import MAX_BYTES

IMAGES = np.arange(24, dtype=np.uint8).reshape(1, 3, 4, 2)


def saved(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    return stream.getvalue()


def with_header(text, version=b"\x01\x00", data=b""):
    text = text.encode() if isinstance(text, str) else text
    return b"\x93NUMPY" + version + len(text).to_bytes(2 * version[0], "little") + text + data


def described(shape, descr="|u1", data=b"", fortran="False"):
    return with_header(f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n", data=data)


@pytest.fixture
def refused(tmp_path):
    """Function that loads a file of the given bytes and compares the message."""

    def load(content, message):
        path = tmp_path / "x.npy"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}") as caught:
            npy.load(path, "an array")
        assert str(caught.value).isprintable() and "; accepted: an array" in str(caught.value)

    return load


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i8", ">i4", "?", "<f4", ">f8", "<f2", "<c8"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 0, 3), (2, 3, 4), (1,) * 8])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_arrays_of_numbers_are_read_as_numpy_reads_them(dtype, shape, version, tmp_path, rng):
    array = np.asarray(rng.integers(0, 100, shape)).astype(dtype)
    for order in (array, np.asfortranarray(array)):
        path = tmp_path / "x.npy"
        path.write_bytes(saved(order, version))
        read, expected = npy.load(path, "an array"), np.load(path)
        assert read.dtype == expected.dtype and np.array_equal(read, expected)
        assert not read.flags.writeable


def test_any_byte_may_be_wrong(tmp_path, rng):
    content = saved(IMAGES)
    path = tmp_path / "x.npy"
    refused = 0
    for place in range(len(content) - IMAGES.size):
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            assert npy.load(path, "an array").nbytes == IMAGES.nbytes
        except InputError as error:
            assert str(error).isprintable() and "; accepted: an array" in str(error)
            refused += 1
    assert refused > 100


def test_any_end_may_be_missing(tmp_path):
    content = saved(IMAGES)
    path = tmp_path / "x.npy"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="; accepted: an array"):
            npy.load(path, "an array")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin as .npy does but with b''"),
        (b"PK\x03\x04rest", r"does not begin as .npy does but with b'PK\x03\x04rest'"),
        (b"\x93NUMPY\x01", r"does not begin as .npy does but with b'\x93NUMPY\x01'"),
        (saved(IMAGES, (3, 0)), "is .npy of version 3.0"),
        (saved(IMAGES) + b"\0", "shape (1, 3, 4, 2) of uint8 is 24 bytes and 25 are there"),
        (saved(IMAGES)[:-1], "shape (1, 3, 4, 2) of uint8 is 24 bytes and 23 are there"),
        (saved(np.array([{}], object)), "is object, no number"),
        (saved(np.zeros(2, "u1,u1")), "is [('f0', 'u1'), ('f1', 'u1')], no number"),
        (saved(np.zeros(2, "U3")), "is <U3, no number"),
        (saved(np.zeros(2, "M8[s]")), "is datetime64[s], no number"),
        (described("(2,)", "|V0"), "is |V0, no number"),
        (described("(100000000000,)"), "claims shape (100000000000,) of uint8"),
        (described(f"({MAX_BYTES // 8 + 1},)", "<i8"), "claims shape (134217729,) of int64"),
        (described("(0, 1000000000000)"), "claims shape (0, 1000000000000) of uint8"),
        (described(f"({'9' * 4000}, 0)"), "claims shape (9999999999"),
        (described(f"({'9' * 4090},)"), "has a header of 41"),
        (described("(-1,)"), "has shape (-1,)"),
        (described("(True,)", data=b"1"), "has shape (True,)"),
        (described("(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "has shape (1, 1, 1, 1, 1, 1, 1, 1, 1)"),
        (described("[1]"), "has a header that is damaged (shape is not valid: [1])"),
        (
            described("(1,)", fortran="1"),
            "has a header that is damaged (fortran_order is not a valid bool: 1)",
        ),
        (described("(1,)", "nonsense"), "has a header that is damaged (descr is not a valid dtype"),
        (
            with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3"),
            "has a header that is damaged",
        ),
        (with_header("(" * 4000), "has a header that is damaged"),
        (with_header("-" * 4000 + "1"), "has a header that is damaged"),
        (with_header("1" * 4000 + "L"), "has a header that is damaged"),
        (with_header("{'shape': 0x1for x}"), "has a header that is damaged"),
        (with_header(b"\xff\xfe\0"), "has a header that is damaged"),
        (with_header("", b"\x02\x00")[:-4] + b"\xff\xff\xff\xff", "has a header of 4294967295 bytes"),
        (b"\x93NUMPY\x01\x00\xff\x00{}", "has a header that is damaged (EOF"),
    ],
)
def test_files_that_are_refused(content, message, refused):
    refused(content, message)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "x.npy"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="has 1099511627776 bytes; accepted: an array, at most 1073741824 b"):
        npy.load(path, "an array")
