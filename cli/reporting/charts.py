"""Charts and tables of the page of `dorefa report`, as models of Bokeh."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bokeh.models import ColumnDataSource, HoverTool
from bokeh.models.ui import UIElement
from bokeh.models.widgets import CellFormatter, DataTable, NumberFormatter, StringFormatter, TableColumn
from bokeh.palettes import Category10_10
from bokeh.plotting import figure

from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import engine_registers

# Readable on a light and on a dark page.
_INK = "#7c8a93"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page: its `title`, a sentence of `text`, and the `model` below it, called `root`."""

    title: str
    text: str
    root: str
    model: UIElement


def sections(network: IntegerNetwork, report: Mapping[str, Any]) -> list[Section]:
    """The parts of the page of a report of `dorefa check` about `network`."""
    found = [
        Section(
            title="The network",
            text="Layers in their order; arcs are what a later layer reads or adds. Point at a layer for its "
            "shape and widths.",
            root="graph",
            model=_graph(network),
        )
    ]
    layers = report["layers"]
    if layers:
        found += _of_layers(layers, report)
    if report.get("memories"):
        filled = [{"memory": name, "bits": bits} for name, bits in report["memories"].items()]
        found.append(
            Section(
                title="Memories",
                text="Bits that the network fills of each kind of memory.",
                root="memories",
                model=_table(filled),
            )
        )
    if report["supported"] and report.get("architecture", "engine") == "engine":
        found += _of_host(EngineConfig(**report["config"]))
    return found


