"""Accumulators of the last layer leave the engine one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface.result_ports import result_port
from .drain import group_layout


class Results(wiring.Component):
    """Takes a group of accumulators and sends the ones that exist.

    Ports: `ends_image`, whether the pass is the program's last; `valid`, `ready`, `values`,
    `group`; `offsets`, one cycle after a group is taken, what its accumulators still lack (the
    constant correction of XNOR products); `o`, stream of results; `done` pulses with the transfer
    of the pass's last.

    Latency: a group's first result is offered two cycles after the group is taken, then one a cycle; `ready`
    is high again in the cycle after its last one was sent.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        accumulators = signed(config.acc_bits)
        super().__init__(
            {
                "ends_image": In(1),
                "valid": In(1),
                "ready": Out(1, init=1),
                "values": In(accumulators).array(config.total_quant),
                "offsets": In(accumulators).array(config.total_quant),
                "group": In(group_layout(config)),
                "o": Out(stream.Signature(result_port(config).layout(config))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        lanes = config.total_quant
        group = Signal.like(self.group)
        # The lane that follows in `o`, the one that is there, one bit each; whether that is the group's last.
        taken, turn, current, ends = Signal(), Signal(lanes), Signal(lanes), Signal()
        later, sending, moves = Signal(lanes - 1), Signal(), Signal()
        next_taken, next_sending = Signal(), Signal()
        follows = Cat(group.count > lane for lane in range(1, lanes))
        m.d.comb += [
            turn.eq(Cat(taken, later)),
            moves.eq(~sending | self.o.ready),
            next_taken.eq(self.valid & self.ready),
            next_sending.eq(Mux(moves, turn.any(), sending)),
            self.o.valid.eq(sending),
            self.o.payload.last.eq(self.ends_image & ends),
            self.done.eq(sending & self.o.ready & ends),
        ]
        # What is kept without `valid` is not read, so the enable of registers all over the device is `ready`,
        # a register.
        m.d.sync += [
            taken.eq(next_taken),
            sending.eq(next_sending),
            self.ready.eq(~next_taken & ~next_sending),
        ]
        with m.If(self.ready):
            m.d.sync += group.eq(self.group)
        with m.If(moves):
            m.d.sync += [
                later.eq(turn & follows),
                current.eq(turn),
                ends.eq(group.ends_layer & (turn & ~Cat(follows, 0)).any()),
            ]
        shows = Mux(moves, turn, current)
        sent = self._chosen(m, "value", self.values, self.ready, shows, moves, early=False)
        if config.xnor:
            sent += self._chosen(m, "offset", self.offsets, taken, shows, moves, early=True)
        m.d.comb += self.o.payload.data.eq(sent)
        return m

    def _chosen(
        self,
        m: Module,
        name: str,
        values: Sequence[Value],
        take: Signal,
        shows: Value,
        moves: Signal,
        *,
        early: bool,
    ) -> list[Signal]:
        """The one of `values`, kept with `take`, that `shows` said; `early`: the first one's turn is then.

        All values but one are zero: joining them takes less than a choice. A value that is kept needs no
        enable to stay: the reset of the others is all that hangs on the receiver.
        """
        chosen = []
        for lane, value in enumerate(values):
            shape = Shape.cast(value.shape())
            if lane or not early:
                kept = Signal(shape, name=f"{name}_{lane}")
                with m.If(take):
                    m.d.sync += kept.eq(value)
                value = kept
            shown = Signal(shape, name=f"shown_{name}_{lane}", reset_less=True)
            if lane or not early:
                m.d.sync += shown.eq(Mux(shows[lane], value, 0))
            else:
                with m.If(moves):
                    m.d.sync += shown.eq(Mux(shows[lane], value, 0))
            chosen.append(shown)
        return reduce(or_, chosen)
