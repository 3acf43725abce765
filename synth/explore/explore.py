"""Explorations: every engine of a grid measured for a network, side by side, each only once; which points
no other beats, and which one to take."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict

from dorefa.golden.cache import Cache
from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.config.ranges import CHOICES, RANGES, check_choice, check_range

from ..boards.catalog import find_board
from ..targets.catalog import TARGETS, find_target
from ..targets.tool import package_folder
from .point import Goal
from .worker import measure_apart, measure_numbered

_POINT = "point.json"
_ROOM = 1 << 20  # bytes, more than any point
_ROOMS = ("golden", "hw", "sim", "synth")


def grid(network: IntegerNetwork, values: Mapping[str, list], goal: Goal) -> list[dict]:
    """Engine parameters of every point, {name: value}: all combinations of `values`, {name: list}.

    Where `values` lack them: lanes and rows are those of the board, or else those that :func:`fit` has for
    the integer `network`, and half of each, rows also twice; the structure is the target's own, on a board
    with its pipeline; cols is 1. Raises :class:`InputError` for a name or value that no engine has.
    """
    for name, chosen in values.items():
        for value in chosen:
            if name in RANGES:
                check_range(name, value)
            elif name in CHOICES:
                check_choice(name, value)
            else:
                EngineConfig().replace(**{name: value})
    own: dict[str, int | str] = {}
    if goal.board is not None:
        board = find_board(goal.board)
        lanes, rows = board.array
        own = board.flow.sizes
    else:
        sized = fit(network)
        lanes, rows = sized.lanes, sized.rows
        if find_target(goal.target).fabric:
            own = {"structure": "mapped"}
    axes: dict[str, list] = {
        "lanes": [lanes // 2, lanes],
        "rows": [rows // 2, rows, 2 * rows],
        **{name: [value] for name, value in own.items()},
        "cols": [1],
        **values,
    }
    return [
        dict(zip(axes, point, strict=True))
        for point in itertools.product(*(dict.fromkeys(chosen) for chosen in axes.values()))
    ]


def source_digest() -> str:
    """Hash of dorefa's own source, as far as figures depend on it."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        folder = package_folder(f"dorefa.{room}")
        # Code, and the library that gates are mapped to.
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.lib")]):
            name = f"{room}/{path.relative_to(folder).as_posix()}"
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def tool_versions() -> dict[str, str | None]:
    """Installed versions of the packages that move the figures, None for those that are missing."""
    tools = (tool for target in TARGETS.values() for tool in target.tools)
    versions = dict.fromkeys(("amaranth", "amaranth-boards", *(tool.package for tool in tools)))
    for name in versions:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _makers() -> tuple[dict[str, str | None], str]:
    """All that figures depend on beside the point itself."""
    return tool_versions(), source_digest()


class Points:
    """Points that were measured before, in dorefa's cache.

    A point's name is the hash of everything that it depends on: the integer `network`, the `goal`, the
    engine parameters, the versions of the tools and dorefa's source. Raises :class:`InputError` where no
    point can be kept.
    """

    def __init__(self, network: IntegerNetwork, goal: Goal) -> None:
        import joblib

        self._cache = Cache("explore")
        self._common = [joblib.hash(network), asdict(goal), *_makers()]
        self._cache.check_writable(_ROOM)

    def _name(self, parameters: dict) -> str:
        key = json.dumps([*self._common, parameters], sort_keys=True)
        return f"point-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def read(self, parameters: dict) -> dict | None:
        """The point of these engine parameters, None if it is yet to be measured."""
        entry = self._cache.find(self._name(parameters))
        return None if entry is None else json.loads((entry / _POINT).read_text())

    def write(self, parameters: dict, point: dict) -> None:
        """Keeps a point; whole or not at all."""
        with scratch_folder() as folder:
            (folder / _POINT).write_text(json.dumps(point))
            self._cache.add(self._name(parameters), [folder / _POINT])


