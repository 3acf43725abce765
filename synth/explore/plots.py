"""Plots of an exploration: what speed costs, and how well the array is used."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from .explore import area, pareto, speed

_MAIN, _DARK, _REFUSED = "#2f6f9f", "#1f2d3d", "#b8bec4"
_FORMATS = ("png", "svg")


def draw(points: Sequence[dict[str, Any]], title: str) -> dict[str, bytes]:
    """{file name: content} of both plots of an exploration's points, as PNG and SVG.

    `throughput`: images per second (per MHz where nothing was routed) against area, the Pareto front drawn;
    unusable points are grey. `efficiency`: needed one-bit products per cycle and LUT against lanes,
    one line per number of rows, columns and engines, of the best point each. Points without figures are
    in neither.
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
    columns = f"x{config['cols']}" if config["cols"] > 1 else ""
    return f"{config['lanes']}x{config['rows']}{columns}"


def _throughput(axis, points):
    routed = any(point["images_per_second"] is not None for point in points)
    if routed:
        # What was refused before routing has no speed in the same unit.
        points = [point for point in points if point["images_per_second"] is not None]
    front = pareto(points)
    for chosen, color, label in (
        ([point for point in points if point["reason"]], _REFUSED, "unusable"),
        ([point for point in points if not point["reason"]], _MAIN, "usable, lanes x rows"),
    ):
        if chosen:
            axis.scatter([area(p) for p in chosen], [speed(p) for p in chosen], color=color, label=label)
    axis.plot([area(p) for p in front], [speed(p) for p in front], color=_MAIN, label="Pareto front")
    for point in front:
        axis.annotate(
            _label(point),
            (area(point), speed(point)),
            (0, 6),
            textcoords="offset points",
            fontsize=8,
            ha="center",
        )
    axis.margins(0.08)
    axis.set_xlabel(_area_name(points))
    axis.set_ylabel("images per second" if routed else "images per second and MHz")
    axis.legend(frameon=False)


def _efficiency(axis, points):
    lines = {}
    for point in points:
        config = point["config"]
        used = point["utilization"] * config["lanes"] * config["rows"] * config["cols"] * config["engines"]
        series = lines.setdefault((config["rows"], config["cols"], config["engines"]), {})
        series[config["lanes"]] = max(series.get(config["lanes"], 0), used / area(point))
    for (rows, cols, engines), series in sorted(lines.items()):
        lanes = sorted(series)
        label = f"{rows} rows" + (f", {cols} columns" if cols > 1 else "")
        label += f", {engines} engines" if engines > 1 else ""
        axis.plot(lanes, [series[key] for key in lanes], marker="o", label=label)
    axis.set_xticks(sorted({point["config"]["lanes"] for point in points}))
    axis.set_xlabel("lanes")
    axis.set_ylabel(f"needed one-bit products per cycle and {_area_name(points).removesuffix('s')}")
    if lines:
        axis.legend(frameon=False)
