"""dorefa.golden.reading: whatever a path leads to, it is read within bounds or refused in one line."""

import gzip
import io
import os
import re
import sys
import threading
import tracemalloc

import pytest

from dorefa.golden import InputError, reading
from dorefa.golden.reading import (
    Unpacked,
    opened,
    parse_json,
    read_json,
    read_text,
    read_up_to,
    reason,
    shown,
)


def refused(path, text):
    return pytest.raises(InputError, match=f"^{re.escape(f'{path}: {text}')}$")


def content(path, limit=100):
    with opened(path, "a file", limit) as file:
        return bytes(file.read())


def test_plain_files_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    (tmp_path / "link").symlink_to(path)
    assert content(path) == content(str(tmp_path / "link")) == bytes(100)
    path.write_bytes(bytes(101))
    with refused(path, "has 101 bytes; accepted: a file, at most 100 bytes"):
        content(path)


def test_what_is_no_file(tmp_path):
    with refused(tmp_path, "cannot be read (Is a directory); accepted: a file"):
        content(tmp_path)
    with refused(tmp_path / "none", "cannot be read (No such file or directory); accepted: a file"):
        content(tmp_path / "none")
    with refused("a\0b", "cannot be read (embedded null byte); accepted: a file"):
        content("a\0b")
    for device in ("/dev/zero", "/dev/null"):
        with refused(device, "is a device; accepted: a file"):
            content(device)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "file"
    path.touch(mode=0)
    with refused(path, "cannot be read (Permission denied); accepted: a file"):
        content(path)


def test_a_block_that_fails(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with refused(path, "does not fit into memory; accepted: a file, or more memory"):
        with opened(path, "a file"):
            raise MemoryError
    with pytest.raises(KeyError), opened(path, "a file"):
        raise KeyError


@pytest.fixture
def pipe(tmp_path):
    """A pipe in the file system, and a function that writes into it from another thread."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    threads = []

    def write(data):
        threads.append(threading.Thread(target=path.write_bytes, args=(data,)))
        threads[-1].start()

    yield path, write
    for thread in threads:
        thread.join()


def test_a_pipe_is_read_to_its_end(pipe):
    path, write = pipe
    data = os.urandom(300_000)
    write(data)
    with opened(path, "a file", 300_000) as file:
        file.seek(1000)
        assert file.read() == data[1000:]


def test_a_pipe_that_holds_too_much(tmp_path):
    ends = os.pipe()
    os.write(ends[1], bytes(101))
    with refused(f"/dev/fd/{ends[0]}", "has more than 100 bytes; accepted: a file, at most that"):
        content(f"/dev/fd/{ends[0]}")
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("writer", [False, True])
def test_a_silent_pipe_is_not_waited_for(writer, pipe, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.2)
    path, _ = pipe
    end = os.open(path, os.O_RDWR) if writer else None
    with refused(path, "nothing came through this pipe for 0.2 s; accepted: a file"):
        content(path)
    if end is not None:
        os.close(end)


def test_memory_is_for_what_is_there():
    tracemalloc.start()
    assert read_up_to(io.BytesIO(bytes(1000)), 1 << 40) == bytes(1000)
    assert tracemalloc.get_traced_memory()[1] < 1 << 21
    tracemalloc.stop()


def test_gzip_of_several_parts(rng):
    parts = [rng.bytes(size) for size in (0, 1, 70_000, 300_000, 0)]
    packed = io.BytesIO(b"".join(map(gzip.compress, parts)))
    assert read_up_to(Unpacked(packed), 1 << 20) == b"".join(parts)


def test_gzip_bombs_take_what_is_asked_for():
    packed = io.BytesIO(gzip.compress(bytes(1 << 28)))
    tracemalloc.start()
    assert len(read_up_to(Unpacked(packed), 1 << 20)) == 1 << 20
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-9], "gzip: the file ends too early"),
        (lambda data: data[:5], "gzip: the file ends too early"),
        (lambda data: data[:-8] + bytes(8), "gzip: Error -3 while decompressing data: incorrect data check"),
        (lambda data: data + b"more", "gzip: Error -3 while decompressing data: incorrect header check"),
        (lambda _: gzip.compress(b"") * 20_000, "gzip: more than 16384 parts"),
        # A name in the header, which Python's gzip reads byte by byte.
        (lambda data: data[:3] + b"\x08" + data[4:10] + b"n" * 10_000_000, "gzip: the file ends too early"),
    ],
)
def test_damaged_gzip(change, message):
    with pytest.raises(OSError, match=f"^{re.escape(message)}$"):
        read_up_to(Unpacked(io.BytesIO(change(gzip.compress(b"x" * 1000)))), 1 << 20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b"\xff\xfe",
            "no UTF-8 text: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (b"\xef\xbb\xbfa", "no UTF-8 text: begins with a byte order mark; UTF-8 needs none"),
        (b"a" * 101, "has 101 bytes"),
    ],
)
def test_text_that_is_none(text, message, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(text)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}; accepted: a text')}"):
        read_text(path, "a text", 100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 5000, "the integer 111111111111111111111111111111111111111111111111111111"),
        (str(1 << 64), "the integer 18446744073709551616 has more than 64 bits"),
        (str(-(1 << 63) - 1), "the integer -9223372036854775809 has more than 64 bits"),
        ("[NaN]", "NaN is no number of JSON"),
        ("-Infinity", "-Infinity is no number of JSON"),
        ("1e999", "the number 1e999 is too large for 64 bits"),
        ('{"a": 1, "a": 2}', "the name 'a' is there twice in an object"),
        ("\ufeff1", "begins with a byte order mark; UTF-8 needs none"),
        (" " * (1 << 22) + "1", "4194305 bytes, more than 4194304"),
    ],
)
def test_json_that_is_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parse_json(text.encode())
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: .*; accepted: numbers") as caught:
        read_json(path, "numbers")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_json_that_is_accepted(tmp_path):
    path = tmp_path / "file"
    path.write_text('{"a": [18446744073709551615, -9223372036854775808, 0.5, -0, "\\u00e4"], "b": null}')
    assert read_json(path, "JSON") == {"a": [(1 << 64) - 1, -(1 << 63), 0.5, 0, "\u00e4"], "b": None}


def nested():
    value = []
    for _ in range(sys.getrecursionlimit() * 10):
        value = [value]
    return value


def test_values_in_messages():
    for value, text in (
        (1.5, "1.5"),
        ("a\nb", "'a\\nb'"),
        ("\u202e", "'\\u202e'"),
        ("x" * 100, f"'{'x' * 59}... (102 characters)"),
        (1 << 100_000, "an integer of 100001 bits"),
        ([1 << 100_000], "a list with a huge integer"),
        (nested(), "a deeply nested list"),
    ):
        assert shown(value) == text


def test_reasons_in_messages():
    assert reason(ValueError("one\ntwo")) == "one"
    assert reason(ValueError("a\tb")) == "a\\tb"
    assert reason(ValueError()) == "ValueError"
    assert reason(OSError(2, "No such file")) == "No such file"
    assert len(reason(ValueError("x" * 1000))) == 160
