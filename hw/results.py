"""Accumulators of the last layer leave the engine one by one."""

from amaranth import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .drain import group_layout


def result_layout(config):
    """One signed accumulator ``sum(v * a)``, and whether it is the image's last."""
    return data.StructLayout({"data": signed(config.result_bits), "last": 1})


class Results(wiring.Component):
    """Takes a group of accumulators and sends the ones that exist.

    Ports: `ends_image`, whether the pass is the program's last; `valid`, `ready`, `values`,
    `group`; `offsets`, one cycle after a group is taken, what its accumulators still lack (the
    constant correction of XNOR products); `o`, stream of results; `done` pulses with the transfer
    of the pass's last.
    """

    def __init__(self, config):
        self._config = config
        accumulators = signed(config.acc_bits)
        super().__init__(
            {
                "ends_image": In(1),
                "valid": In(1),
                "ready": Out(1),
                "values": In(accumulators).array(config.total_quant),
                "offsets": In(accumulators).array(config.total_quant),
                "group": In(group_layout(config)),
                "o": Out(stream.Signature(result_layout(config))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        accumulator = signed(config.acc_bits)
        values = [Signal(accumulator, name=f"value_{lane}") for lane in range(config.total_quant)]
        offsets = [Signal(accumulator, name=f"offset_{lane}") for lane in range(config.total_quant)]
        group = Signal.like(self.group)
        lane = Signal(range(max(2, config.total_quant)))
        taken, sending = Signal(), Signal()
        lane_ends = Signal()
        m.d.comb += [
            lane_ends.eq(lane + 1 == group.count),
            self.ready.eq(~taken & ~sending),
            self.o.valid.eq(sending),
            self.o.payload.last.eq(self.ends_image & group.ends_layer & lane_ends),
            self.done.eq(sending & self.o.ready & group.ends_layer & lane_ends),
            self.o.payload.data.eq(
                Array(values)[lane] + (Array(offsets)[lane] if config.xnor else 0)
            ),
        ]
        m.d.sync += taken.eq(self.valid & self.ready)
        with m.If(self.valid & self.ready):
            m.d.sync += [group.eq(self.group), lane.eq(0)]
            m.d.sync += [kept.eq(new) for kept, new in zip(values, self.values, strict=True)]
        with m.If(taken):
            m.d.sync += sending.eq(1)
            m.d.sync += [kept.eq(new) for kept, new in zip(offsets, self.offsets, strict=True)]
        with m.Elif(sending & self.o.ready):
            m.d.sync += [lane.eq(lane + 1), sending.eq(Mux(lane_ends, 0, 1))]
        return m
