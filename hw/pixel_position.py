"""Where a convolution pixel stands in its map, and in the pooling windows that hold it."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from . import program

AXES = ("x", "y")


def place_layout(config):
    """What pooling must know of a pixel.

    Windows of one axis take turns in `pool_slots` slots. Per axis: `first` marks the slots whose
    window begins here, `closes` tells that a window ends here and `slot` which. `line` is the place
    of the window's column in the line memory.
    """
    fields = {}
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
    r mod `pool_slots`, where it begins again every `period` = s x `pool_slots` pixels (at least k).
    No two windows end at the same pixel; the last pixel of an axis ends the last window.

    Ports: `layer`, `start`; `column_ends` moves to the set's next pixel, `tile_ends` back to its first,
    `set_ends` on to the next set; `o` describes the pixel, `last` marks the layer's
    last. Without columns only `set_ends` moves.
    """

    def __init__(self, config):
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

    def elaborate(self, platform):
        m = Module()
        config, layer = self._config, self.layer
        slots = range(config.pool_slots)
        phase = signed(program.PHASE_BITS)
        shapes = {"x": program.SIZE_BITS, "y": program.SIZE_BITS, "line": len(self.o.line)}
        shapes |= {f"{axis}_phase_{slot}": phase for axis in AXES for slot in slots}
        shapes |= {f"{axis}_begins": 1 for axis in AXES}
        # This pixel, the one behind it, and the first of the set; x and y are what is left of the axis.
        now, following, first = (
            {name: Signal(shape, name=f"{which}_{name}") for name, shape in shapes.items()}
            for which in ("now", "next", "first")
        )
        ends = {axis: Signal(name=f"{axis}_ends") for axis in AXES}
        m.d.comb += [
            ends["x"].eq(now["x"] == 1),
            ends["y"].eq(now["y"] == 1),
            self.o.line.eq(now["line"]),
            self.last.eq(ends["x"] & ends["y"]),
        ]
        for axis in AXES:
            kernel, last = layer[f"pool_{axis}_kernel"], layer[f"pool_{axis}_slot"]
            phases = [now[f"{axis}_phase_{slot}"] for slot in slots]
            closing = Cat(value + 1 == kernel for value in phases)
            numbers = sum((Mux(closing[slot], slot, 0) for slot in slots[1:]), 0)
            m.d.comb += [
                self.o[f"{axis}_first"].eq(Cat(now[f"{axis}_begins"] | (value == 0) for value in phases)),
                self.o[f"{axis}_slot"].eq(Mux(ends[axis], last, numbers)),
                self.o[f"{axis}_closes"].eq(ends[axis] | closing.any()),
            ]

        def stepped(axis, slot):
            value = now[f"{axis}_phase_{slot}"]
            return Mux(value + 1 == layer[f"pool_{axis}_period"], 0, value + 1)

        m.d.comb += [
            following["y"].eq(now["y"] - ends["x"]),
            following["y_begins"].eq(now["y_begins"] & ~ends["x"]),
            following["x_begins"].eq(ends["x"]),
        ]
        with m.If(ends["x"]):
            m.d.comb += [following["x"].eq(layer.out_cols), following["line"].eq(0)]
        with m.Else():
            m.d.comb += following["x"].eq(now["x"] - 1)
            m.d.comb += following["line"].eq(now["line"] + Mux(self.o.x_closes, layer.pixel_groups, 0))
        for slot in slots:
            x, y = f"x_phase_{slot}", f"y_phase_{slot}"
            m.d.comb += [
                following[x].eq(Mux(ends["x"], layer[f"pool_x_phase_{slot}"], stepped("x", slot))),
                following[y].eq(Mux(ends["x"], stepped("y", slot), now[y])),
            ]

        def become(held, values):
            return [held[name].eq(values[name]) for name in shapes]

        with m.If(self.start):
            start = {name: layer[f"pool_{name}"] if "phase" in name else 0 for name in shapes}
            start |= {"x": layer.out_cols, "y": layer.out_rows, "x_begins": 1, "y_begins": 1}
            m.d.sync += become(now, start) + become(first, start)
        with m.Elif(self.set_ends):
            m.d.sync += become(now, following) + become(first, following)
        if config.cols > 1:
            with m.Elif(self.tile_ends):
                m.d.sync += become(now, first)
            with m.Elif(self.column_ends):
                m.d.sync += become(now, following)
        return m
