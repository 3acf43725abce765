"""A function over many tasks: in processes of this machine or on a Dask cluster, each result kept as soon as
it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from ..targets.tool import require
from .cluster import workers
from .kept import Kept
from .work import Work
from .worker import do_apart, do_numbered


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The `result` of task `number`; `cached`: whether it was there before."""

    number: int
    result: Any
    cached: bool


def run_tasks(
    work: Work, tasks: Sequence[dict], *, jobs: int | None = None, cluster: str | None = None
) -> Iterator[Outcome]:
    """One :class:`Outcome` per task, those of the cache first, then each as it comes.

    tasks: dictionaries of plain data for JSON; jobs: processes of this machine at a time, by default one
    per processor; cluster: address of a Dask scheduler whose workers do it instead. Each result is kept
    before it is handed over, so whoever stops here goes on there: with the same work, tasks and source.
    Raises :class:`InputError` when joblib, distributed, the cache or a folder is missing, a process of this
    machine is killed, or the function raises one; RuntimeError with its traceback when it fails.
    """
    require("joblib", "explore")
    kept = Kept(work)
    missing = []
    for number, task in enumerate(tasks):
        found = kept.read(task)
        if found is None:
            missing.append((number, work, task))
        else:
            yield Outcome(number=number, result=found[0], cached=True)
    for number, result, final in _results(missing, jobs or os.cpu_count() or 1, cluster) if missing else ():
        if final:
            kept.write(tasks[number], result)
        yield Outcome(number=number, result=result, cached=False)


def _results(missing, jobs, cluster):
    """(number, result, whether it is final) of each task, in the order in which they end."""
    if cluster is not None:
        yield from _on_cluster(missing, cluster)
        return
    with ThreadPoolExecutor(min(jobs, len(missing))) as pool:
        running = [pool.submit(do_apart, *task) for task in missing]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            for waiting in running:
                waiting.cancel()


def _on_cluster(missing, cluster):
    """:func:`_results` of the workers of a Dask cluster."""
    import joblib

    with workers(cluster, missing[0][1]):
        # One by one, all of them handed over at once: each takes much longer than its way there.
        run = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        yield from run(joblib.delayed(do_numbered)(*task) for task in missing)
