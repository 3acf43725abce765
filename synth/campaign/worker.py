"""One task in a process of its own, which this module is the program of."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from dorefa.golden.errors import InputError
from dorefa.golden.process import child
from dorefa.golden.process.scratch import scratch_folder

from .work import Work

_TASK, _RESULT = "task", "result"


def do_numbered(number: int, work: Work, task: dict) -> tuple[int, Any, bool]:
    """The number of a task, and what :meth:`.work.Work.do` returns of it."""
    return number, *work.do(task)


def do_apart(number: int, work: Work, task: dict) -> tuple[int, Any, bool]:
    """:func:`do_numbered` in a process of its own.

    Raises :class:`InputError` as it does and when it is killed, RuntimeError with what it said when it fails.
    """
    with scratch_folder() as folder:
        (folder / _TASK).write_bytes(pickle.dumps((number, work, task)))
        status, _, said = child.run([sys.executable, "-m", __name__], folder=folder)
        if status == 0:
            outcome = pickle.loads((folder / _RESULT).read_bytes())
            if isinstance(outcome, InputError):
                raise outcome
            return outcome
    # What a task printed before a signal ended it is no reason.
    if status > 0 and said.strip():
        raise RuntimeError(f"the process of {work.noun} {task} failed: {said.strip()}")
    raise InputError(
        f"a process that {work.verb} a {work.noun} was killed, perhaps for lack of memory; accepted: the "
        f"same command again, with fewer --jobs (finished {work.noun}s are kept)"
    )


def main() -> None:
    """Works on the task in the working folder."""
    task = pickle.loads(Path(_TASK).read_bytes())
    try:
        outcome: object = do_numbered(*task)
    except InputError as error:
        outcome = error
    Path(_RESULT).write_bytes(pickle.dumps(outcome))


if __name__ == "__main__":
    main()
