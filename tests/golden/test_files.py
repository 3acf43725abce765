"""dorefa.golden.files: plain files are replaced whole, all else is written through, names are checked."""

import os
import resource
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from dorefa.golden import files
from dorefa.golden.errors import InputError
from dorefa.golden.files import locate, require_writable, write_file, write_files

from .file_support import names, refused

# Who runs the tests as root, as CI does, has them.
root = pytest.mark.skipif(os.geteuid() != 0, reason="device nodes are made by root alone")


@contextmanager
def reading(path):
    """What a reader of the FIFO `path` has got, in the list's one item, after the block."""
    got = []
    thread = threading.Thread(target=lambda: got.append(Path(path).read_bytes()))
    thread.start()
    yield got
    thread.join(10)
    assert not thread.is_alive(), "the reader still waits for its end"


def test_a_new_file_has_the_mode_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "y", b"content")
    finally:
        os.umask(before)
    assert (tmp_path / "y").read_bytes() == b"content" and names(tmp_path) == ["y"]
    assert stat.S_IMODE((tmp_path / "y").stat().st_mode) == 0o640


def test_a_replaced_file_keeps_its_permissions_and_leaves_other_hard_links(tmp_path):
    path, other = tmp_path / "y", tmp_path / "other"
    path.write_bytes(b"before")
    path.chmod(0o600)
    os.link(path, other)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12346)
    owner = path.stat().st_uid, path.stat().st_gid
    write_file(path, b"after")
    assert path.read_bytes() == b"after" and other.read_bytes() == b"before"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_what_was_private_is_so_from_its_first_byte(tmp_path, monkeypatch):
    path = tmp_path / "y"
    path.write_bytes(b"before")
    path.chmod(0o600)
    seen = []

    def replace(name, target):
        seen.append(stat.S_IMODE(os.stat(name).st_mode))
        assert Path(target).read_bytes() == b"before"

    monkeypatch.setattr(files.os, "replace", replace)
    write_file(path, b"after")
    assert seen == [0o600] and names(tmp_path) == ["y"]


def test_links_stay_and_their_target_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "y"
    target.write_bytes(b"before")
    (tmp_path / "link").symlink_to("there/y")
    (tmp_path / "outer").symlink_to(tmp_path / "link")
    for content in (b"first", b"second"):
        write_file(tmp_path / "outer", content)
        assert target.read_bytes() == content and not target.is_symlink()
    assert os.readlink(tmp_path / "link") == "there/y" and (tmp_path / "outer").is_symlink()
    target.unlink()
    write_file(tmp_path / "outer", b"dangling")
    assert target.read_bytes() == b"dangling" and (tmp_path / "link").is_symlink()
    assert names(tmp_path) == ["link", "outer", "there"] and names(tmp_path / "there") == ["y"]