def explore(
    network: IntegerNetwork,
    points: Sequence[dict],
    goal: Goal,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[dict], int]:
    """Measures the engines of :func:`grid` for an integer network: (points as :func:`measure` makes them
    with `parameters`, in the order of `points`; how many of them came from the cache).

    jobs: processes on this machine, by default one per processor; cluster: address of a Dask scheduler whose
    workers measure instead; progress: called with the number of points done. Each point is kept as soon
    as it is there, so an interrupted exploration goes on where it was. Raises :class:`InputError` when
    joblib, distributed or the cluster is missing, or a process of this machine is killed.
    """
    require("joblib", "explore")
    cache = Points(network, goal)
    found = ((number, cache.read(parameters)) for number, parameters in enumerate(points))
    measured = {number: point for number, point in found if point is not None}
    missing = [number for number in range(len(points)) if number not in measured]
    cached = done = len(measured)
    if progress is not None:
        progress(done)
    tasks = [(number, network, points[number], goal) for number in missing]
    for number, point, final in _results(tasks, jobs or os.cpu_count() or 1, cluster) if tasks else ():
        measured[number] = point
        if final:
            cache.write(points[number], point)
        done += 1
        if progress is not None:
            progress(done)
    return [{"parameters": own} | measured[number] for number, own in enumerate(points)], cached


def _results(tasks, jobs, cluster):
    """(number, point, whether it is final) of each task, in the order in which they end."""
    if cluster is not None:
        yield from _on_cluster(tasks, cluster)
        return
    with ThreadPoolExecutor(min(jobs, len(tasks))) as pool:
        running = [pool.submit(measure_apart, *task) for task in tasks]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            for waiting in running:
                waiting.cancel()


def _on_cluster(tasks, cluster):
    """:func:`_results` of the workers of a Dask cluster."""
    import joblib

    with _workers(cluster):
        # One by one, all of them handed over at once: each takes much longer than its way there.
        run = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        yield from run(joblib.delayed(measure_numbered)(*task) for task in tasks)


def require(module: str, extra: str) -> None:
    """Raises :class:`InputError` that names the extra unless `module` is installed."""
    if importlib.util.find_spec(module) is None:
        raise InputError(f"{module} is missing; accepted: pip install 'dorefa[{extra}]'")


@contextmanager
def _workers(cluster: str) -> Iterator[None]:
    """Lets the workers of a Dask cluster run what joblib runs inside the block."""
    import joblib

    require("distributed", "cluster")
    import distributed

    accepted = "accepted: the address of a running Dask scheduler with workers, as tcp://host:8786"
    try:
        # Of an address that it cannot read, a client would be left half made.
        distributed.comm.get_address_host_port(cluster)
        client = distributed.Client(cluster, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cluster {cluster!r}: {error}; {accepted}") from error
    with client:
        _check_workers(client, cluster, accepted)
        with joblib.parallel_config("dask", client=client, n_jobs=-1):
            yield


def _check_workers(client, cluster, accepted):
    """Raises :class:`InputError` unless every worker of the cluster has this dorefa and these tools."""
    try:
        others = client.run(_makers)
    except ImportError as error:
        raise InputError(f"cluster {cluster!r}: a worker lacks {error.name}; {accepted}") from error
    if not others:
        raise InputError(f"cluster {cluster!r} has no workers; {accepted}")
    for worker, found in others.items():
        if found != _makers():
            raise InputError(
                f"cluster {cluster!r}: worker {worker} has another dorefa or other tools; accepted: the "
                "same on all machines"
            )


def area(point: dict) -> int:
    """What a point costs: its LUTs, or its cells where the target has none."""
    return point["cells"] if point["luts"] is None else point["luts"]


def speed(point: dict) -> float:
    """Images per second, or per second and MHz where nothing was routed."""
    per_second = point["images_per_second"]
    return point["images_per_second_per_mhz"] if per_second is None else per_second


def pareto(points: Sequence[dict]) -> list[dict]:
    """The points with nothing in the way that no other beats, from the smallest to the fastest: any
    other one is slower or larger, or the same in both and comes later."""
    front: list[dict] = []
    usable = [point for point in points if point["reason"] is None]
    for point in sorted(usable, key=lambda point: (area(point), -speed(point))):
        if not front or speed(point) > speed(front[-1]):
            front.append(point)
    return front


def recommend(points: Sequence[dict]) -> dict | None:
    """The fastest point with nothing in the way, of equals the smallest; None without any."""
    front = pareto(points)
    return front[-1] if front else None