def _of_layers(layers: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> list[Section]:
    in_turn = "cycles" in layers[0]
    cycles = "cycles" if in_turn else "latency_cycles"
    kind = "bound_by" if "bound_by" in layers[0] else "structure"
    text = (
        "Cycles of an image, layer after layer"
        if in_turn
        else "Cycles from what a result needs to the result"
    )
    text += ", in the colours of "
    text += "what binds them; its loading in front." if kind == "bound_by" else "the structures."
    return [
        Section(
            title="Where the cycles go" if in_turn else "Latency of the layers",
            text=text,
            root="timeline",
            model=_timeline(layers, report, cycles, kind),
        ),
        Section(
            title="Layers",
            text="Click a column to sort by it.",
            root="layers",
            model=_table(layers),
        ),
    ]


def _plot(**options: Any) -> Any:
    """A figure that fits both kinds of page."""
    plot = figure(
        sizing_mode="stretch_width",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        toolbar_location="above",
        **options,
    )
    plot.toolbar.logo = None
    for axis in plot.axis:
        axis.axis_label_text_color = axis.major_label_text_color = _INK
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = _INK
    plot.grid.grid_line_color = None
    return plot


def _timeline(
    layers: Sequence[Mapping[str, Any]], report: Mapping[str, Any], cycles: str, kind: str
) -> UIElement:
    """Bars of the layers' `cycles`, one behind the other, in the colours of their `kind`."""
    plot = _plot(height=60 + 26 * (len(layers) + 1), tools="pan,xwheel_zoom,reset,save")
    bars, at = [], 0.0
    if report.get("cycles_estimate") is not None:
        bars.append(("loading", "loading", report["latency_cycles"] + 1 - report["cycles_estimate"]))
    bars += [(layer["name"], layer[kind], layer[cycles]) for layer in layers]
    found: dict[str, dict[str, list[Any]]] = {}
    for row, (name, own, many) in enumerate(bars):
        columns = found.setdefault(own, {"row": [], "name": [], "begin": [], "end": [], "cycles": []})
        for column, value in zip(columns.values(), (-row, name, at, at + many, many), strict=True):
            column.append(value)
        at += many
    colors = itertools.chain(["#b0bec5"] if "loading" in found else [], itertools.cycle(Category10_10))
    for (own, columns), color in zip(found.items(), colors, strict=False):
        source = ColumnDataSource(columns)
        plot.hbar(
            y="row", left="begin", right="end", height=0.7, color=color, source=source, legend_label=own
        )
    # Names of layers need not differ.
    plot.yaxis.ticker = [-row for row in range(len(bars))]
    plot.yaxis.major_label_overrides = {-row: str(name) for row, (name, *_) in enumerate(bars)}
    plot.add_tools(HoverTool(tooltips=[("", "@name"), ("cycles", "@cycles{0,0}"), ("from", "@begin{0,0}")]))
    plot.xaxis.axis_label = "cycles"
    plot.xaxis.formatter.use_scientific = False
    plot.legend.label_text_color = _INK
    plot.legend.background_fill_color = None
    plot.legend.border_line_color = None
    plot.add_layout(plot.legend[0], "right")
    return plot


def _table(rows: Sequence[Mapping[str, Any]]) -> UIElement:
    """A table that can be sorted, of dictionaries with the same keys."""
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    columns = []
    for name in names:
        values = [row[name] for row in rows if row[name] is not None]
        formatter: CellFormatter = StringFormatter()
        if all(isinstance(value, int | float) for value in values):
            whole = all(value == int(value) for value in values)
            formatter = NumberFormatter(format="0,0" if whole else "0,0.000")
        columns.append(TableColumn(field=name, title=name.replace("_", " "), formatter=formatter))
    return DataTable(
        source=ColumnDataSource({name: [row[name] for row in rows] for name in names}),
        columns=columns,
        height=60 + 26 * min(len(rows), 20),
        sizing_mode="stretch_width",
        index_position=None,
        reorderable=False,
    )


def _graph(network: IntegerNetwork) -> UIElement:
    """Layers from left to right, and arcs over those that are skipped."""
    layers = network.layers
    plot = _plot(height=220, tools="pan,xwheel_zoom,reset,save", y_range=(-1, 3))
    links = [(layer.source, place) for place, layer in enumerate(layers)]
    links += [(layer.add, place) for place, layer in enumerate(layers) if layer.add is not None]
    for begin, end in links:
        height = 0.0 if end - begin == 1 else min(2.5, 0.6 + 0.3 * (end - begin))
        plot.bezier(begin, 0, end, 0, begin, height * 4 / 3, end, height * 4 / 3, color=_INK, line_width=1.5)
    rows: dict[str, list[Any]] = {
        "x": [-1, *range(len(layers))],
        "name": ["image", *(layer.name for layer in layers)],
        "shape": [_shape(network.input_shape), *(_shape(layer.out_shape) for layer in layers)],
        "widths": [
            f"{network.input_bits} bits",
            *(f"W {layer.w_bits}, A {layer.a_bits}" for layer in layers),
        ],
        "macs": [0, *(layer.macs for layer in layers)],
    }
    nodes = plot.scatter("x", 0, size=16, source=ColumnDataSource(rows), color="#2f6f8f")
    plot.text(
        "x",
        -0.2,
        text="name",
        source=ColumnDataSource(rows),
        angle=-0.6,
        text_color=_INK,
        text_font_size="11px",
    )
    plot.add_tools(
        HoverTool(
            renderers=[nodes],
            tooltips=[("", "@name"), ("map", "@shape"), ("widths", "@widths"), ("MACs", "@macs{0,0}")],
        )
    )
    plot.axis.visible = False
    return plot


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _of_host(config: EngineConfig) -> list[Section]:
    """The maps of the AXI4-Lite port."""
    registers = [
        {
            "register": register.name,
            "offset": f"{register.offset:#x}",
            "bits": f"{field.lsb + field.width - 1}-{field.lsb}" if field.width > 1 else str(field.lsb),
            "field": field.name,
            "access": str(field.access),
            "meaning": field.meaning or register.meaning,
        }
        for register in engine_registers(config).values()
        for field in register.fields
    ]
    memory_map = MemoryMap.of(config)
    windows = [
        {
            "memories": window.name,
            "offset": f"{4 * memory_map.address(window, 0, 0):#x}",
            "number": window.memories,
            "words": window.depth,
            "bits": window.width,
        }
        for window in memory_map.windows
    ]
    return [
        Section(
            title="Registers",
            text="On the AXI4-Lite port, offsets in bytes; engine.h has them for C.",
            root="registers",
            model=_table(registers),
        ),
        Section(
            title="Memory map",
            text="Windows through which a network is loaded.",
            root="windows",
            model=_table(windows),
        ),
    ]
