"""What the tests of written files share."""

import os

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.files import require_writable, write_file


def refused(path, message):
    """Both what is said before the work and what writing says."""
    for function in (require_writable, lambda name: write_file(name, b"x")):
        with pytest.raises(InputError, match=message) as caught:
            function(path)
        assert "\n" not in str(caught.value) and "; accepted: " in str(caught.value)


def names(folder):
    return sorted(os.listdir(folder))
