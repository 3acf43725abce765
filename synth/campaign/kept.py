"""Results that are there already, in dorefa's cache."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from dorefa.golden.cache import Cache
from dorefa.golden.process.scratch import scratch_folder

from .makers import makers
from .work import Work

_RESULT = "result.json"
_ROOM = 1 << 20  # bytes, more than any result


class Kept:
    """Results of a `work` that were there before, one entry of the cache each.

    An entry's name is the hash of everything that the result depends on: the function, the common data, the
    task, the versions of the packages and the source. Raises :class:`InputError` where nothing can be kept.
    """

    def __init__(self, work: Work) -> None:
        import joblib

        self._cache = Cache(work.kind)
        self._prefix = work.name
        self._shared = [work.function, joblib.hash(work.common), *makers(work)]
        self._cache.check_writable(_ROOM)

    def _name(self, task: dict) -> str:
        key = json.dumps([*self._shared, task], sort_keys=True)
        return f"{self._prefix}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def read(self, task: dict) -> tuple[Any] | None:
        """The result of a task, in a tuple because it may be anything; None if there is none yet."""
        entry = self._cache.find(self._name(task))
        return None if entry is None else (json.loads((entry / _RESULT).read_text()),)

    def write(self, task: dict, result: Any) -> None:
        """Keeps a result; whole or not at all."""
        with scratch_folder() as folder:
            (folder / _RESULT).write_text(json.dumps(result))
            self._cache.add(self._name(task), [folder / _RESULT])
