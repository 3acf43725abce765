"""Where a convolution pixel stands in its map, and in the pooling windows that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program

AXES = ("x", "y")


def place_layout(config: EngineConfig) -> data.StructLayout:
    """What pooling must know of a pixel.

    Windows of one axis take turns in `pool_slots` slots. Per axis: `first` marks the slots whose
    window begins here, `closes` tells that a window ends here and `slot` which. `line` is the place
    of the window's column in the line memory.
    """
    fields: dict[str, ShapeLike] = {}
    for axis in AXES:
        fields |= {
            f"{axis}_first": config.pool_slots,
            f"{axis}_slot": range(max(2, config.pool_slots)),
            f"{axis}_closes": 1,
        }
    return data.StructLayout(fields | {"line": range(max(2, config.line_depth))})


class PixelPosition(wiring.Component):
    """Steps through the convolution pixels of a layer in raster order.

    Window r of an axis covers pixels r s - p to r s - p + k - 1 as far as they exist; it lies in slot
    r mod `pool_slots`, where it begins again every `period` = s x `pool_slots` pixels, or k where that is
    more, which it is only where no other window follows in the slot.
    No two windows end at the same pixel; the last pixel of an axis ends the last window.

    Ports: `layer`, `start`; `column_ends` moves to the set's next pixel, `tile_ends` back to its first,
    `set_ends` on to the next set; `o` describes the pixel, `last` marks the layer's
    last. Without columns only `set_ends` moves.

    Latency: `o` and `last` describe the new pixel in the cycle after a move. What a pixel ends are registers,
    computed one pixel ahead, so that comparisons stand in front of them.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "start": In(1),
                "column_ends": In(1),
                "tile_ends": In(1),
                "set_ends": In(1),
                "o": Out(place_layout(config)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layer = self._config, self.layer
        slots = range(config.pool_slots)
        phase = signed(config.phase_bits)
        # x and y are what is left of the axis, a phase is two more than the pixel's place in the period.
        shapes = {"x": config.size_bits, "y": config.size_bits, "line": len(self.o.line)}
        shapes |= {f"{axis}_{what}": 1 for axis in AXES for what in ("begins", "last")}
        shapes |= {f"{axis}_phase_{slot}": phase for axis in AXES for slot in slots}
        for slot in slots:
            shapes |= {f"{axis}_{what}_{slot}": 1 for axis in AXES for what in ("closes", "wraps")}
        # This pixel, the one behind it, and the first of the set.
        now, following, first = (
            {name: Signal(shape, name=f"{which}_{name}") for name, shape in shapes.items()}
            for which in ("now", "next", "first")
        )
        m.d.comb += [
            self.o.line.eq(now["line"]),
            self.last.eq(now["x_last"] & now["y_last"]),
        ]
        for axis in AXES:
            closing = Cat(now[f"{axis}_closes_{slot}"] for slot in slots)
            numbers = sum((Mux(closing[slot], slot, 0) for slot in slots[1:]), 0)
            begins = (now[f"{axis}_phase_{slot}"] == 2 for slot in slots)
            m.d.comb += [
                self.o[f"{axis}_first"].eq(Cat(now[f"{axis}_begins"] | begin for begin in begins)),
                self.o[f"{axis}_slot"].eq(Mux(now[f"{axis}_last"], layer[f"pool_{axis}_slot"], numbers)),
                self.o[f"{axis}_closes"].eq(now[f"{axis}_last"] | closing.any()),
            ]

        def axis_start(axis: str) -> dict[str, Value]:
            """The axis' first pixel, as the descriptor has it."""
            fields = [f"{axis}_{what}_{slot}" for what in ("phase", "closes", "wraps") for slot in slots]
            return {name: layer[f"pool_{name}"] for name in fields}

        def stepped(axis: str) -> dict[str, Value]:
            """One pixel further; a period begins anew with the place 0."""
            result: dict[str, Value] = {}
            for slot in slots:
                value, wraps = now[f"{axis}_phase_{slot}"], now[f"{axis}_wraps_{slot}"]
                kernel, period = layer[f"pool_{axis}_kernel"], layer[f"pool_{axis}_period"]
                result |= {
                    f"{axis}_phase_{slot}": Mux(wraps, 2, value + 1),
                    f"{axis}_closes_{slot}": Mux(wraps, layer[f"pool_{axis}_one"], value == kernel),
                    f"{axis}_wraps_{slot}": Mux(wraps, layer[f"pool_{axis}_every"], value == period),
                }
            return result

        start = {
            "x": layer.out_cols,
            "x_last": layer.out_cols == 1,
            "x_begins": 1,
            **axis_start("x"),
            "y": layer.out_rows,
            "y_last": layer.out_rows == 1,
            "y_begins": 1,
            **axis_start("y"),
            "line": 0,
        }
        with m.If(now["x_last"]):
            line_begins = [name for name in shapes if name[0] == "x"] + ["line"]
            m.d.comb += [following[name].eq(start[name]) for name in line_begins]
            m.d.comb += [following["y"].eq(now["y"] - 1), following["y_last"].eq(now["y"] == 2)]
            m.d.comb += [following[name].eq(value) for name, value in stepped("y").items()]
        with m.Else():
            m.d.comb += [following["x"].eq(now["x"] - 1), following["x_last"].eq(now["x"] == 2)]
            m.d.comb += [following[name].eq(value) for name, value in stepped("x").items()]
            m.d.comb += following["line"].eq(now["line"] + Mux(self.o.x_closes, layer.pixel_groups, 0))
            m.d.comb += [following[name].eq(now[name]) for name in shapes if name[0] == "y"]

        def become(held: dict[str, Signal], values: Mapping[str, Value | int]) -> list[Any]:
            return [held[name].eq(values[name]) for name in shapes]

        with m.If(self.start):
            m.d.sync += become(now, start) + become(first, start)
        with m.Elif(self.set_ends):
            m.d.sync += become(now, following) + become(first, following)
        if config.cols > 1:
            with m.Elif(self.tile_ends):
                m.d.sync += become(now, first)
            with m.Elif(self.column_ends):
                m.d.sync += become(now, following)
        return m
