"""The staircase by thresholds: accumulator to activation code (the paper's Sec. 2.8)."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface.parameters import threshold_bits
from ...interface.quantizers import quantizer_of
from ...lib.delay import delayed


def quantizer_ports(config: EngineConfig, *, memories: int, param_bits: int) -> dict[str, wiring.Member]:
    """Ports that both quantizers have.

    `values` (`quant` signed accumulators) and `param` (their group's parameters) go in every cycle,
    `codes` (`quant` codes of `out_bits` bits) come out after the quantizer's latency; `code_mask` is the
    largest code of the layer. `offsets`, two cycles after `param`, is what a raw result adds to its
    accumulator (stage 0's threshold, or the affine offset). `w_en` (one bit per memory),
    `w_address` and `w_data` write a parameter word.
    """
    return {
        "values": In(signed(config.acc_bits)).array(config.quant),
        "param": In(range(max(2, config.param_depth))),
        "code_mask": In(config.out_bits),
        "codes": Out(config.out_bits).array(config.quant),
        "offsets": Out(signed(config.acc_bits)).array(config.quant),
        "w_en": In(memories),
        "w_address": In(range(max(2, config.param_depth << (config.out_bits - 1)))),
        "w_data": In(param_bits),
    }


def param_memory(
    m: Module,
    component: wiring.Component,
    *,
    name: str,
    number: int,
    width: int,
    depth: int,
    address: Value,
    init: list[int] | None,
) -> Value:
    """A parameter memory under `name`, written through the ports; returns what lies at `address`."""
    m.submodules[name] = memory = Memory(shape=width, depth=depth, init=init or [])
    write, read = memory.write_port(), memory.read_port()
    m.d.comb += [
        write.en.eq(component.w_en[number]),
        write.addr.eq(component.w_address),
        write.data.eq(component.w_data),
        read.addr.eq(address),
        read.en.eq(1),
    ]
    return read.data


class ThresholdQuantizer(wiring.Component):
    """``code = number of thresholds T_t <= value``, t = 1 .. 2^out_bits - 1, by binary search.

    Stage s of a lane compares with one threshold, chosen by the bits found so far, so a lane needs
    `out_bits` comparators and memories. Memory ``lane * out_bits + s`` holds, at ``(param << s) |
    bits``, the threshold of code ``(2 bits + 1) << (out_bits - 1 - s)`` in its low `acc_bits`. A
    layer of fewer bits fills the codes it does not use with thresholds that nothing reaches.
    Where a slope can be negative (:attr:`EngineConfig.inverts`), bit `acc_bits` of stage 0 inverts the
    channel's code.

    Ports: :func:`quantizer_ports`. Latency: ``3 * out_bits`` cycles: for every bit a memory's answer, a
    register behind it, the comparison.
    """

    def __init__(self, config: EngineConfig, *, init: list[list[int]] | None = None) -> None:
        self._config = config
        self._init = init
        super().__init__(
            quantizer_ports(
                config,
                memories=config.quant * config.out_bits,
                param_bits=threshold_bits(config),
            )
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        for lane in range(config.quant):
            value, param, bits = self.values[lane], self.param, Signal(0)
            inverts = None
            for stage in range(config.out_bits):
                number = lane * config.out_bits + stage
                name = quantizer_of(config).memory_name(lane * config.out_bits + stage, config)
                inverted_here = stage == 0 and config.inverts
                word = param_memory(
                    m,
                    self,
                    name=name,
                    number=number,
                    width=config.acc_bits + inverted_here,
                    depth=config.param_depth << stage,
                    address=Cat(bits, param),
                    init=self._init[number] if self._init else None,
                )

                def later(value: Value, cycles: int, what: str, name: str = name) -> Value:
                    return delayed(m, value, cycles, f"{what}_{name}", reset_less=True)

                # A block RAM is slow to answer: nothing but a register is behind it.
                word, value, bits = later(word, 1, "word"), later(value, 2, "value"), later(bits, 2, "bits")
                threshold, top = word[: config.acc_bits], config.acc_bits - 1
                if stage == 0:
                    m.d.comb += self.offsets[lane].eq(threshold)
                # A signed comparison, as an unsigned one with the sign bits exchanged: a single carry chain.
                reached = Cat(value[:top], threshold[top]) >= Cat(threshold[:top], value[top])
                if config.inverts:
                    inverts = word[config.acc_bits] if inverted_here else later(inverts, 2, "waits")
                    inverts = later(inverts, 1, "inverts")
                value, bits = later(value, 1, "compared"), later(Cat(reached, bits), 1, "found")
                param = later(param, 3, "param")
            code = bits ^ Mux(inverts, self.code_mask, 0) if config.inverts else bits
            m.d.comb += self.codes[lane].eq(code)
        return m
