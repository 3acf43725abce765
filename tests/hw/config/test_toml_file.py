"""dorefa.hw.config.toml_file: files that are no table of engine parameters, refused in one line."""

import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.toml_file import read_overrides


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lanes = inf", "lanes is inf; accepted: an integer"),
        ("lanes = nan", "lanes is nan; accepted: an integer"),
        ("lanes = 64.0", "lanes is 64.0; accepted: an integer"),
        ("lanes = true", "lanes is True; accepted: an integer"),
        ("lanes = '64'", "lanes is '64'; accepted: an integer"),
        ("lanes = [64]", "lanes is [64]; accepted: an integer"),
        ("lanes = 1979-05-27", "lanes is datetime.date(1979, 5, 27); accepted: an integer"),
        ("lanes.x = 1", "lanes is {'x': 1}; accepted: an integer"),
        ("encoding = 1", "encoding is 1; accepted: a string"),
        ("[engine]\nlanes = {}", "lanes is {}; accepted: an integer"),
        ("[engine]\n[rows]", "unknown engine parameter 'engine'; accepted: lanes, rows"),
        ("[[engine]]\nlanes = 64", "unknown engine parameter 'engine'; accepted: lanes, rows"),
        ("'a\\nb' = 1", r"unknown engine parameter 'a\\nb'; accepted: lanes"),
        (f"{'k' * 390} = 1", f"unknown engine parameter '{'k' * 59}... (392 characters); accepted: lanes"),
        (
            "lanes = 1979-02-30",
            "not TOML: Invalid date or datetime (at line 1, column 9); accepted: a TOML file",
        ),
        ("lanes = 1\nlanes = 2", "not TOML: Cannot overwrite a value (at end of document); accepted: a TOML"),
        (
            "lanes = 6\x004",
            "not TOML: Expected newline or end of document after a statement (at line 1, column",
        ),
        ("lanes = " + "[\n" * 20_000, "not TOML: nested too deeply; accepted: a TOML file"),
        (
            "lanes = " + "[" * 3000 + "]" * 3000,
            "line 1 has 6008 characters; accepted: a TOML file with engine p",
        ),
        (
            "lanes = " + "9" * 5000,
            "line 1 has 5008 characters; accepted: a TOML file with engine parameters, at",
        ),
        (".".join("a" * 30_000) + " = 1", "line 1 has 60003 characters; accepted: a TOML file"),
        (
            ".".join("a" * 100_000) + " = 1",
            "has 200003 bytes; accepted: a TOML file with engine parameters, at ",
        ),
        (
            "\ufefflanes = 64",
            "no UTF-8 text: begins with a byte order mark; UTF-8 needs none; accepted: a TOML",
        ),
    ],
)
def test_files_that_are_refused(text, message, tmp_path):
    path = tmp_path / "engine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}") as caught:
        read_overrides(path)
    assert str(caught.value).isprintable() and "; accepted: " in str(caught.value)


def test_any_writing_of_an_integer(tmp_path):
    path = tmp_path / "engine.toml"
    path.write_bytes(b"# a comment of " + b"x" * 380 + b"\r\nlanes = 0x40\r\nrows = 0b10\r\nquant = 1_0\r\n")
    assert read_overrides(path) == {"lanes": 64, "rows": 2, "quant": 10}
