"""What every room's tests share: the seed of the random ones, and which need a tool that may be missing."""

import shutil

import numpy as np
import pytest

from . import budget


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=1, help="seed of the random tests (default: 1)")
    parser.addoption("--all-cases", action="store_true", help="also those that tests/budget.toml leaves out")


def pytest_report_header(config):
    return f"random tests: --seed {config.getoption('--seed')}"


# In front of pytest's own, which leaves out what is marked slow.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    # Who names a test, or a case, wants it.
    if not config.getoption("--all-cases") and not any("::" in argument for argument in config.args):
        budget.leave_out(items, budget.read())
    if shutil.which("iverilog") is None:
        for item in items:
            if item.get_closest_marker("icarus"):
                item.add_marker(pytest.mark.skip(reason="Icarus Verilog is not installed"))


@pytest.fixture
def seed(request):
    """The session's seed as an int; printed, so that a failure report shows it."""
    value = request.config.getoption("--seed")
    print(f"seed {value}")
    return value


@pytest.fixture
def rng(seed):
    """A fresh generator per test, seeded with the session's seed."""
    return np.random.default_rng(seed)
