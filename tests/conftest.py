"""What every room's tests share: the seed of the random ones."""

import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=1, help="seed of the random tests (default: 1)")


def pytest_report_header(config):
    return f"random tests: --seed {config.getoption('--seed')}"


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
