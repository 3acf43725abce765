"""dorefa.golden.files: what cannot be written is said before the work and by writing, in one line."""

import os
import socket
import subprocess
import sys
import tempfile

import pytest

from dorefa.golden.files import write_file

from .file_support import names, refused

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def test_names_that_no_file_can_have(tmp_path, monkeypatch):
    for name in ("", "a\0b"):
        refused(name, "is no file name; accepted: ")
    for name in (f"{tmp_path}/", f"{tmp_path}/new/", f"{tmp_path}/.", f"{tmp_path}/new/..", ".", "/"):
        refused(name, "cannot be written: (it is a folder|it names a folder|.* is no folder)")
    (tmp_path / "y").write_bytes(b"before")
    refused(f"{tmp_path}/y/", "y/: cannot be written: Not a directory")
    refused(tmp_path / "y" / "z", "y/z: cannot be written: ")
    refused(tmp_path / "none" / "z", "none/z: cannot be written: .*none is no folder")
    refused(tmp_path / ("n" * 256), "cannot be written: File name too long")
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("socket")
        refused("socket", "socket: cannot be written: it is a socket")
    assert names(tmp_path) == ["socket", "y"]


def test_names_that_are_long_or_no_text(tmp_path):
    for name in ("n" * 255, "ä" * 127, os.fsdecode(b"\xff\xfe"), "-", " ", "new\nline"):
        for content in (b"first", b"second"):
            write_file(tmp_path / name, content)
            assert (tmp_path / name).read_bytes() == content
    assert len(names(tmp_path)) == 6


def test_a_folder_that_takes_no_file(tmp_path):
    """Root has permission; the folder of processes has no room for files all the same."""
    if os.path.isdir("/proc/self"):
        refused("/proc/self/new", "new: cannot be written: ")
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        refused(tmp_path / "closed" / "y", "no permission to write in .*closed")
        (tmp_path / "y").write_bytes(b"before")
        (tmp_path / "y").chmod(0o400)
        refused(tmp_path / "y", "no permission to write it")


@root
def test_permissions_of_a_user():
    """In a child that is no longer root: what is write-protected stays, and is said before the work."""
    program = """
import os, sys
from dorefa.golden.errors import InputError
from dorefa.golden.files import require_writable, write_file
folder = sys.argv[1]
os.mkdir(folder + "/closed")
open(folder + "/closed/there", "w").close()
open(folder + "/protected", "w").close()
os.chmod(folder + "/protected", 0o444)
os.chmod(folder + "/closed/there", 0o666)
os.chmod(folder, 0o777)
os.chmod(folder + "/closed", 0o555)
os.setuid(65534)
for name in ("closed/new", "closed/there", "protected"):
    for function in (require_writable, lambda path: write_file(path, b"x")):
        try:
            function(folder + "/" + name)
        except InputError as error:
            print(str(error).replace(folder + "/", ""))
print(sorted(os.listdir(folder)), os.listdir(folder + "/closed"), os.path.getsize(folder + "/protected"))
"""
    with tempfile.TemporaryDirectory() as folder:  # a test's own folder is closed to other users
        command = [sys.executable, "-c", program, folder]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, left = done.stdout.splitlines()
    in_closed = "cannot be written: no permission to write in closed; accepted: a file in a writable folder"
    assert [line.split(" with room")[0] for line in lines] == [
        *2 * [f"closed/new: {in_closed}"],
        *2 * [f"closed/there: {in_closed}"],
        *2
        * ["protected: cannot be written: no permission to write it; accepted: a file that may be written"],
    ]
    assert left == "['closed', 'protected'] ['there'] 0"
