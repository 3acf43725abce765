"""Network files taken apart and put together again, and refusals."""

import io
import json
import re
import zipfile

import numpy as np
import pytest

from dorefa.golden import InputError


def contents(path):
    """Name -> bytes of the members of a zip file."""
    with zipfile.ZipFile(path) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def rewrite(path, files):
    """Writes a zip file of the members `files`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def npy(array, **options):
    """The bytes of an array as `.npy`."""
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def with_header(path, change):
    """The file with `change` applied to its header."""
    files = contents(path)
    header = json.loads(np.load(io.BytesIO(files["header.npy"])).tobytes())
    change(header)
    files["header.npy"] = npy(np.frombuffer(json.dumps(header).encode(), np.uint8))
    rewrite(path, files)


def refused(path, text):
    """Expects an InputError of the file at `path`."""
    return pytest.raises(InputError, match=f"^{re.escape(f'{path}: {text}')}$")
