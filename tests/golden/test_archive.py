"""Archives of arrays: what is packed comes back, the same bytes for the same contents; keys and names.

Damaged ones are tested where networks and checkpoints are read.
"""

import numpy as np
import pytest

from dorefa.golden import archive
from dorefa.golden.errors import InputError

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7), "c.d": np.zeros(0, np.uint8)}


def test_what_is_packed_comes_back(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(archive.packed({"format": "f", "version": 1, "x": [1, None]}, ARRAYS))
    assert path.read_bytes() == archive.packed({"format": "f", "version": 1, "x": [1, None]}, dict(ARRAYS))
    found = archive.load(path, "a thing")
    header = archive.header_of(found.pop("header"), "a thing", "f", 1)
    assert header == {"format": "f", "version": 1, "x": [1, None]}
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        taken = archive.take(found, name)
        assert taken.dtype == array.dtype
        np.testing.assert_array_equal(taken, array)
    assert not found
    with pytest.raises(InputError, match="^array a is missing; accepted: every array of the header$"):
        archive.take(found, "a")
    # Arrays as numpy reads them.
    with np.load(path) as loaded:
        np.testing.assert_array_equal(loaded["a"], ARRAYS["a"])


@pytest.mark.parametrize(
    "header, message",
    [
        (b"{", "header is not JSON ("),
        (b"[]", "header has no format 'f'; accepted: a thing"),
        (b'{"format": "g", "version": 1}', "header has no format 'f'; accepted: a thing"),
        (b'{"format": "f"}', "version is None; accepted: 1..2"),
        (b'{"format": "f", "version": 3}', "version is 3; accepted: 1..2"),
        (b'{"format": "f", "version": true}', "version is True; accepted: 1..2"),
    ],
)
def test_headers_of_other_things_are_refused(header, message):
    with pytest.raises(InputError) as error:
        archive.header_of(np.frombuffer(header, np.uint8), "a thing", "f", 2)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "entry, message",
    [
        (3, "here is 3; accepted: an object"),
        ({"a": 1}, "here: b is missing; accepted: a, b"),
        ({"a": 1, "b": 2, "c": 3}, "here: c is unknown; accepted: a, b"),
    ],
)
def test_keys(entry, message):
    with pytest.raises(InputError) as error:
        archive.check_keys(entry, "here", ("a", "b"))
    assert str(error.value) == message
    archive.check_keys({"b": 1, "a": 2}, "here", ("a", "b"))


def test_a_file_that_is_none_names_what_it_should_be(tmp_path):
    (tmp_path / "x").write_bytes(b"PK")
    with pytest.raises(InputError) as error:
        archive.load(tmp_path / "x", "a thing")
    assert str(error.value) == (
        f"{tmp_path / 'x'}: is not a thing or is truncated (too short); accepted: a thing (.npz)"
    )
