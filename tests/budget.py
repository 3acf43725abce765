"""Which cases of the tests in budget.toml `make test` leaves out: marks them slow, and some a sample."""

import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

_FILE = Path(__file__).with_name("budget.toml")


def read(text=None):
    """{path of a test from this folder, with its function: (cases of make test, how many more)}."""
    rooms = tomllib.loads(_FILE.read_text() if text is None else text)
    return {f"{room}/{name}": tuple(own) for room, tests in rooms.items() for name, own in tests.items()}


def leave_out(items, budget):
    """Marks cases; `items` are those of whole files. UsageError for an entry that no test has, or that names
    as many cases as there are."""
    cases = defaultdict(list)
    for item in items:
        name = getattr(item, "originalname", item.name)
        cases[f"{item.path.relative_to(_FILE.parent).as_posix()}::{name}"].append(item)
    files = {name.partition("::")[0] for name in cases}
    for name, (first, more) in budget.items():
        if name not in cases and name.partition("::")[0] not in files:
            continue
        own = cases[name]
        count = first if isinstance(first, int) else len(first)
        named = own if isinstance(first, int) else [item for item in own if item.callspec.id in first]
        if len(named) < count or len(own) < count + max(more, 1):
            raise pytest.UsageError(
                f"tests/budget.toml: {name} has {len(own)} cases; accepted: tests and cases that there are, "
                "and not all of them for make test"
            )
        kept = spread(named, count)
        rest = [item for item in own if item not in kept]
        sample = spread(rest, more)
        for item in rest:
            item.add_marker(pytest.mark.slow)
            if item in sample:
                item.add_marker(pytest.mark.sample)


def spread(items, count):
    """`count` of the items, from all over the list."""
    return [items[number * len(items) // count] for number in range(count)]
