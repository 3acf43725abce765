"""Which cases of the tests in budget.toml make test leaves out, and of which make test-long runs some."""

import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

_FILE = Path(__file__).with_name("budget.toml")
# Of so many cases that a test leaves out, make test-long runs the first.
_SAMPLED = 4


def read(text=None):
    """{path of a test from this folder, with its function: cases of make test, how many or their names}."""
    rooms = tomllib.loads(_FILE.read_text() if text is None else text)
    return {f"{room}/{name}": cases for room, tests in rooms.items() for name, cases in tests.items()}


def leave_out(items, budget):
    """Marks the other cases slow, and some of them as a part of the sample; `items` are those of whole files.
    UsageError for an entry that no test has, or that leaves out nothing."""
    cases = defaultdict(list)
    for item in items:
        name = getattr(item, "originalname", item.name)
        cases[f"{item.path.relative_to(_FILE.parent).as_posix()}::{name}"].append(item)
    files = {name.partition("::")[0] for name in cases}
    for name, wanted in budget.items():
        if name not in cases and name.partition("::")[0] not in files:
            continue
        own = [item for item in cases[name] if not item.get_closest_marker("slow")]
        if isinstance(wanted, int):
            kept = [own[number * len(own) // wanted] for number in range(wanted) if own]
            count = wanted
        else:
            kept = [item for item in own if item.callspec.id in wanted]
            count = len(wanted)
        if len(kept) != count or len(own) <= count:
            raise pytest.UsageError(
                f"tests/budget.toml: {name} has {len(own)} cases that are not slow; accepted: tests and "
                "cases that there are, and not all of them"
            )
        for number, item in enumerate(item for item in own if item not in kept):
            item.add_marker(pytest.mark.slow)
            if number % _SAMPLED == 0:
                item.add_marker(pytest.mark.sample)
