"""The documentation names files that exist and links to places that exist."""

import re
import textwrap
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

import pytest

import dorefa

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("golden/zoo/data/*.md")),
    *sorted(ROOT.glob("*.md")),
]
ROOMS = ("golden", "hw", "sim", "synth", "cli", "tests", "bench", "docs")
FILES = [
    path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()
]
# What programs write, or users do.
OTHERS = {"engine.h"}


def missing_files(text):
    """Source files that the text names in backticks and nobody has."""
    for name in re.findall(r"`([\w./-]+\.(?:py|cpp|h|lib))`", text):
        if name not in OTHERS and not any(f"/{file}".endswith(f"/{name}") for file in FILES):
            yield name


def missing_names(text):
    """What lines of Python in the text import of ours and nobody has."""
    for module, names in re.findall(r"from (dorefa[\w.]*) import ([\w, ]+)", text):
        for name in names.split(","):
            try:
                found = hasattr(import_module(module), name.strip())
                found = found or find_spec(f"{module}.{name.strip()}") is not None
            except ModuleNotFoundError:
                found = False
            if not found:
                yield f"{module}: {name.strip()}"


def anchors(text):
    """Anchors of a page's headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.*)$", text, flags=re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(page, text):
    """Links of a page to files or headings that are not there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            yield target
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_and_links_exist(page):
    text = page.read_text()
    assert list(missing_files(text)) == []
    assert list(missing_names(text)) == []
    assert list(broken_links(page, text)) == []


def test_planted_faults_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b` (c)\n")
    assert list(missing_files("see `hw/nothing.py` and `hw/config/engine.py`")) == ["hw/nothing.py"]
    lines = "from dorefa.golden import lower, upper\nfrom dorefa.nowhere import x"
    assert list(missing_names(lines)) == ["dorefa.golden: upper", "dorefa.nowhere: x"]
    found = broken_links(page, "[a](#a-b-c) [b](#b) [c](other.md) [d](https://example.org)")
    assert list(found) == ["#b", "other.md"]


def test_the_first_session_runs(capsys):
    """What the package's docstring shows."""
    code = textwrap.dedent(dorefa.__doc__.split("A first session::")[1])
    exec(code, {})
    assert capsys.readouterr().out == "True 14869.0\n"


def test_the_picture_of_both_architectures_is_true():
    drawn = (ROOT / "docs" / "images" / "architectures.svg").read_text()
    draw = run_path(str(ROOT / "docs" / "architectures.py"))["draw"]
    assert drawn == draw(), "accepted: the output of python docs/architectures.py"
