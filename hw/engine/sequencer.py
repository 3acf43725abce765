"""Images in, layers one after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Member, Out

from ..config.engine import EngineConfig
from ..interface import program
from ..interface.memory_map import MemoryMap, bits_for
from ..interface.registers import Mode
from ..interface.streams import image_layout
from .descriptor_fetch import Fetch, fetch_descriptors
from .training.job import has_passes, is_whole, job_layout, runs


@dataclass(frozen=True)
class _Gate:
    """Bytes of the packet that are `missing`; whether it has `begun`, and has too many (`over`). Of a `beat`:
    how many of its bytes are `kept`, whether they fit, and end a packet of the right length. `clear`: the
    statements that make it ready for a packet."""

    missing: Signal
    begun: Signal
    over: Signal
    beat: Signal
    kept: Signal
    fits: Signal
    right: Signal
    clear: list[Any]


@dataclass(frozen=True)
class _Passes:
    """Passes up to the next one (`number`) of all (`count`), whether that is the last (`next_last`), and
    whether the one that runs is."""

    number: Signal
    count: Signal
    next_last: Signal
    last: Signal


class Sequencer(wiring.Component):
    """Takes one image packet, then runs the program's layers, then takes the next.

    The descriptor of the next pass is fetched, one 32-bit word per cycle, while one runs; without
    `prefetch`, which takes a register for each of its bits and a second half of the table of distances,
    between the two. A packet of another length than `image_bytes` is dropped with a pulse of
    `wrong_packet`; nothing of it is computed and nothing is written beyond the image.

    Ports: `i` (image stream); `enable`, `layers`, `image_bytes`; `w_en`, `w_address`, `w_data` write the
    program memory; `load` with `load_start`, `load_count`, `load_last` (codes for the image's plane packer,
    which takes them while `load_ready` and answers `loaded`);
    `image_begins` (pulse with every beat of an image);
    `layer`, `table` (distances, as they are fetched), `start` (pulse, the descriptor is complete) and
    `layer_ended` (pulse from the engine, looked at while a pass runs);
    `busy`, `ended` (pulse with a pass's end), `finished` (pulse with the last one's), `wrong_packet`.

    With `training` a packet is a job: `job` (:func:`.training.job.job_layout`) and `program_start` say what
    becomes of it. It finds `job`, `program_start`, `layers` and `image_bytes` as they are in the cycle before
    its first beat: `taken_job` and `taken_layers`, which before a packet follow the registers. `load_first`
    is high with the first beat; where no passes follow, the engine waits for `settled` behind the packet, and
    no pass begins while codes are `leaving`.

    Latency: two cycles from `layer_ended` to the next pass's `start` where its descriptor is there; a
    descriptor of n words takes n + 3 cycles from the cycle that asks for it to `start`.
    """

    def __init__(self, config: EngineConfig, *, init: list[int] | None = None) -> None:
        self._config = config
        self._init = init
        depth = MemoryMap.of(config).program.depth
        super().__init__(
            {
                "i": In(stream.Signature(image_layout(config))),
                "enable": In(1),
                "layers": In(config.layer_depth.bit_length()),
                "image_bytes": In(config.image_bytes_bits),
                "w_en": In(1),
                "w_address": In(range(max(2, depth))),
                "w_data": In(program.WORD_BITS),
                "load_ready": In(1),
                "load": Out(1),
                "load_start": Out(1),
                "load_count": Out(config.port_bytes.bit_length()),
                "load_last": Out(1),
                "loaded": In(1),
                "image_begins": Out(1),
                "layer": Out(program.layout(config)),
                "table": Out(program.table_signature(config)),
                "start": Out(1),
                "layer_ended": In(1),
                "busy": Out(1),
                "ended": Out(1),
                "finished": Out(1),
                "wrong_packet": Out(1),
                **(self._job_ports(config) if config.training else {}),
            }
        )

    def _job_ports(self, config: EngineConfig) -> dict[str, Member]:
        """The ports of an engine that trains."""
        depth = MemoryMap.of(config).program.depth
        return {
            "job": In(job_layout()),
            "program_start": In(bits_for(depth)),
            "taken_job": Out(job_layout()),
            "taken_layers": Out(config.layer_depth.bit_length()),
            "load_first": Out(1),
            "settled": In(1),
            "leaving": In(1),
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        read = self._memory(m)
        gate = self._gate(m)
        fetch = fetch_descriptors(m, config, read, self.layer, self.table)
        passes = self._passes(m)
        with m.FSM() as states:
            with m.State("enable"):
                m.d.comb += self.load_start.eq(1)
                m.d.sync += [
                    *gate.clear,
                    fetch.address.eq(0),
                    passes.number.eq(1),
                    passes.count.eq(self.layers),
                    *fetch.clear,
                ]
                if config.training:
                    m.d.sync += self._follow(fetch, passes)
                    m.next = "image"
                else:
                    with m.If(self.enable & (self.layers != 0)):
                        m.next = "image"
            with m.State("image"):
                self._take_image(m, gate, fetch, passes)
            with m.State("write"):
                with m.If(self.loaded):
                    m.next = "swap"
                    if config.training:
                        with m.If(passes.count == 0):
                            m.next = "enable"
            if config.training:
                with m.State("settle"):
                    with m.If(self.settled):
                        m.next = "enable"
            with m.State("swap"):
                with m.If(fetch.complete & ~self.leaving if config.training else fetch.complete):
                    m.d.comb += fetch.swap.eq(1)
                    m.next = "start"
            with m.State("start"):
                m.d.comb += self.start.eq(1)
                if config.prefetch:
                    m.d.comb += fetch.begin.eq(~passes.next_last)
                m.d.sync += [passes.number.eq(passes.number + 1), passes.last.eq(passes.next_last)]
                m.next = "layer"
            with m.State("layer"):
                with m.If(self.layer_ended):
                    m.d.comb += self.ended.eq(1)
                    with m.If(passes.last):
                        m.d.comb += self.finished.eq(1)
                        m.next = "enable"
                    with m.Else():
                        if not config.prefetch:
                            m.d.comb += fetch.begin.eq(1)
                        m.next = "swap"
        m.d.comb += self.busy.eq(~(states.ongoing("enable") | states.ongoing("image")))
        return m

    def _memory(self, m: Module) -> ReadPort:
        """The program memory, which the host writes."""
        m.submodules.program = memory = Memory(
            shape=program.WORD_BITS,
            depth=MemoryMap.of(self._config).program.depth,
            init=self._init or [],
        )
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.w_address),
            write.data.eq(self.w_data),
            read.en.eq(1),
        ]
        return read

    def _gate(self, m: Module) -> _Gate:
        """Counts the bytes of a packet down, and judges its length."""
        # Bytes of the packet that are missing, and whether there were any, or too many.
        missing, begun, over = Signal.like(self.image_bytes), Signal(), Signal()
        beat, kept = Signal(), Signal.like(self.load_count)
        many, few = missing[len(kept) :].any(), missing[: len(kept)]
        fits, right = Signal(), Signal()
        fit, complete, starts = ~over & (many | (few >= kept)), ~over & ~many & (few == kept), beat
        if self._config.training:
            last = self.i.payload.last
            whole = is_whole(self.taken_job, kept, last, port_bytes=self._config.port_bytes)
            fit, complete = fit & whole, complete & whole
            starts = beat & has_passes(self.taken_job, self.taken_layers)
            m.d.comb += self.load_first.eq(~begun)
        m.d.comb += [
            kept.eq(sum(self.i.payload.keep[byte] for byte in range(self._config.port_bytes))),
            fits.eq(fit),
            right.eq(complete),
            beat.eq(self.i.valid & self.i.ready),
            self.image_begins.eq(starts),
            self.load_count.eq(kept),
        ]
        return _Gate(
            missing=missing,
            begun=begun,
            over=over,
            beat=beat,
            kept=kept,
            fits=fits,
            right=right,
            clear=[missing.eq(self.image_bytes), begun.eq(0), over.eq(0)],
        )

    def _take_image(self, m: Module, gate: _Gate, fetch: Fetch, passes: _Passes) -> None:
        """The state in which an image comes in, as long as its packet has the right length."""
        accepted = Signal()
        enabled, begun = self.enable, gate.begun | (gate.kept != 0)
        if self._config.training:
            enabled, begun = enabled & runs(self.taken_job, self.taken_layers), Const(1)
            with m.If(~gate.begun & ~gate.beat):
                m.d.sync += self._follow(fetch, passes)
        m.d.comb += accepted.eq(enabled | gate.begun)
        m.d.comb += self.i.ready.eq(accepted & self.load_ready)
        with m.If(~accepted):
            m.next = "enable"
        with m.If(~gate.begun):
            m.d.sync += gate.missing.eq(self.image_bytes)
        with m.If(gate.beat):
            # The first descriptor is fetched while the image comes in.
            m.d.comb += fetch.begin.eq(~fetch.active)
            m.d.comb += self.load.eq(gate.fits & ((gate.kept != 0) | self.i.payload.last))
            m.d.sync += [
                gate.missing.eq(gate.missing - gate.kept),
                gate.begun.eq(begun),
                gate.over.eq(~gate.fits),
            ]
            with m.If(self.i.payload.last):
                m.d.comb += self.load_last.eq(gate.right)
                m.d.comb += self.wrong_packet.eq(~gate.right)
                with m.If(gate.right):
                    m.next = "write"
                with m.Else():
                    m.next = "enable"
                if self._config.training:
                    mode = self.taken_job.mode
                    with m.If((mode != Mode.IMAGE) & ~((mode == Mode.QUANTIZE_GRADIENTS) & gate.right)):
                        m.next = "settle"

    def _follow(self, fetch: Fetch, passes: _Passes) -> list[Any]:
        """What the next packet finds is what the registers say."""
        return [
            fetch.address.eq(self.program_start),
            passes.count.eq(self.layers),
            self.taken_job.eq(self.job),
        ]

    def _passes(self, m: Module) -> _Passes:
        """Counts the passes of the program."""
        passes, layers = Signal.like(self.layers), Signal.like(self.layers)
        next_last, last = Signal(), Signal()
        m.d.sync += next_last.eq(passes == layers)
        if self._config.training:
            m.d.comb += self.taken_layers.eq(layers)
        return _Passes(number=passes, count=layers, next_last=next_last, last=last)
