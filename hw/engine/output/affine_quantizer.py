"""The staircase by one multiplication: accumulator to activation code."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring

from ...config.engine import EngineConfig
from ...interface.parameters import affine_layout
from ...interface.quantizers import quantizer_of
from .threshold_quantizer import param_memory, quantizer_ports


class AffineQuantizer(wiring.Component):
    """``code = clip(((m * value + b) >> f) - tie, 0, code_mask)`` per channel; `tie` is one where the
    channel's tie bit is set, the shifted result is odd and the fraction shifted out is zero.

    Memory `lane` holds, at `param`, a word of :func:`.parameters.affine_layout`.

    Ports: :func:`.threshold_quantizer.quantizer_ports`. Latency: six cycles.
    """

    def __init__(self, config: EngineConfig, *, init: list[list[int]] | None = None) -> None:
        self._config = config
        self._init = init
        super().__init__(
            quantizer_ports(config, memories=config.quant, param_bits=affine_layout(config).size)
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layout = self._config, affine_layout(self._config)
        product_bits = config.acc_bits + config.mul_bits + 1
        sum_bits = max(product_bits, config.bias_bits) + 1
        for lane in range(config.quant):
            word = param_memory(
                m,
                self,
                name=quantizer_of(config).memory_name(lane, config),
                number=lane,
                width=layout.size,
                depth=config.param_depth,
                address=self.param,
                init=self._init[lane] if self._init else None,
            )
            waiting, value = (
                Signal(signed(config.acc_bits), name=f"{name}_{lane}") for name in ("waiting", "value")
            )
            params = [Signal(layout, name=f"params_{lane}_{stage}") for stage in range(4)]
            product = Signal(signed(product_bits), name=f"product_{lane}")
            total = Signal(signed(sum_bits), name=f"total_{lane}")
            shifted = Signal(signed(sum_bits), name=f"shifted_{lane}")
            exact = Signal(name=f"exact_{lane}")
            adjusted = Signal(signed(sum_bits), name=f"adjusted_{lane}")
            code = Signal(config.out_bits, name=f"code_{lane}")
            read = Signal(layout, name=f"read_{lane}")
            fraction = Signal(1 << config.shift_bits, name=f"fraction_{lane}")
            m.d.sync += [
                waiting.eq(self.values[lane]),
                value.eq(waiting),
                params[0].eq(read),
                product.eq(params[0].m * value),
                total.eq(product + params[1].b),
                shifted.eq(total >> params[2].f),
                exact.eq((total & fraction) == 0),
            ]
            m.d.sync += [after.eq(before) for before, after in zip(params[:3], params[1:4], strict=True)]
            m.d.comb += [
                read.eq(word),
                self.offsets[lane].eq(params[0].b),
                fraction.eq((1 << params[2].f) - 1),
                adjusted.eq(shifted - (params[3].tie & exact & shifted[0])),
                code.eq(Mux(adjusted < 0, 0, Mux(adjusted > self.code_mask, self.code_mask, adjusted))),
            ]
            m.d.sync += self.codes[lane].eq(Mux(params[3].invert, self.code_mask - code, code))
        return m
