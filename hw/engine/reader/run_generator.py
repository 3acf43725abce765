"""Which bit runs of the feature map make the patches of a layer, in order."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.program import Move
from ...interface.readers import reader_of
from ...lib.lfsr_counter import loop
from .set_columns import Ends, OneColumn, columns_of


def run_layout(config: EngineConfig) -> data.StructLayout:
    """One run: `address` of its first bit in the plane, `x` of that bit within the map's row
    (negative in the padding), `row_ok` whether the row exists; `ends_part` on the last run of a
    plane group of a patch, `ends_patch` on a patch's last run,
    `ends_set` on the last run of the last of the columns that are computed together.

    Where columns share reads, a run is that of all `columns` of the set on one line (one bit each); address
    and x are those of the set's column 0, whether or not that is one of them. The steps of `fetch_bits` that
    have bits for them, counted from there: `first_step` to `last_step`; `flush` as in the descriptor.
    """
    return data.StructLayout(
        {
            "address": config.feature_address_bits,
            "x": signed(config.feature_address_bits + 2),
            "row_ok": 1,
            "ends_part": 1,
            "ends_patch": 1,
            "ends_set": 1,
            **reader_of(config).run_fields(config),
        }
    )


def _step_layout(config: EngineConfig) -> data.StructLayout:
    """A move, and what the run before it ends: part, patch, set; of shared reads, its columns."""
    return data.StructLayout({"move": Move, "ends": 3, **reader_of(config).move_fields(config)})


class RunGenerator(wiring.Component):
    """Nested counters: set of `cols` convolution pixels in raster order, channel group, column, channel
    block of the input map, kernel row, run. Offers one run per cycle.

    One counter goes on, those inside of it begin again. Which one it is tells the distance to the next run:
    there is one per counter in the table that the descriptor begins with
    (:mod:`dorefa.hw.interface.program`), so address, x and y are one adder each. A pass begins at zero with
    the distance to its first run.

    A layer computed in several passes leaves its map in blocks of channels, one behind the other
    (:mod:`dorefa.hw.compiler.map_layout`); a patch takes the window of one block after that of the other. The
    groups of planes of an image are such blocks too, but each is a part of the patch that begins with a word.

    Where columns share reads (:mod:`dorefa.hw.compiler.column_slices`), those on one line count as one.
    Distances are between places of the set's column 0 as if its line went on.

    Ports: `layer` (descriptor, stable from `start` on), `table` (writes of the distances, complete before
    `start`), `start` (while no run is left), `o` (stream of runs).

    Latency: three cycles from `start` to the first run.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "table": In(program.table_signature(config)),
                "start": In(1),
                "o": Out(stream.Signature(run_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Where the first move is not taken, a second one waits, so that `ready` reaches no counter.
        waiting, waits = Signal(_step_layout(self._config)), Signal()
        taken, step, step_ends = Signal(), Signal.like(waiting), Signal.like(waiting.ends)
        valid, begins = Signal(), Signal()
        active, counted, columns = self._count(m, ~waits)
        run = Signal.like(self.o.payload)
        distance = self._table(m, step.move, taken)
        y = self._place(m, (taken & valid) | begins, taken, step.move, distance, run)
        m.d.comb += [
            taken.eq(~self.o.valid | self.o.ready),
            step.eq(Mux(waits, waiting, counted)),
            # A row above the map is a number beyond its last one, too.
            run.row_ok.eq(y.as_unsigned() < self.layer.in_rows),
            Cat(run.ends_part, run.ends_patch, run.ends_set).eq(step_ends),
        ]
        columns.describe(taken, step, run)
        m.d.sync += begins.eq(self.start)
        with m.If(~waits):
            m.d.sync += waiting.eq(counted)
        with m.If(taken):
            m.d.sync += [
                step_ends.eq(step.ends),
                valid.eq(waits | active),
                waits.eq(0),
                self.o.payload.eq(run),
                self.o.valid.eq(valid),
            ]
        with m.Elif(active):
            m.d.sync += waits.eq(1)
        with m.If(self.start):
            m.d.sync += [valid.eq(0), waits.eq(0), self.o.valid.eq(0)]
        return m

    def _count(self, m: Module, advance: Value) -> tuple[Signal, data.View, OneColumn]:
        """Counts rounds of the loops; returns whether there is a run, the step behind it (the one to the
        first run where there is none), and the columns of its set."""
        layer, config, start = self.layer, self._config, self.start
        active, goes = Signal(), Signal()
        ends = Ends()
        m.d.comb += goes.eq(active & advance)
        last, comes = {}, {}
        # The loops within a set, innermost first: what begins one again, what goes on to its next round.
        for name, restarts, goes_on in (
            ("run", ends.row, goes),
            ("row", ends.kernel, goes & ends.row),
            ("block", ends.patch, goes & ends.kernel),
            ("group", ends.groups, goes & ends.set),
        ):
            last[name], comes[name] = loop(m, layer[f"{name}_rounds"], start | (goes & restarts), goes_on)
        # Registers, so that the loops outside do not wait for all those inside.
        patch_comes = comes["run"] & comes["row"] & comes["block"]
        m.d.sync += ends.patch.eq(patch_comes)
        columns = columns_of(config)(m, config, layer, start, goes, ends)
        columns.count()
        m.d.comb += [
            ends.row.eq(last["run"]),
            ends.kernel.eq(ends.row & last["row"]),
            ends.part.eq(ends.patch),
        ]
        columns.end_sets(last["group"], patch_comes, comes["group"])
        if config.plane_groups > 1:
            m.d.comb += ends.part.eq(ends.kernel & (layer.plane_blocks | last["block"]))
        with m.If(start):
            m.d.sync += active.eq(1)
        with m.Elif(goes & ends.groups & columns.last_pixel & columns.last_line):
            m.d.sync += active.eq(0)
        return active, self._step(m, active, ends, columns), columns

    def _step(self, m: Module, active: Signal, ends: Ends, columns: OneColumn) -> data.View:
        """The move to the next run, by the outermost loop that goes on."""
        config, last_pixel = self._config, columns.last_pixel
        move = Signal(Move)
        with m.If(~active):
            m.d.comb += move.eq(Move.START)
        with m.Elif(ends.groups):
            m.d.comb += move.eq(Mux(last_pixel, Move.LINE, Move.PIXEL))
        with m.Elif(ends.set):
            m.d.comb += move.eq(Move.GROUP)
        if config.cols > 1:
            with m.Elif(ends.patch):
                m.d.comb += move.eq(Mux(last_pixel, Move.COLUMN_LINE, Move.COLUMN))
        with m.Elif(ends.kernel):
            m.d.comb += move.eq(Move.BLOCK)
        with m.Elif(ends.row):
            m.d.comb += move.eq(Move.ROW)
        with m.Else():
            m.d.comb += move.eq(Move.RUN)
        step = Signal(_step_layout(config))
        m.d.comb += [step.move.eq(move), step.ends.eq(Cat(ends.part, ends.patch, ends.set))]
        columns.mark(step)
        return step

    def _table(self, m: Module, move: Value, taken: Signal) -> dict[str, Value]:
        """The distance of the `move` that was taken, as a dictionary of its parts."""
        table, shapes = self.table, program.distance_fields(self._config)
        words = program.distance_words(self._config)
        number = table.address[: (len(words) - 1).bit_length()]
        address = table.address[len(number) :]
        result: dict[str, Value] = {}
        for word, parts in enumerate(words):
            if not parts:
                continue
            layout = data.StructLayout({part: shapes[part] for part in parts})
            memory = Memory(shape=layout, depth=1 << len(address), init=[])
            m.submodules[f"table{word}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(table.en & (number == word)),
                write.addr.eq(address),
                *(write.data[part].eq(table.data[bit:]) for part, bit in parts.items()),
                read.en.eq(taken),
                read.addr.eq(move),
            ]
            if self._config.prefetch:
                m.d.comb += read.addr[-1].eq(~address[-1])
            result |= {part: read.data[part] for part in parts}
        return result

    def _place(
        self, m: Module, enable: Value, taken: Signal, move: Value, distance: dict[str, Value], run: data.View
    ) -> Value:
        """Place of the `run`, and by `distance` of the one behind it; returns y."""
        place = data.StructLayout(program.distance_fields(self._config))
        at, origin, following = Signal(place), Signal(place), Signal(place)
        m.d.comb += [
            origin.eq(at),
            run.address.eq(at.address),
            run.x.eq(at.x),
            *(following[part].eq(origin[part] + far) for part, far in distance.items()),
        ]
        with m.If(self.start):
            m.d.sync += at.eq(0)
        with m.Elif(enable):
            m.d.sync += at.eq(following)
        if self._config.cols > 1:
            # The next channel group, pixel and line count from the set's first pixel.
            first, returns, begins = Signal(place), Signal(), Signal()
            with m.If(taken):
                m.d.sync += [
                    returns.eq(move == Move.GROUP),
                    begins.eq(
                        (move == Move.START)
                        | (move == Move.GROUP)
                        | (move == Move.PIXEL)
                        | (move == Move.LINE)
                    ),
                ]
            with m.If(returns):
                m.d.comb += origin.eq(first)
            with m.If(enable & begins):
                m.d.sync += first.eq(following)
        return at.y
