"""Pooling over windows of any overlap: every convolution pixel is computed once.

Max pooling commutes with a monotone quantizer (the paper's Eq. 15), so it runs on codes. Sums stand for
averages; their divisor goes into the scale.
"""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Module, Mux, Shape, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...lib.delay import delayed
from .drain import group_layout


def pool_latency(config: EngineConfig) -> int:
    """Cycles from a group to the end of its windows, of both axes."""
    return 4 if config.cols > 1 else 6


def pool_ports(config: EngineConfig, shape: ShapeLike) -> dict[str, wiring.Member]:
    """Ports of both pools: `valid`, `values` (`quant` of `shape`) and their `group` go in, `o_valid`,
    `o_values` and `o_group` come out; `enable` is low for a layer that does not pool here, whose pixels then
    are windows of their own; `sums` is high for one that pools by sums, where there is a choice."""
    return {
        "enable": In(1),
        "sums": In(1),
        "valid": In(1),
        "values": In(shape).array(config.quant),
        "group": In(group_layout(config)),
        "o_valid": Out(1),
        "o_values": Out(shape).array(config.quant),
        "o_group": Out(group_layout(config)),
    }


class AxisPool(wiring.Component):
    """Combines the values of a pooling window along one axis, and passes them on where it ends.

    Values arrive in raster order, all groups of a pixel before the next pixel (with several columns,
    all columns of a tile before the next tile). Each group keeps `pool_slots` running results, one per
    window that may be open at the same time: along x one place per group of a pixel, along y one per
    group and pooled column.

    `shape` is one value's. `operations`: of ``max`` and ``sum``; where both, `sums` chooses.

    A group sees the last result of its place :func:`dorefa.hw.config.engine.pool_spacing` cycles later, which
    the issue of tiles takes care of. With several columns, whose pixels may follow one another in the next
    cycle, neither the memory's answer nor what is written is registered, and a result on its way takes a
    shortcut.

    Ports: :func:`pool_ports`. Latency: three cycles, two with several columns.
    """

    def __init__(
        self, config: EngineConfig, *, axis: str, shape: ShapeLike, operations: tuple[str, ...]
    ) -> None:
        self._config, self._axis, self._operations = config, axis, operations
        self._shape = Shape.cast(shape)
        super().__init__(pool_ports(config, shape))

    def _combined(self, kept: Value, new: Value) -> Value:
        larger = Mux(new > kept, new, kept)
        if self._operations == ("max",):
            return larger
        total = (new + kept)[: self._shape.width]
        return total if self._operations == ("sum",) else Mux(self.sums, total, larger)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, axis, width = self._config, self._axis, self._shape.width
        lines = axis == "y"
        m.submodules.running = memory = Memory(
            shape=config.pool_slots * config.quant * width,
            depth=config.line_depth if lines else config.pool_depth,
            init=[],
        )
        write = memory.write_port()
        address = self.group.index + (self.group.place.line if lines else 0)
        waits = pool_latency(config) // 2 - 1
        if waits == 1:
            read = memory.read_port(transparent_for=(write,))
            running = read.data
        else:
            # A block RAM is slow to answer: nothing but a register is behind it.
            read = memory.read_port()
            running = delayed(m, read.data, 1, "running", reset_less=True)
        valid = delayed(m, self.valid, waits, "valid")
        group = delayed(m, self.group, waits, "group", reset_less=True)
        values = [delayed(m, value, waits, f"value_{lane}") for lane, value in enumerate(self.values)]
        place = {name: group.place[f"{axis}_{name}"] for name in ("first", "slot", "closes")}
        alone = ~self.enable
        slots = []
        for slot in range(config.pool_slots):
            results = []
            for lane, new in enumerate(values):
                at = (slot * config.quant + lane) * width
                kept = running[at : at + width]
                kept = kept.as_signed() if self._shape.signed else kept
                result = Signal(self._shape, name=f"result_{slot}_{lane}")
                m.d.comb += result.eq(Mux(alone | place["first"][slot], new, self._combined(kept, new)))
                results.append(result)
            slots.append(results)
        m.d.comb += [
            read.addr.eq(address),
            read.en.eq(1),
            write.addr.eq(delayed(m, address, 2 * waits - 1, "write_address", reset_less=True)),
            write.data.eq(delayed(m, Cat(slots), waits - 1, "write_data", reset_less=True)),
            write.en.eq(delayed(m, valid, waits - 1, "write")),
        ]
        m.d.sync += [
            self.o_valid.eq(valid & (alone | place["closes"])),
            self.o_group.eq(group),
            *(
                out.eq(Array(slots[slot][lane] for slot in range(config.pool_slots))[place["slot"]])
                for lane, out in enumerate(self.o_values)
            ),
        ]
        return m


class WindowPool(wiring.Component):
    """Pooling along x, then along y. Ports: :func:`pool_ports`. Latency: :func:`pool_latency` cycles."""

    def __init__(self, config: EngineConfig, *, shape: ShapeLike, operations: tuple[str, ...]) -> None:
        self._parameters = {"shape": shape, "operations": operations}
        self._config = config
        super().__init__(pool_ports(config, shape))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.x = x = AxisPool(self._config, axis="x", **self._parameters)
        m.submodules.y = y = AxisPool(self._config, axis="y", **self._parameters)
        m.d.comb += [
            x.valid.eq(self.valid),
            x.group.eq(self.group),
            y.valid.eq(x.o_valid),
            y.group.eq(x.o_group),
            self.o_valid.eq(y.o_valid),
            self.o_group.eq(y.o_group),
            *(part.enable.eq(self.enable) for part in (x, y)),
            *(part.sums.eq(self.sums) for part in (x, y)),
            *(into.eq(value) for into, value in zip(x.values, self.values, strict=True)),
            *(into.eq(value) for into, value in zip(y.values, x.o_values, strict=True)),
            *(into.eq(value) for into, value in zip(self.o_values, y.o_values, strict=True)),
        ]
        return m
