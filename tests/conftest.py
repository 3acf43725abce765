"""Fixtures that every room's tests share."""

import os
import secrets

import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--seed",
        type=int,
        default=None,
        help="seed of the random tests (default: drawn anew, printed in the header)",
    )


def pytest_configure(config):
    if config.getoption("--seed") is None:
        config.option.seed = int(os.environ.get("DOREFA_SEED", secrets.randbits(32)))


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
