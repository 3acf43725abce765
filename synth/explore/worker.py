"""One point of an exploration in a process of its own, which this module is the program of."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.process import child
from dorefa.golden.process.scratch import scratch_folder

from .point import Goal, measure

_TASK, _RESULT = "task", "result"


def measure_numbered(
    number: int, network: IntegerNetwork, parameters: dict, goal: Goal
) -> tuple[int, dict, bool]:
    """The number of a point, and what :func:`.point.measure` returns of it."""
    return number, *measure(network, parameters, goal)


def measure_apart(
    number: int, network: IntegerNetwork, parameters: dict, goal: Goal
) -> tuple[int, dict, bool]:
    """:func:`measure_numbered` in a process of its own.

    Raises :class:`InputError` as it does and when it is killed, RuntimeError with what it said when it fails.
    """
    with scratch_folder() as folder:
        (folder / _TASK).write_bytes(pickle.dumps((number, network, parameters, goal)))
        status, _, said = child.run([sys.executable, "-m", __name__], folder=folder)
        if status == 0:
            outcome = pickle.loads((folder / _RESULT).read_bytes())
            if isinstance(outcome, InputError):
                raise outcome
            return outcome
    if said.strip():
        raise RuntimeError(f"the process of point {parameters} failed: {said.strip()}")
    raise InputError(
        "a process that measured a point was killed, perhaps for lack of memory; accepted: the same "
        "command again, with fewer --jobs (finished points are kept)"
    )


def main() -> None:
    """Measures the point of the task in the working folder."""
    task = pickle.loads(Path(_TASK).read_bytes())
    try:
        outcome: object = measure_numbered(*task)
    except InputError as error:
        outcome = error
    Path(_RESULT).write_bytes(pickle.dumps(outcome))


if __name__ == "__main__":
    main()
