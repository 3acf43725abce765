"""Pictures of a network on an engine: digits, block diagram, utilization, waveform."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dorefa.golden.files import write_file
from dorefa.hw.config.engine import EngineConfig

from .waveform import Trace

Point = tuple[float, float]

_DARK, _MAIN, _PALE, _WRONG = "#1f2d3d", "#2f6f9f", "#e4eef5", "#c0392b"


def _save(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, dpi=150, bbox_inches="tight")
    write_file(path, content.getvalue())
    plt.close(figure)


def draw_digits(
    path: Path, images: np.ndarray, labels: Sequence[int], answers: Sequence[int], *, columns: int = 10
) -> None:
    """Images (N, H, W, 1) in a grid, each with the hardware's answer; wrong ones in red."""
    rows = math.ceil(len(images) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.25 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, label, answer in zip(axes.flat, images, labels, answers, strict=False):
        axis.imshow(image[..., 0], cmap="gray_r")
        right = label == answer
        text = str(answer) if right else f"{answer} (is {label})"
        axis.set_title(text, color=_DARK if right else _WRONG, fontsize=11)
    figure.suptitle("What the hardware reads", color=_DARK)
    _save(figure, path)


def draw_utilization(path: Path, layers: list[tuple[str, float, float]], total: tuple[float, float]) -> None:
    """Bars of each layer's utilization beside the bound of its tiling.

    `layers`: (name, utilization, bound), shares from 0 to 1; `total`: (utilization, bound) of all.
    """
    names = [name for name, _, _ in layers] + ["all"]
    reached = [value for _, value, _ in layers] + [total[0]]
    bounds = [value for _, _, value in layers] + [total[1]]
    place = np.arange(len(names))
    figure, axis = plt.subplots(figsize=(1.2 * len(names) + 1, 3.6))
    axis.bar(place - 0.2, bounds, 0.38, color=_PALE, edgecolor=_MAIN, label="bound of the tiling")
    axis.bar(place + 0.2, reached, 0.38, color=_MAIN, label="measured")
    for x, value in zip(place, reached, strict=True):
        axis.text(x + 0.2, value + 0.01, f"{value:.2f}", ha="center", fontsize=8, color=_DARK)
    axis.set_xticks(place, names)
    axis.set_ylim(0, 1.05)
    axis.set_ylabel("share of the array in use")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title("Utilization per layer", color=_DARK)
    _save(figure, path)


def _box(
    axis: Axes, x: float, y: float, title: str, text: str, width: float = 2.5, height: float = 1.0
) -> None:
    axis.add_patch(plt.Rectangle((x, y), width, height, facecolor=_PALE, edgecolor=_MAIN, linewidth=1.5))
    middle = x + width / 2
    top = y + height - 0.28
    axis.text(middle, top, title, ha="center", weight="bold", fontsize=9, color=_DARK)
    axis.text(middle, top - 0.1, text, ha="center", va="top", fontsize=7.5, color=_DARK, linespacing=1.3)


def _arrow(axis: Axes, start: Point, end: Point, text: str = "", shift: Point = (0, 0.08)) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": _DARK, "lw": 1.2})
    if text:
        x, y = (start[0] + end[0]) / 2 + shift[0], (start[1] + end[1]) / 2 + shift[1]
        axis.text(x, y, text, ha="center", fontsize=7, color=_DARK)


def draw_engine(path: Path, config: EngineConfig) -> None:
    """Block diagram of the engine of a configuration, with its sizes."""
    figure, axis = plt.subplots(figsize=(12, 6))
    axis.set_xlim(0, 13.4)
    axis.set_ylim(-0.6, 6.2)
    axis.axis("off")
    planes = f"{config.out_bits} planes x {config.feature_depth} words"
    if config.image_planes:
        planes += f"\n+ {config.image_planes} x {config.image_depth} for images"
    words = f"of {config.fetch_bits} bits"
    if config.plane_groups > 1:
        words += f", images of {config.a_bits} planes\nin {config.plane_groups} groups"
    if config.quantizer == "thresholds":
        stairs = f"{(1 << config.out_bits) - 1} thresholds a channel"
    else:
        stairs = f"(m acc + b) >> f, m of {config.mul_bits} bits"
    multiply = "XNOR" if config.xnor else "AND"
    _box(axis, 0.2, 2.6, "feature memory", f"{planes}\n{words}", height=1.3)
    _box(
        axis,
        3.6,
        2.6,
        "window reader",
        f"{config.fetch_bits} bits a cycle and plane\nbit runs, zero fill",
        height=1.3,
    )
    _box(
        axis,
        7.0,
        2.6,
        "patch buffer",
        f"{config.patch_slots} patches of up to\n{config.patch_depth} x {config.lanes} bits a plane",
        height=1.3,
    )
    _box(
        axis,
        10.4,
        2.3,
        "dot array",
        f"{config.rows} rows x {config.cols} columns of\n"
        f"{config.lanes} lanes: {multiply}, popcount\n{config.acc_bits}-bit accumulators\n"
        f"{config.binary_ops_per_cycle:,} operations a cycle",
        width=2.8,
        height=1.9,
    )
    _box(
        axis,
        10.4,
        5.0,
        "weight memory",
        f"{config.rows} rows x {config.weight_depth} words\n"
        f"{config.rows * config.weight_depth * config.lanes:,} bits",
        width=2.8,
    )
    _box(axis, 10.4, 0.2, "drain", f"{config.quant} channels a cycle", width=2.8)
    _box(axis, 7.0, 0.2, f"quantizer: {config.quantizer}", stairs)
    _box(axis, 3.6, 0.2, "max pooling", f"{config.pool_depth} channel groups")
    _box(axis, 0.2, 0.2, "plane packer", f"codes to {config.out_bits} bit planes")
    _box(
        axis,
        5.3,
        5.0,
        "sequencer",
        f"program of up to {config.layer_depth} layers\nW up to "
        f"{config.w_bits}, A up to {config.a_bits}, per layer",
    )
    _arrow(axis, (2.7, 3.25), (3.6, 3.25))
    _arrow(axis, (6.1, 3.25), (7.0, 3.25))
    _arrow(axis, (9.5, 3.25), (10.4, 3.25), "broadcast")
    _arrow(axis, (11.8, 5.0), (11.8, 4.2))
    _arrow(axis, (11.8, 2.3), (11.8, 1.2))
    _arrow(axis, (10.4, 0.7), (9.5, 0.7))
    _arrow(axis, (7.0, 0.7), (6.1, 0.7))
    _arrow(axis, (3.6, 0.7), (2.7, 0.7))
    _arrow(axis, (1.45, 1.2), (1.45, 2.6))
    _arrow(axis, (6.55, 5.0), (5.4, 3.9))
    _arrow(axis, (7.8, 5.2), (10.4, 3.9))
    _arrow(
        axis, (1.45, 5.2), (1.45, 3.9), f"s_axis: images,\n{8 * config.port_bytes} bits a beat", (0.8, 0.4)
    )
    _arrow(axis, (4.1, 5.5), (5.3, 5.5), "s_axil: control, memories", (-0.3, 0.12))
    _arrow(axis, (11.8, 0.2), (11.8, -0.5), "m_axis: scores", (0.75, -0.1))
    axis.set_title(f"dorefa_engine, {config.lanes} x {config.rows} x {config.cols}", color=_DARK)
    _save(figure, path)


def draw_waveform(path: Path, traces: list[Trace], *, first: int, title: str) -> None:
    """Timing diagram of :class:`dorefa.cli.demo.waveform.Trace` objects; `first` numbers the cycles."""
    cycles = len(traces[0].values)
    figure, axis = plt.subplots(figsize=(0.32 * cycles + 3, 0.55 * len(traces) + 0.8))
    for index, trace in enumerate(traces):
        base = len(traces) - 1 - index
        if trace.width == 1:
            times = np.repeat(np.arange(cycles + 1), 2)[1:-1]
            levels = np.repeat(trace.values, 2)
            axis.plot(times, base + 0.6 * levels, color=_MAIN, linewidth=1.3)
            axis.fill_between(times, base, base + 0.6 * levels, color=_PALE)
        else:
            _draw_number(axis, trace.values, base)
        axis.text(-0.4, base + 0.2, trace.label, ha="right", fontsize=8, color=_DARK)
    axis.set_xlim(0, cycles)
    axis.set_ylim(-0.3, len(traces))
    axis.set_yticks([])
    ticks = np.arange(0, cycles + 1, 8)
    axis.set_xticks(ticks, ticks + first)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.set_xlabel("cycle of the layer")
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.set_title(title, color=_DARK)
    _save(figure, path)


def _draw_number(axis: Axes, values: np.ndarray, base: float) -> None:
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1), len(values)]
    for start, end in zip(edges, edges[1:], strict=False):
        axis.add_patch(plt.Rectangle((start, base), end - start, 0.6, facecolor=_PALE, edgecolor=_MAIN, lw=1))
        text = str(values[start])
        if 0.22 * len(text) <= end - start + 0.3:
            axis.text((start + end) / 2, base + 0.17, text, ha="center", fontsize=6.5, color=_DARK)
