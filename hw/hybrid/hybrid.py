"""The whole hybrid: images in, results out, as streams that may wait at both ends."""

from __future__ import annotations

import math
from typing import Any

from amaranth import Cat, Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ..engine.engine import Engine
from ..generate.manifest import network_memories
from ..pipeline.source import Source
from .code_store import CodeStore
from .plan import HybridPlan

MODULE = "dorefa_hybrid"
# Images whose result has not left when the next one begins: one in the engine, one in the store.
_UNDER_WAY = 2


class Hybrid(wiring.Component):
    """A network whose first layer is a stage of constants in front of an engine with all others, of its
    :class:`.HybridPlan`.

    The stage computes the codes of an image while the engine works on the one before; they wait in a memory
    until it takes them. The engine has its program and weights from the start, and no host.

    Ports: `i`, a pixel a beat: a byte per channel, `last` with the last pixel of an image; `o`, a number a
    beat, two's complement of :attr:`result_bits`, class after class, `last` with the last of an image and
    `error` where its `last` came too early or too late: an image that is too short is filled up with zeros,
    and of one that is too long the rest is dropped.
    """

    watch = None  # of what leaves each layer, as pipelines have one

    def __init__(self, plan: HybridPlan, *, watched: bool = False) -> None:
        self.plan = plan
        self.result_bits = plan.config.result_bits
        self._channels = plan.network.input_shape[2]
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"data": 8 * self._channels, "last": 1}))),
                "o": Out(
                    stream.Signature(data.StructLayout({"data": self.result_bits, "last": 1, "error": 1}))
                ),
            }
        )

    @property
    def preloaded(self) -> tuple[str, ...]:
        """Instances whose memories hold the network, as of :func:`..verilog.export.export`."""
        return tuple(path.replace("core.", "engine.", 1) for path in network_memories(self.plan.config))

    def elaborate(self, platform: Any) -> Module:
        m, plan = Module(), self.plan
        front, bits = plan.front, plan.network.input_bits
        rows, columns, channels = plan.compiled.network.input_shape
        m.submodules.source = source = Source(
            pixels=math.prod(plan.network.input_shape[:2]),
            bits=self._channels * bits,
            pace=front.pace,
            flush=front.flush,
            settle=front.settle,
            # Counted in images: the next one begins when the store is empty.
            results=1,
            room=1,
        )
        (stage,) = front.stages
        m.submodules.layer0 = stage
        m.submodules.store = store = CodeStore(
            pixels=rows * columns,
            channels=channels,
            bits=plan.compiled.network.input_bits,
            beat_codes=plan.config.port_bytes,
        )
        m.submodules.engine = engine = Engine(plan.config, memories=plan.compiled.memories)
        m.submodules.errors = errors = SyncFIFOBuffered(width=1, depth=_UNDER_WAY)
        pixel = Cat(self.i.payload.data[8 * at : 8 * at + bits] for at in range(self._channels))
        wiring.connect(m, source.o, stage.i)
        wiring.connect(m, store.o, engine.i)
        result = engine.o.payload
        m.d.comb += [
            source.pixel.eq(pixel),
            source.valid.eq(self.i.valid),
            source.last.eq(self.i.payload.last),
            self.i.ready.eq(source.ready),
            source.taken.eq(store.taken),
            errors.w_en.eq(source.ends),
            errors.w_data.eq(source.wrong),
            store.valid.eq(stage.o.valid & ~stage.o.blank),
            store.word.eq(stage.o.word),
            self.o.valid.eq(engine.o.valid),
            engine.o.ready.eq(self.o.ready),
            self.o.payload.data.eq(result.data),
            self.o.payload.last.eq(result.last),
            self.o.payload.error.eq(result.last & errors.r_data),
            errors.r_en.eq(self.o.valid & self.o.ready & result.last),
        ]
        return m
