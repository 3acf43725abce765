"""Explorations: every engine of a grid and every pipeline measured for a network, side by side, each only
once; which points no other beats, and which one to take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.config.ranges import check_parameter

from ..boards.catalog import find_board
from ..campaign.makers import versions
from ..campaign.run import run_tasks
from ..campaign.work import Work
from ..targets.catalog import TARGETS, find_target
from .point import Goal


def grid(network: IntegerNetwork, values: Mapping[str, list], goal: Goal) -> list[dict]:
    """Engine parameters of every point, {name: value}: all combinations of `values`, {name: list}.

    Where `values` lack them: lanes and rows are those of the board, or else those that :func:`fit` has for
    the integer `network`, and half of each, rows also twice; what suits target and board is as they have it;
    cols is 1. Raises :class:`InputError` for a name or value that no engine has.
    """
    for name, chosen in values.items():
        for value in chosen:
            if name not in EngineConfig().as_dict():
                EngineConfig().replace(**{name: value})
            check_parameter(name, value)
    own = find_target(goal.target).sizes
    if goal.board is not None:
        board = find_board(goal.board)
        lanes, rows = board.array
        own = own | board.flow.sizes
    else:
        sized = fit(network)
        lanes, rows = sized.lanes, sized.rows
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


def tool_versions() -> dict[str, str | None]:
    """Installed versions of the packages that move the figures, None for those that are missing."""
    return versions(_packages())


def _packages() -> tuple[str, ...]:
    tools = (tool for target in TARGETS.values() for tool in target.tools)
    return tuple(dict.fromkeys(("amaranth", "amaranth-boards", *(tool.package for tool in tools))))


def work_of(network: IntegerNetwork, goal: Goal) -> Work:
    """What is done with a point of this integer network."""
    return Work(
        function="dorefa.synth.explore.point:measure_task",
        common=(network, goal),
        kind="explore",
        name="point",
        packages=_packages(),
        noun="point",
        verb="measured",
    )


def explore(
    network: IntegerNetwork,
    points: Sequence[dict],
    goal: Goal,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[dict], int]:
    """Measures points for an integer network: (they as :func:`measure` makes them, with what is in `points`,
    in their order; how many of them came from the cache).

    points: {`architecture`: ``engine`` or ``pipeline``, `parameters`: those of :func:`grid` here, or of
    :mod:`.pipelines`}; jobs: processes on this machine, by default one per processor; cluster: address of a
    Dask scheduler whose workers measure instead; progress: called with the number of points done. Each point
    is kept as soon as it is there, so an interrupted exploration goes on where it was. Raises
    :class:`InputError` when joblib, distributed or the cache is missing, or a process of this machine is
    killed.
    """
    measured, cached = {}, 0
    if progress is not None:
        progress(0)
    for outcome in run_tasks(work_of(network, goal), points, jobs=jobs, cluster=cluster):
        measured[outcome.number] = outcome.result
        cached += outcome.cached
        if progress is not None:
            progress(len(measured))
    return [own | measured[number] for number, own in enumerate(points)], cached


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


def reason_for(points: Sequence[dict], best: dict) -> str | None:
    """Why the recommended point `best` and none of the other architecture, in words; None where one alone
    was explored."""
    others = [point for point in points if point["architecture"] != best["architecture"]]
    if not others:
        return None
    kind = others[0]["architecture"]
    other = recommend(others)
    if other is None:
        return f"no {kind} of {len(others)} is usable: {others[0]['reason']}"
    unit = "images/s/MHz" if other["images_per_second"] is None else "images/s"
    cells = "cells" if other["luts"] is None else "LUTs"
    return (
        f"the fastest {kind} has {speed(other):,.1f} {unit} with {area(other):,} {cells}: this is "
        f"{speed(best) / speed(other):.2f} times that speed with {area(best) / area(other):.2f} times the "
        f"{cells}"
    )
