"""A process that has loaded a component's tests, and runs them in a copy of itself for each mutant.

The program of `python -m mutator.worker`, in the folder `tests/hw`: its argument is JSON, what it prints is
a line of JSON per mutant.
"""

import json
import os
import signal
import sys
import time
from collections import Counter

import pytest
from _pytest.runner import runtestprotocol

from .components import COMPONENTS, ROOT
from .mutants import drawn
from .planted import Planted
from .prove import equal_everywhere

BASELINE = -1  # the number of no mutant


class Copies:
    """The pytest plugin that runs the collected tests once per number, in copies of this process."""

    def __init__(self, task: dict, results) -> None:
        self._task, self._results, self._failure = task, results, None
        self._part = COMPONENTS[task["component"]]
        self._mutants = drawn(self._part.source, self._part.functions, task["seed"])

    def pytest_runtest_makereport(self, item, call):
        """Keeps what a failing test raised; one that skips itself says nothing of the mutant."""
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            self._failure = call.excinfo

    def pytest_runtestloop(self, session):
        """Instead of running the tests."""
        seconds, kills = self._task["seconds"], Counter()
        for number in self._task["numbers"]:
            # First what found others before, then what is fast.
            items = sorted(session.items, key=lambda item: (-kills[item.nodeid], seconds.get(item.nodeid, 0)))
            began = time.monotonic()
            reading, writing = os.pipe()
            pid = os.fork()
            if not pid:
                os.close(reading)
                self._copy(number, items, writing)
            os.close(writing)
            with os.fdopen(reading) as pipe:
                said = pipe.read()
            _, status = os.waitpid(pid, 0)
            result = {"number": number, "seconds": time.monotonic() - began}
            result |= json.loads(said) if said.endswith("}") else {"outcome": "timeout", "by": said}
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGALRM:
                result["outcome"] = "crash"
            kills[result.get("by")] += 1
            print(json.dumps(result), file=self._results, flush=True)
        return True

    def _copy(self, number, items, writing):
        """Runs the tests with a mutant in this process, says what happened, and ends."""
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            mutant = None if number == BASELINE else self._mutants[number]
            result = self._run(items, mutant, Planted(self._part, mutant), writing)
            os.write(writing, json.dumps(result).encode())
        except BaseException as error:
            os.write(writing, json.dumps({"outcome": "error", "by": repr(error)}).encode())
        finally:
            os._exit(0)

    def _run(self, items, mutant, planted, writing):
        seconds = {}
        for item in items:
            began = time.monotonic()
            if mutant is not None:
                limit = 20 + 10 * self._task["seconds"].get(item.nodeid, 10)
                signal.setitimer(signal.ITIMER_REAL, limit)
            self._failure = None
            runtestprotocol(item, log=False, nextitem=None)
            seconds[item.nodeid] = time.monotonic() - began
            if self._failure is not None:
                return {"outcome": _kind(self._failure), "by": item.nodeid, "error": _short(self._failure)}
        signal.setitimer(signal.ITIMER_REAL, 0)
        if mutant is None:
            return {"outcome": "passed", "tests": seconds}
        if not planted.reached:
            # A second time that never is, is no mutant.
            return {"outcome": "unbuilt" if mutant.second else "unreached"}
        if not planted.built:
            return {"outcome": "survived"}
        proved, of = equal_everywhere(planted)
        return {"outcome": "equal" if proved else "survived", "configurations": of}


def _kind(failure):
    """ "killed", or "unbuilt" where the mutant is no hardware at all: its description raises."""
    names = [(str(entry.path), entry.name) for entry in failure.traceback]
    in_description = any(name == "elaborate" for _, name in names) or "amaranth/hdl/" in names[-1][0]
    return "unbuilt" if in_description else "killed"


def _short(failure):
    return " ".join(failure.exconly(tryshort=True).split())[:200]


def main():
    """Runs the mutants of the task."""
    task = json.loads(sys.argv[1])
    # What tests print is not among the results.
    results = os.fdopen(os.dup(1), "w")
    files = [str(ROOT / name) for name in task["tests"]]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(ROOT), "--seed", "1"]
    options.append("--all-cases")
    status = pytest.main(
        [*options, "-c", str(ROOT / "pyproject.toml"), *files], plugins=[Copies(task, results)]
    )
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SystemExit(f"the tests cannot be loaded: status {status}")


if __name__ == "__main__":
    main()
