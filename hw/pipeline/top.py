"""A pipeline, or a hybrid, under the standard names of AXI4-Stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .pipeline import Pipeline

MODULE = "dorefa_pipeline"


class PipelineTop(wiring.Component):
    """A :class:`.Pipeline` with flat ports: ``s_axis``, a pixel of an image a beat, and ``m_axis``, a number
    of its result, with ``m_axis_tuser`` on the last one of an image whose ``tlast`` came too early or too
    late. make_core: of the plan what has the ports and attributes of a pipeline; watched: as of that."""

    def __init__(self, plan: Any, *, make_core: Callable[..., Any] = Pipeline, watched: bool = False) -> None:
        self.pipeline = make_core(plan, watched=True) if watched else make_core(plan)
        super().__init__(
            {
                "s_axis_tdata": In(self.pixel_bits),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(self.pipeline.result_bits),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                "m_axis_tuser": Out(1),
            }
        )

    @property
    def preloaded(self) -> tuple[str, ...]:
        """Instances whose memories keep their contents, as of :func:`..verilog.export.export`."""
        return tuple(f"pipeline.{path}" for path in self.pipeline.preloaded)

    @property
    def pixel_bits(self) -> int:
        """Bits of a beat of an image."""
        return len(self.pipeline.i.payload.as_value()) - 1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        m.d.comb += [
            pipeline.i.valid.eq(self.s_axis_tvalid),
            pipeline.i.payload.data.eq(self.s_axis_tdata),
            pipeline.i.payload.last.eq(self.s_axis_tlast),
            self.s_axis_tready.eq(pipeline.i.ready),
            self.m_axis_tvalid.eq(pipeline.o.valid),
            self.m_axis_tdata.eq(pipeline.o.payload.data),
            self.m_axis_tlast.eq(pipeline.o.payload.last),
            self.m_axis_tuser.eq(pipeline.o.payload.error),
            pipeline.o.ready.eq(self.m_axis_tready),
        ]
        return m
