"""One engine in Amaranth's simulator, with everything outside of its ports, and what it did.

The only such bench: simulations, the tests of the engine and the demo's waveform use it.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from amaranth import ClockDomain, Module, Shape
from amaranth.hdl import Elaboratable, Fragment
from amaranth.lib import data
from amaranth.sim import Simulator, SimulatorContext

from dorefa.hw.engine.engine import Engine
from dorefa.hw.interface.weight_sources import weight_source
from dorefa.hw.lib.amaranth_private import find_component, find_memories

from ..job.beats import Beat, beats, image_packet, kept_bytes, result_words
from ..job.design import CORE
from ..job.errors import SimulationError
from ..job.job import Job, Trace, check_trunks, stuck
from ..job.snapshot import Region, regions, values
from ..job.stamps import Stamps
from .streams import Stalls, send
from .trunk_memory import TrunkMemory

Process = Callable[[SimulatorContext], Awaitable[None]]


class _Record:
    """What is known of the packet of images that is running."""

    def __init__(self) -> None:
        self.stamps = Stamps()
        self.copied: list[list[np.ndarray]] = []
        self.results = bytearray()


class Bench:
    """The engine of `job`, its network preloaded or (`preload` False) to be written through `engine.host`.

    `stalls` says when ports wait (default: never); `weight_packets`, of the number of an image, which packets
    of weights stream in for it (default: the network's); `trunk_memory` makes what is behind the streams of
    residual trunks.

    `engine` is the component, `reset` a signal that resets it, `memories` its memories by their paths in the
    exported Verilog, `traces` one :class:`Trace` per packet of images that is done, in cycles since the bench
    began to watch.
    """

    def __init__(
        self,
        job: Job,
        *,
        stalls: Stalls | None = None,
        preload: bool = True,
        weight_packets: Callable[[int], Sequence[bytes]] | None = None,
        trunk_memory: type[TrunkMemory] = TrunkMemory,
    ) -> None:
        self.job = job
        compiled = job.compiled
        self.engine = Engine(compiled.config, memories=compiled.memories if preload else None)
        top, domain = Module(), ClockDomain("sync")
        top.domains += domain
        top.submodules[CORE] = self.engine
        self.reset = domain.rst
        self._fragment = Fragment.get(top, None)
        self.memories = find_memories(self._fragment)
        self.traces: list[Trace] = []
        self._stalls = stalls or Stalls(np.random.default_rng(job.seed))
        own = job.weight_packets
        self._weight_packets = weight_packets or (lambda image: own)
        self._copies = regions(compiled)
        self._ready = True
        sizes, plan = job.trunk_packets
        self._trunks = None
        if sizes:
            self._trunks = trunk_memory(
                self.engine, plan, len(sizes), stalls=self._stalls, latency=job.latency
            )

    def component(self, path: str) -> Elaboratable:
        """The component at an instance path of the exported Verilog, for example ``core.slice0.issue``."""
        return find_component(self._fragment, path)

    def run(
        self,
        *observers: Process,
        packets: Iterable[Iterable[Beat]] | None = None,
        before: Process | None = None,
        waves: Path | None = None,
    ) -> None:
        """Runs until the test benches `observers` have ended.

        packets: what is sent to the image port (default: the job's images); before: what happens before the
        first packet and before anything is watched; waves: gets a waveform. Raises
        :class:`SimulationError` when an observer is :meth:`watch` and the engine does not get through.
        """
        if packets is None:
            width = self.job.compiled.config.port_bytes
            packets = (beats(image_packet(image), width) for image in self.job.images)
        self._ready = before is None

        async def images(ctx: SimulatorContext) -> None:
            if before is not None:
                await before(ctx)
                self._ready = True
            for packet in packets:
                await self.send(ctx, packet)

        simulator = Simulator(self._fragment)
        simulator.add_clock(1e-6)
        # The order decides which port is told first whether it waits.
        background: list[Process] = [images]
        if weight_source(self.job.compiled.config).streams:
            background.append(self._weights)
        if self._trunks is not None:
            background += [self._trunks.take, self._trunks.give]
        for process in background:
            simulator.add_testbench(process, background=True)
        for process in observers:
            simulator.add_testbench(process)
        if waves is None:
            simulator.run()
        else:
            with simulator.write_vcd(str(waves)):
                simulator.run()

    async def send(self, ctx: SimulatorContext, packet: Iterable[Beat]) -> None:
        """Sends beats to the image port."""
        await send(ctx, self.engine.i, packet, self._stalls)

    async def started(self, ctx: SimulatorContext) -> None:
        """Waits until `before` has ended."""
        for _ in range(self.job.load_limit):
            if self._ready:
                return
            await ctx.tick()
        raise SimulationError(f"loading the network did not end within {self.job.load_limit} cycles")

    async def _weights(self, ctx: SimulatorContext) -> None:
        """The memory that holds the weights: image after image, each packet after its latency."""
        await self.started(ctx)
        width = self.job.compiled.config.port_bytes
        for image in itertools.count():
            for number, packet in enumerate(self._weight_packets(image)):
                for _ in range(self.job.latency):
                    await ctx.tick()
                await send(ctx, self.engine.weights, beats(packet, width, number), self._stalls)

    async def watch(self, ctx: SimulatorContext) -> None:
        """Takes the results, notes when what happens and copies what every pass wrote, for all images."""
        await self.started(ctx)
        engine, cycle, begin, record = self.engine, 0, 0, _Record()
        ctx.set(engine.o.ready, not self._stalls.sink())
        waiting = None
        async for _, _, taken, valid, ready, result, read, done in ctx.tick().sample(
            engine.i.valid & engine.i.ready,
            engine.o.valid,
            engine.o.ready,
            engine.o.payload,
            engine.status.first_read,
            engine.status.layer_done,
        ):
            self._check_stays(waiting, valid, result)
            waiting = result if valid and not ready else None
            self._note(ctx, record, cycle, taken=taken, read=read, done=done)
            if valid and ready:
                self._take(record, cycle, result)
            if self._is_complete(record):
                self._finish(record)
                record, begin = _Record(), cycle
                if len(self.traces) == len(self.job.images):
                    return
            cycle += 1
            if cycle - begin > self.job.image_limit:
                raise stuck(self.job, len(self.traces), record.stamps.place)
            ctx.set(engine.o.ready, not self._stalls.sink())

    def _check_stays(self, waiting: data.Const | None, valid: int, result: data.Const) -> None:
        """A result that waits must neither change nor go."""
        if waiting is not None and not (valid and result == waiting):
            raise SimulationError(f"image {len(self.traces)}: a result changed while it waited: {waiting}")

    def _note(
        self, ctx: SimulatorContext, record: _Record, cycle: int, taken: int, read: int, done: int
    ) -> None:
        """What happened in this cycle but for results."""
        if taken:
            record.stamps.note("in", cycle)
        if read:
            if record.stamps.place:
                raise SimulationError(f"image {len(self.traces)}: a second first read")
            record.stamps.note("read", cycle)
        if done:
            # No later pass writes its map before it has read its program.
            ends = record.stamps.ends
            if len(ends) < len(self._copies):
                record.copied.append([self._copy(ctx, region) for region in self._copies[len(ends)]])
            ends.append(cycle)

    def _take(self, record: _Record, cycle: int, result: data.Const) -> None:
        """One beat of results."""
        record.stamps.note("out", cycle)
        size = self.job.compiled.config.result_bits // 8
        record.results += kept_bytes(result.data, getattr(result, "keep", (1 << size) - 1))
        count = len(record.results) // size
        if result.last != (count == self.job.result_count):
            raise SimulationError(f"image {len(self.traces)}: `last` after {count} results")

    def _is_complete(self, record: _Record) -> bool:
        size = self.job.result_count * self.job.compiled.config.result_bits // 8
        return len(record.stamps.ends) == len(self._copies) and len(record.results) == size

    def _finish(self, record: _Record) -> None:
        """Makes the trace of an image."""
        packets = []
        if self._trunks is not None:
            per_image = self._trunks.per_image
            packets = self._trunks.kept[per_image * len(self.traces) :]
        check_trunks(self.job, packets)
        self.traces.append(
            Trace(
                **record.stamps.fields(),
                ends=record.stamps.ends,
                results=result_words(bytes(record.results), self.job.compiled.config),
                values=values(self.job.compiled, record.copied, packets),
            )
        )
        self.job.tick(len(self.traces))

    def _copy(self, ctx: SimulatorContext, region: Region) -> np.ndarray:
        """The words of a region as they lie in its memory: uint8 (rows, bytes)."""
        memory = self.memories[region.memory]
        size = -(-Shape.cast(memory.shape).width // 8)
        rows = range(region.first, region.first + region.rows)
        words = b"".join(ctx.get(memory[row]).to_bytes(size, "little") for row in rows)
        return np.frombuffer(words, np.uint8).reshape(region.rows, size)
