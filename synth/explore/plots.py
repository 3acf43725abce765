"""Plots of an exploration: what speed costs, and how much of it is needed products."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from .explore import area, pareto, speed

_MAIN, _OTHER, _DARK, _REFUSED = "#2f6f9f", "#c77b30", "#1f2d3d", "#b8bec4"
_FORMATS = ("png", "svg")


def draw(points: Sequence[dict[str, Any]], title: str) -> dict[str, bytes]:
    """{file name: content} of both plots of an exploration's points, as PNG and SVG.

    `throughput`: images per second (per MHz where nothing was routed) against area, the Pareto front drawn;
    unusable points are grey. `efficiency`: needed one-bit products per cycle and LUT against lanes,
    one line per number of rows, columns and engines, of the best point each, and a line for the best
    pipeline; of pipelines alone against cycles an image. Points without figures are in neither.
    """
    measured = [point for point in points if area(point) is not None]
    pictures = {}
    for name, plot in (("throughput", _throughput), ("efficiency", _efficiency)):
        figure, axis = plt.subplots(figsize=(7, 4.5))
        plot(axis, measured)
        axis.set_title(title, color=_DARK)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.3)
        for kind in _FORMATS:
            content = io.BytesIO()
            # Without date and random names, so that equal points make equal files.
            with plt.rc_context({"svg.hashsalt": name}):
                metadata = {"Date": None} if kind == "svg" else None
                figure.savefig(content, format=kind, dpi=150, bbox_inches="tight", metadata=metadata)
            pictures[f"{name}.{kind}"] = content.getvalue()
        plt.close(figure)
    return pictures


def _area_name(points):
    return "cells" if points and points[0]["luts"] is None else "LUTs"


def _label(point):
    config = point["config"]
    if config is None:
        return f"{point['cycles']:,}"
    columns = f"x{config['cols']}" if config["cols"] > 1 else ""
    return f"{config['lanes']}x{config['rows']}{columns}"


def _annotate(axis, point, shift, side):
    """A point's label, shifted by so many points of text."""
    axis.annotate(
        _label(point),
        (area(point), speed(point)),
        shift,
        textcoords="offset points",
        fontsize=8,
        ha=side,
    )


def _logarithmic(axis):
    """Both axes, with plain numbers."""
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for one in (axis.xaxis, axis.yaxis):
        one.set_major_formatter(StrMethodFormatter("{x:,g}"))
        one.set_minor_formatter(NullFormatter())


def _throughput(axis, points):
    routed = any(point["images_per_second"] is not None for point in points)
    if routed:
        # What was refused before routing has no speed in the same unit.
        points = [point for point in points if point["images_per_second"] is not None]
    front, pipelines = pareto(points), [point for point in points if _is_pipeline(point)]
    usable = [point for point in points if not point["reason"]]
    for chosen, color, label in (
        ([point for point in points if point["reason"]], _REFUSED, "unusable"),
        ([point for point in usable if point not in pipelines], _MAIN, "engine, lanes x rows"),
        ([point for point in usable if point in pipelines], _OTHER, "pipeline, cycles an image"),
    ):
        if chosen:
            axis.scatter([area(p) for p in chosen], [speed(p) for p in chosen], color=color, label=label)
    axis.plot([area(p) for p in front], [speed(p) for p in front], color=_DARK, lw=1, label="Pareto front")
    place = ((-6, 3), "right") if pipelines else ((0, 6), "center")
    for point in front:
        _annotate(axis, point, *place)
    axis.margins(0.15 if pipelines else 0.08, 0.08)
    if pipelines:
        # They are far faster than engines, and far apart.
        _logarithmic(axis)
    axis.set_xlabel(_area_name(points))
    axis.set_ylabel("images per second" if routed else "images per second and MHz")
    axis.legend(frameon=False)


def _is_pipeline(point):
    return point["architecture"] == "pipeline"


def _used(point):
    """Needed one-bit products per cycle and LUT."""
    return point["binary_ops"] / point["cycles"] / area(point)


def _efficiency(axis, points):
    engines = [point for point in points if not _is_pipeline(point)]
    pipelines = sorted(filter(_is_pipeline, points), key=lambda point: point["cycles"])
    if engines:
        _efficiency_of_engines(axis, engines)
        axis.set_xlabel("lanes")
    if pipelines and engines:
        best = max(pipelines, key=_used)
        label = f"pipeline, {best['cycles']:,} cycles"
        axis.axhline(_used(best), color=_DARK, linestyle="dashed", label=label)
    elif pipelines:
        cycles = [point["cycles"] for point in pipelines]
        axis.plot(cycles, [_used(point) for point in pipelines], marker="o", color=_OTHER, label="pipeline")
        axis.set_xscale("log")
        axis.set_xlabel("cycles an image")
    axis.set_ylabel(f"needed one-bit products per cycle and {_area_name(points).removesuffix('s')}")
    if points:
        axis.legend(frameon=False)


def _efficiency_of_engines(axis, points):
    lines = {}
    for point in points:
        config = point["config"]
        series = lines.setdefault((config["rows"], config["cols"], config["engines"]), {})
        series[config["lanes"]] = max(series.get(config["lanes"], 0), _used(point))
    for (rows, cols, engines), series in sorted(lines.items()):
        lanes = sorted(series)
        label = f"{rows} rows" + (f", {cols} columns" if cols > 1 else "")
        label += f", {engines} engines" if engines > 1 else ""
        axis.plot(lanes, [series[key] for key in lanes], marker="o", label=label)
    axis.set_xticks(sorted({point["config"]["lanes"] for point in points}))
