"""Cases that make test leaves out, by tests/budget.toml."""

from types import SimpleNamespace

import pytest

from . import budget

HERE = budget._FILE.parent


def items_of(name, count):
    """Test items of a parameter with so many values, which keep their marks."""
    file, _, function = name.partition("::")
    items = []
    for number in range(count):
        marks = []
        items.append(
            SimpleNamespace(
                path=HERE / file,
                name=f"{function}[{number}]",
                originalname=function,
                callspec=SimpleNamespace(id=str(number)),
                marks=marks,
                add_marker=lambda mark, marks=marks: marks.append(mark.name),
            )
        )
    return items


def marks(entry, count=10):
    items = items_of("hw/test_a.py::test_b", count)
    budget.leave_out(items, budget.read(f'[hw]\n"test_a.py::test_b" = {entry}'))
    return ["".join(mark[1] for mark in item.marks) for item in items]


def test_cases_are_spread():
    """l: slow; a: sample."""
    assert marks("[2, 4]") == ["", "la", "l", "la", "l", "", "la", "l", "la", "l"]
    assert marks("[0, 1]", 1) == ["la"]


def test_cases_that_are_named():
    assert marks('[["3", "9"], 1]', 5 + 5)[3:] == ["", *["l"] * 5, ""]
    assert marks('[["1"], 1]', 2) == ["la", ""]


@pytest.mark.parametrize(
    ("entry", "count"), [("[10, 1]", 10), ("[1, 2]", 2), ("[1, 0]", 1), ('[["1", "7"], 1]', 3), ("[1, 1]", 0)]
)
def test_entries_that_do_not_fit_are_refused(entry, count):
    items = items_of("hw/test_a.py::test_b", count) or items_of("hw/test_a.py::test_other", 1)
    with pytest.raises(pytest.UsageError, match=f"test_a.py::test_b has {count} cases; accepted: "):
        budget.leave_out(items, budget.read(f'[hw]\n"test_a.py::test_b" = {entry}'))


def test_files_that_were_not_collected_do_not_matter():
    items = items_of("hw/test_other.py::test_b", 3)
    budget.leave_out(items, budget.read('[hw]\n"test_a.py::test_b" = [1, 1]'))
    assert not any(item.marks for item in items)
