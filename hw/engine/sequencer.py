"""Images in, layers one after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Member, Out

from ..config.engine import EngineConfig
from ..interface import program
from ..interface.memory_map import MemoryMap, bits_for
from ..interface.registers import Mode
from ..interface.streams import image_layout
from .descriptor_fetch import Fetch, fetch_descriptors
from .packet_gate import Gate, judge_packets
from .training.job import has_passes, job_layout, runs


@dataclass(frozen=True)
class _Passes:
    """Passes up to the next one (`number`) of all (`count`), whether that is the last (`next_last`), and
    whether the one that runs is."""

    number: Signal
    count: Signal
    next_last: Signal
    last: Signal


_GUARD_PORTS = {
    "runnable": In(1),
    "writing": In(1),
    "under_way": Out(1),
    "no_program": Out(1),
    "wrong_program": Out(1),
}


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

    A packet finds the registers as they are in the cycle before its first beat: `image_bytes`, and `layers`
    as `taken_layers`, which before a packet follows the register.

    Where the engine is guarded a packet that begins while the engine is not `runnable` is dropped with a
    pulse of `no_program`, and none begins while the host is `writing`; `under_way` from the cycle of a
    packet's first beat on; a pulse of `wrong_program` with a `start` whose descriptor ends the image too
    early, or not.

    With `training` a packet is a job: `job` (:func:`.training.job.job_layout`) and `program_start` say what
    becomes of it, and the packet finds them likewise, as `taken_job`. `load_first`
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
                "taken_layers": Out(config.layer_depth.bit_length()),
                **(_GUARD_PORTS if config.guarded else {}),
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
                self._wait(m, gate, fetch, passes)
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
                if config.guarded:
                    m.d.comb += self.wrong_program.eq(self.layer.ends_image != passes.next_last)
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
        enables, loads = states.ongoing("enable"), states.ongoing("image")
        m.d.comb += self.busy.eq(~(enables | loads))
        if config.guarded:
            m.d.comb += self.under_way.eq(~(enables | (loads & ~gate.begun & ~gate.begins)))
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

    def _gate(self, m: Module) -> Gate:
        """What is known of the packet of the image port."""
        config = self._config
        runnable: Value = self.runnable if config.guarded else Const(1)
        job = self.taken_job if config.training else None
        if job is not None and config.guarded:
            runnable = runnable & runs(job, self.taken_layers)
        gate = judge_packets(m, self.i, self.image_bytes, runnable=runnable, job=job)
        starts = gate.beat & ~gate.drops
        if job is not None:
            starts = starts & has_passes(job, self.taken_layers)
            m.d.comb += self.load_first.eq(~gate.begun)
        m.d.comb += [self.image_begins.eq(starts), self.load_count.eq(gate.kept)]
        if config.guarded:
            m.d.comb += self.no_program.eq(gate.begins & gate.drops)
        return gate

    def _wait(self, m: Module, gate: Gate, fetch: Fetch, passes: _Passes) -> None:
        """The state between images."""
        config = self._config
        m.d.comb += self.load_start.eq(1)
        m.d.sync += [*gate.clear, fetch.address.eq(0), passes.number.eq(1), *fetch.clear]
        m.d.sync += self._follow(fetch, passes)
        if config.training:
            m.next = "image"
        else:
            with m.If(self.enable if config.guarded else self.enable & (self.layers != 0)):
                m.next = "image"

    def _take_image(self, m: Module, gate: Gate, fetch: Fetch, passes: _Passes) -> None:
        """The state in which an image comes in, as long as its packet has the right length."""
        accepted, last = Signal(), self.i.payload.last
        enabled: Value = self.enable
        if self._config.guarded:
            enabled = enabled & ~self.writing
        elif self._config.training:
            enabled = enabled & runs(self.taken_job, self.taken_layers)
        m.d.comb += accepted.eq(enabled | gate.begun)
        m.d.comb += self.i.ready.eq(accepted & self.load_ready)
        with m.If(~accepted):
            m.next = "enable"
        with m.If(~gate.begun & ~gate.begins):
            m.d.sync += self._follow(fetch, passes)
        with m.If(gate.beat):
            # The first descriptor is fetched while the image comes in.
            m.d.comb += fetch.begin.eq(~fetch.active)
            m.d.comb += self.load.eq(gate.fits & ((gate.kept != 0) | last))
            with m.If(last):
                m.d.comb += self.load_last.eq(gate.right)
                m.d.comb += self.wrong_packet.eq(~gate.right & ~gate.drops)
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
        statements = [passes.count.eq(self.layers)]
        if self._config.training:
            statements += [fetch.address.eq(self.program_start), self.taken_job.eq(self.job)]
        return statements

    def _passes(self, m: Module) -> _Passes:
        """Counts the passes of the program."""
        passes, layers = Signal.like(self.layers), Signal.like(self.layers)
        next_last, last = Signal(), Signal()
        m.d.sync += next_last.eq(passes == layers)
        m.d.comb += self.taken_layers.eq(layers)
        return _Passes(number=passes, count=layers, next_last=next_last, last=last)