def test_links_that_lead_nowhere(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refused(tmp_path / "a", "a: cannot be written: a circle of symbolic links")
    (tmp_path / "c").symlink_to("none/y")
    refused(tmp_path / "c", "c: cannot be written: .*none is no folder")
    (tmp_path / "d").symlink_to(tmp_path)
    refused(tmp_path / "d", "d: cannot be written: it is a folder")
    assert names(tmp_path) == ["a", "b", "c", "d"]


def test_a_fifo_is_written_through(tmp_path):
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    for path in (fifo, link):
        with reading(fifo) as got:
            for _ in range(3):
                require_writable(path)  # must not be taken for a writer that comes and goes
            write_file(path, b"x" * 200_000)
        assert got == [b"x" * 200_000]
    assert stat.S_ISFIFO(os.lstat(fifo).st_mode) and link.is_symlink()


def test_a_fifo_whose_reader_leaves(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    thread = threading.Thread(target=lambda: os.close(os.open(fifo, os.O_RDONLY)))
    thread.start()
    with pytest.raises(InputError, match="fifo: cannot be written: Broken pipe"):
        write_file(fifo, b"x" * 1_000_000)
    thread.join()


@root
@pytest.mark.parametrize(("number", "error"), [(3, None), (7, "No space left on device")])
def test_devices_stay_devices(number, error, tmp_path):
    """Nodes of our own for /dev/null and /dev/full."""
    node, link = tmp_path / "node", tmp_path / "link"
    try:
        os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(1, number))
        os.close(os.open(node, os.O_WRONLY))
    except OSError as reason:
        # Containers without CAP_MKNOD, or a temporary folder mounted without devices.
        pytest.skip(f"device nodes cannot be used here: {reason}")
    link.symlink_to(node)
    for path in (node, link):
        require_writable(path)
        if error is None:
            write_file(path, b"x")
        else:
            with pytest.raises(InputError, match=f"cannot be written: {error}"):
                write_file(path, b"x")
    assert os.lstat(node).st_rdev == os.makedev(1, number) and link.is_symlink()
    assert names(tmp_path) == ["link", "node"]


# Linux's, as CI is.
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_device_leaves_plain_files_as_they_were(tmp_path):
    """What is written through comes before any plain file takes its name."""
    (tmp_path / "y").write_bytes(b"before")
    with pytest.raises(InputError, match="/dev/full: cannot be written: No space left on device"):
        write_files({tmp_path / "y": b"after", "/dev/full": b"x", tmp_path / "z": b"new"})
    assert (tmp_path / "y").read_bytes() == b"before" and names(tmp_path) == ["y"]


def test_a_file_that_grows_too_large_leaves_all_as_they_were(tmp_path):
    (tmp_path / "a").write_bytes(b"before")
    (tmp_path / "b").write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(InputError, match="b: cannot be written: File too large; accepted: "):
            write_files({tmp_path / "a": b"after", tmp_path / "b": b"x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"before"} and names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("spelling", ["/dev/fd/{}", "/proc/self/fd/{}", "/proc/thread-self/fd/{}"])
def test_open_descriptors_are_written_through(spelling, tmp_path):
    """A plain file behind one is neither replaced nor cut: the shell's > goes on from where it is."""
    if not os.path.isdir(os.path.dirname(spelling)):
        # /proc is Linux's, and older ones have no thread-self.
        pytest.skip(f"there is no {os.path.dirname(spelling)}")
    path = tmp_path / "y"
    with open(path, "wb") as file:
        file.write(b"before ")
        file.flush()
        name = spelling.format(file.fileno())
        assert require_writable(name).through
        write_file(name, b"content")
        file.write(b" after")
    assert path.read_bytes() == b"before content after"
    read, write = os.pipe()
    write_file(spelling.format(write), b"content")
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"content"
    with open(path, "rb") as file:
        name = spelling.format(file.fileno())
        refused(name, f"descriptor {file.fileno()} is open for reading only")
    refused(name, "cannot be written: Bad file descriptor")


def test_a_descriptor_of_another_process(tmp_path):
    if not os.path.isdir("/proc/self/fd"):
        # Other systems do not show the descriptors of another process.
        pytest.skip("there is no /proc")
    path = tmp_path / "log"
    with open(path, "wb") as log:
        log.write(b"before ")
        log.flush()
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log) as process:
            write_file(f"/proc/{process.pid}/fd/1", b"content")
            assert os.path.samefile(f"/proc/{process.pid}/fd/1", path)
            process.stdin.close()
    assert path.read_bytes() == b"before content" and names(tmp_path) == ["log"]


@pytest.mark.parametrize("step", range(5))
def test_ended_between_two_files(step, tmp_path, monkeypatch):
    """Each file is as it was or whole, in their order, and nothing else is left."""
    before = {f"{number}": b"before" for number in range(4)}
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    replace, done = os.replace, []

    def ended(name, target):
        if len(done) == step:
            raise KeyboardInterrupt
        done.append(target)
        replace(name, target)

    monkeypatch.setattr(files.os, "replace", ended)
    after = {tmp_path / name: b"after" for name in before}
    if step == 4:
        write_files(after)
    else:
        with pytest.raises(KeyboardInterrupt):
            write_files(after)
    assert [(tmp_path / name).read_bytes() for name in before] == step * [b"after"] + (4 - step) * [b"before"]
    assert names(tmp_path) == list(before)


def test_identity(tmp_path):
    path = tmp_path / "y"
    (tmp_path / "dangling").symlink_to("y")
    assert locate(tmp_path / "dangling").identity == locate(path).identity
    assert locate(f"{tmp_path}/./../{tmp_path.name}/y").identity == locate(path).identity
    path.touch()
    os.link(path, tmp_path / "hard")
    (tmp_path / "other").touch()
    same = {locate(tmp_path / name).identity for name in ("y", "hard", "dangling")}
    assert len(same) == 1 and locate(tmp_path / "other").identity not in same
    with open(path, "ab") as file:
        assert locate(f"/dev/fd/{file.fileno()}").identity in same
    assert locate(os.devnull).identity is None
    one, other = os.openpty()
    assert locate(os.ttyname(other)).identity == locate(f"/dev/fd/{other}").identity is not None
    os.close(one)
    os.close(other)
