"""What comes through the image port: an image for the plane packer, or words for the quantizers."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from dorefa.golden.network.layer import MAX_BITS
from dorefa.golden.quantizers.noise import DEGREE

from ...config.engine import EngineConfig
from ...interface.memory_map import MemoryMap, Window
from ...interface.registers import Mode
from ...interface.result_ports import result_port
from .gradient_quantizer import GradientQuantizer, scale_latency
from .greatest import greatest_latency
from .job import job_layout
from .weight_quantizer import WeightQuantizer

# Beats of codes on their way: as many as are in the longer quantizer, in the queue, and in the count of them.
_DEPTH = 32


def settle_cycles(config: EngineConfig) -> tuple[int, int]:
    """Cycles behind the last beat of gradients, and of weights, until they are measured, or all of their
    codes are in the queue."""
    return (
        max(GradientQuantizer.latency, scale_latency(config.gradient_lanes)) + 1,
        max(WeightQuantizer.latency, greatest_latency(config.weight_lanes)) + 1,
    )


class OperandPort(wiring.Component):
    """Passes an image's bytes on, and makes codes of the words of other packets.

    Ports:

    - `job` and `layers`: what the packet found, until the next one; `state` of the noise
      (:func:`.noise.stream_state`), looked at two cycles after a packet's first beat;
    - `beat` (the bytes), `load`, `first`, `count` (bytes), `last`, `wrong`, as the sequencer says; `ready`,
      whether a beat may come;
    - `image_valid`, `image_codes`, `image_count`, `image_last`: to the plane packer, the bytes in the same
      cycle, codes of gradients four cycles later;
    - `sums`, the results of passes; `o`, what leaves: the codes of a packet, then the sums of its passes. The
      last beat of a packet that was dropped has no byte;
    - `measured`; `settled`, whether the quantizers have nothing of the last packet any more; `leaving`,
      whether there are codes that have not left, while which no pass may begin;
    - `reciprocals_*`, `thresholds_*`: writes of the tables.

    Latency: codes are offered to `o` two cycles after they left their quantizer.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        memory_map = MemoryMap.of(config)
        results = stream.Signature(result_port(config).layout(config))
        super().__init__(
            {
                "job": In(job_layout()),
                "layers": In(config.layer_depth.bit_length()),
                "state": In(DEGREE),
                "beat": In(8 * config.port_bytes),
                "load": In(1),
                "first": In(1),
                "count": In(config.port_bytes.bit_length()),
                "last": In(1),
                "wrong": In(1),
                "ready": Out(1),
                "image_valid": Out(1),
                "image_codes": Out(config.port_bytes * config.a_bits),
                "image_count": Out(config.port_bytes.bit_length()),
                "image_last": Out(1),
                "sums": In(results),
                "o": Out(results),
                "measured": Out(32),
                "settled": Out(1),
                "leaving": Out(1),
                **_writes(memory_map.reciprocals),
                **_writes(memory_map.thresholds),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, mode = self._config, self.job.mode
        m.submodules.gradients = gradients = GradientQuantizer(lanes=config.gradient_lanes)
        m.submodules.weights = weights = WeightQuantizer(lanes=config.weight_lanes)
        of_weights, quantizes = Signal(), Signal()
        m.d.comb += [
            of_weights.eq((mode == Mode.MEASURE_WEIGHTS) | (mode == Mode.QUANTIZE_WEIGHTS)),
            quantizes.eq((mode == Mode.QUANTIZE_GRADIENTS) | (mode == Mode.QUANTIZE_WEIGHTS)),
            gradients.state.eq(self.state),
            gradients.noise.eq(self.job.noise),
            gradients.g_bits.eq(self.job.code_bits),
            weights.w_bits.eq(self.job.code_bits),
        ]
        # A packet that is dropped ends in the quantizers too, with a beat of no words.
        comes = (self.load | self.wrong) & (mode != Mode.IMAGE)
        for unit, name, word_bytes, chosen in (
            (gradients, "reciprocals", 2, ~of_weights),
            (weights, "thresholds", 4, of_weights),
        ):
            m.d.comb += [
                unit.mark.valid.eq(comes & chosen),
                unit.mark.first.eq(self.first),
                unit.mark.last.eq(self.last | self.wrong),
                unit.mark.count.eq(Mux(self.wrong, 0, self.count // word_bytes)),
                unit.measure.eq(~quantizes),
                *(word.eq(self.beat.word_select(lane, len(word))) for lane, word in enumerate(unit.words)),
                unit.w_en.eq(getattr(self, f"{name}_en")),
                unit.w_address.eq(getattr(self, f"{name}_address")),
                unit.w_data.eq(getattr(self, f"{name}_data")),
            ]
        self._image(m, gradients)
        self._settle(m, of_weights, comes & (self.last | self.wrong))
        self._echo(m, gradients, weights, comes & quantizes, quantizes)
        # Which of the two was measured last.
        measured_weights = Signal()
        with m.If(comes & ~quantizes):
            m.d.sync += measured_weights.eq(of_weights)
        m.d.comb += self.measured.eq(Mux(measured_weights, weights.largest, gradients.scale))
        return m

    def _image(self, m: Module, gradients: GradientQuantizer) -> None:
        """To the plane packer: bytes, or codes of gradients."""
        bits, is_image = self._config.a_bits, self.job.mode == Mode.IMAGE
        mark = gradients.code_mark
        bytes_ = [self.beat.word_select(byte, 8)[:bits] for byte in range(self._config.port_bytes)]
        codes = [code[:bits] for code in gradients.codes]
        shown = [Mux(is_image, byte, code) for byte, code in zip(bytes_, codes, strict=False)]
        m.d.comb += [
            self.image_valid.eq((is_image & self.load) | mark.valid),
            self.image_codes.eq(Cat(*shown, *bytes_[len(codes) :])),
            self.image_count.eq(Mux(is_image, self.count, mark.count)),
            self.image_last.eq(Mux(is_image, self.last, mark.last)),
        ]

    def _settle(self, m: Module, of_weights: Value, ends: Value) -> None:
        """Counts the cycles behind a packet of words."""
        cycles = settle_cycles(self._config)
        left = Signal(range(max(cycles)))
        m.d.comb += self.settled.eq(left == 0)
        with m.If(ends):
            m.d.sync += left.eq(Mux(of_weights, *(count - 1 for count in reversed(cycles))))
        with m.Elif(~self.settled):
            m.d.sync += left.eq(left - 1)

    def _echo(
        self,
        m: Module,
        gradients: GradientQuantizer,
        weights: WeightQuantizer,
        comes: Value,
        quantizes: Value,
    ) -> None:
        """Codes leave in front of sums; a beat is taken where there is room for its codes."""
        lanes = self._config.gradient_lanes
        entry = data.StructLayout(
            {"codes": lanes * MAX_BITS, "count": range(lanes + 1), "last": 1},
        )
        m.submodules.queue = queue = SyncFIFOBuffered(width=entry.size, depth=_DEPTH)
        written, first = Signal(entry), data.View(entry, queue.r_data)
        left, dropped = Signal(init=1), Signal()
        places = Signal(range(_DEPTH + 1), init=_DEPTH)
        with m.If(self.last | self.wrong):
            m.d.sync += dropped.eq(self.wrong)
        is_gradient, leaves = gradients.code_mark.valid, Signal()
        own, other = gradients.code_mark, weights.code_mark
        no_passes = ~is_gradient | (self.layers == 0) | dropped
        m.d.comb += [
            written.codes.eq(Mux(is_gradient, Cat(gradients.codes), Cat(weights.codes))),
            written.count.eq(Mux(is_gradient, own.count, other.count)),
            written.last.eq(Mux(is_gradient, own.last, other.last) & no_passes),
            queue.w_en.eq(own.valid | other.valid),
            queue.w_data.eq(written),
            leaves.eq(queue.r_rdy & self.o.ready),
            self.ready.eq(~quantizes | left),
        ]
        next_places = Signal.like(places)
        m.d.comb += next_places.eq(places + leaves - comes)
        m.d.sync += [
            places.eq(next_places),
            left.eq(next_places != 0),
            # Sums never come while codes wait, and so change nothing of what is offered.
            self.leaving.eq(next_places != _DEPTH),
        ]
        sums, o = self.sums.payload, self.o.payload
        codes = first.codes
        m.d.comb += [
            queue.r_en.eq(self.o.ready),
            self.o.valid.eq(queue.r_rdy | self.sums.valid),
            self.sums.ready.eq(self.o.ready),
            o.data.eq(Cat(Mux(queue.r_rdy, codes, sums.data[: len(codes)]), sums.data[len(codes) :])),
            o.keep.eq(Mux(queue.r_rdy, Cat(first.count > lane for lane in range(lanes)), sums.keep)),
            o.last.eq(Mux(queue.r_rdy, first.last, sums.last)),
        ]


def _writes(window: Window | None) -> dict[str, Any]:
    """The port that writes a table."""
    assert window is not None
    return {f"{window.name}_{part}": In(shape) for part, shape in window.write_ports(1).items()}
