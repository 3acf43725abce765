"""Cases that make test leaves out, and those of them that make test-long runs, by tests/budget.toml."""

from types import SimpleNamespace

import pytest

from . import budget

HERE = budget._FILE.parent


def items_of(name, count, slow=()):
    """Test items of a parameter with so many values, some of which are slow by themselves."""
    file, _, function = name.partition("::")
    items = []
    for number in range(count):
        marks = ["slow"] if number in slow else []
        items.append(
            SimpleNamespace(
                path=HERE / file,
                name=f"{function}[{number}]",
                originalname=function,
                callspec=SimpleNamespace(id=str(number)),
                marks=marks,
                add_marker=lambda mark, marks=marks: marks.append(mark.name),
                get_closest_marker=lambda name, marks=marks: name in marks,
            )
        )
    return items


def left(entry, count=10, slow=()):
    """Numbers of the cases of make test, of those that make test-long runs too, and of the others."""
    items = items_of("hw/test_a.py::test_b", count, slow)
    budget.leave_out(items, budget.read(f'[hw]\n"test_a.py::test_b" = {entry}'))
    kept = [number for number, item in enumerate(items) if not item.marks]
    sampled = [number for number, item in enumerate(items) if item.marks == ["slow", "sample"]]
    assert all(item.marks in ([], ["slow"], ["slow", "sample"]) for item in items)
    return kept, sampled


def test_cases_are_spread():
    assert left(2) == ([0, 5], [1, 6])
    assert left(0, 1) == ([], [0])


def test_cases_that_are_named():
    assert left('["3", "9"]') == ([3, 9], [0, 5])


def test_what_is_slow_by_itself_stays_so():
    assert left(1, 4, slow=(0, 2)) == ([1], [3])


@pytest.mark.parametrize(("entry", "count"), [(10, 10), (2, 2), (0, 0), (1, 0), ('["1", "7"]', 3)])
def test_entries_that_do_not_fit_are_refused(entry, count):
    items = items_of("hw/test_a.py::test_b", count) or items_of("hw/test_a.py::test_other", 1)
    with pytest.raises(pytest.UsageError, match=f"test_a.py::test_b has {count} cases that are not slow; "):
        budget.leave_out(items, budget.read(f'[hw]\n"test_a.py::test_b" = {entry}'))


def test_files_that_were_not_collected_do_not_matter():
    items = items_of("hw/test_other.py::test_b", 3)
    budget.leave_out(items, budget.read('[hw]\n"test_a.py::test_b" = 1'))
    assert not any(item.marks for item in items)
