"""Drives the ports of an engine that trains, in Amaranth's simulator: registers, packets in, packets out."""

from collections import deque

import numpy as np
from amaranth import Module
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from dorefa.hw.compiler.descriptor import descriptor
from dorefa.hw.compiler.training.weight_operands import weight_packets, weight_writes
from dorefa.hw.engine.engine import Engine
from dorefa.hw.interface import program
from dorefa.hw.interface.load_check import checked
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import REGISTERS, Mode
from dorefa.hw.lib.amaranth_private import find_memories

from ...support import fill_memories, flat, waves_of


def beats_of(data, width, rng=None):
    """[(data, keep, last)] of a packet of bytes; with `rng` of random length each, empty ones among them."""
    data, beats = list(data), []
    while data or not beats:
        count = width if rng is None else int(rng.integers(0, width + 1))
        part, data = data[:count], data[count:]
        beats.append((flat(part, 8), (1 << len(part)) - 1, 0))
    return [*beats[:-1], (*beats[-1][:2], 1)]


def job_descriptor(computed):
    """Words of the program of a JobPass."""
    part, config, geometry = computed.part, computed.config, computed.geometry
    values = descriptor(computed.schedule, 0, config, computed.network, weight_base=0, param_base=0)
    values |= {"pixel_groups": 1, "bare_sums": True, "shared_weights": part.shared_weights}
    if part.shared_weights:
        values["tile_step"] = part.w_bits * geometry.words if geometry.tiles > 1 else 0
    return program.encode(config, part.name, values)


def jobs_weights(computed, weights):
    """(0, packet) of every set of weights of a JobPass: that of its only pass."""
    return [(0, packet) for packet in weight_packets(computed, weights)]


class JobBench:
    """An engine of `config` with random words in all memories. `stalls`: the chance that a port which sends
    or takes waits in a cycle.

    :meth:`run` runs one test bench, an async function of (ctx, bench); packets of weights are put into
    `weights`, packets that leave are taken with :meth:`results`. `shut`: for so many cycles none is. `seen`:
    the cycles in which a beat came (`i`), one left (`o`), and an image was read for the first time (`read`).
    """

    def __init__(self, config, rng, *, stalls=0.0):
        self.config, self.rng, self.stalls = config, rng, float(stalls)
        self.map = MemoryMap.of(config)
        self.engine = Engine(config)
        self.weights = deque()
        self.packets = deque()
        self.shut = 0
        self.seen = {"i": [], "o": [], "read": []}

    def run(self, scenario, *, limit=10_000):
        """Runs `scenario` to its end."""
        top = Module()
        top.submodules.core = self.engine
        fragment = Fragment.get(top, None)
        memories = find_memories(fragment)
        simulator = Simulator(fragment)
        simulator.add_clock(1e-6)

        async def main(ctx):
            fill_memories(ctx, memories, self.rng)
            # Of nothing loaded the checksum is right, too.
            await self.write(ctx, [*checked(self.config, ()), (REGISTERS["control"].address, 1)])
            await scenario(ctx, self)
            assert not self.packets and not self.weights

        async def watchdog(ctx):
            i, o = self.engine.i, self.engine.o
            for cycle in range(limit):
                _, _, *now = await ctx.tick().sample(
                    i.valid & i.ready, o.valid & o.ready, self.engine.status.first_read
                )
                for cycles, happened in zip(self.seen.values(), now, strict=True):
                    if happened:
                        cycles.append(cycle)
            raise AssertionError(f"the simulation has not ended after {limit} cycles")

        for process in (watchdog, self._take, *([self._weights] if self.map.weights is None else [])):
            simulator.add_testbench(process, background=True)
        simulator.add_testbench(main)
        if waves := waves_of(self.engine):
            with simulator.write_vcd(str(waves)):
                simulator.run()
        else:
            simulator.run()

    async def write(self, ctx, words, *, found=True):
        """Writes (word address, word) pairs, all of registers, or all of memories, which are checked then; a
        packet that begins then finds them, or just does not."""
        host, words = self.engine.host, [(address, int(word)) for address, word in words]
        if words and words[0][0] >= self.map.address(self.map.program, 0, 0):
            words = [*checked(self.config, words)]
        # Quantizers end some cycles behind the last of their codes; the lock is that of the next cycle.
        locked = self.config.guarded
        while locked:
            *_, locked = await ctx.tick().sample(host.locked)
        for address, word in words:
            ctx.set(host.addr, address)
            ctx.set(host.w_data, word)
            ctx.set(host.w_en, 1)
            await ctx.tick()
        ctx.set(host.w_en, 0)
        # The register has it now, and what follows the registers in the next cycle.
        if found:
            await ctx.tick()

    async def registers(self, ctx, **words):
        """Writes registers by name, a word or a dictionary of fields each."""
        await self.write(
            ctx,
            [
                (REGISTERS[name].address, REGISTERS[name].encode(**word) if isinstance(word, dict) else word)
                for name, word in words.items()
            ],
        )

    async def table(self, ctx, window, words, first=0):
        """Writes the only memory of a window from word `first` on."""
        pairs = (
            pair
            for address, word in enumerate(words, first)
            for pair in self.map.writes(window, 0, address, int(word))
        )
        await self.write(ctx, pairs)

    async def read(self, ctx, name):
        """A register."""
        ctx.set(self.engine.host.addr, REGISTERS[name].address)
        await ctx.tick()
        return ctx.get(self.engine.host.r_data)

    async def send(self, ctx, data, *, beats=None):
        """Sends a packet of bytes to the image port, or these beats."""
        await self._send(ctx, self.engine.i, beats or beats_of(bytes(data), self.config.port_bytes))

    async def _send(self, ctx, port, beats, number=0):
        names = [name for name, _ in port.payload.shape()]
        for beat in beats:
            while self.rng.random() < self.stalls:
                await ctx.tick()
            fields = {**dict(zip(("data", "keep", "last"), beat, strict=True)), "id": number}
            ctx.set(port.payload, {name: fields[name] for name in names})
            ctx.set(port.valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(port.ready)
            ctx.set(port.valid, 0)

    async def _weights(self, ctx):
        while True:
            while not self.weights:
                await ctx.tick()
            number, packet = self.weights[0]
            await self._send(ctx, self.engine.weights, beats_of(packet, self.config.port_bytes), number)
            self.weights.popleft()

    async def _take(self, ctx):
        """Takes what leaves, and checks that what waits stays as it is."""
        port, packet, waiting = self.engine.o, bytearray(), None
        while True:
            ready = not self.shut and self.rng.random() >= self.stalls
            self.shut = max(0, self.shut - 1)
            ctx.set(port.ready, ready)
            _, _, valid, beat = await ctx.tick().sample(port.valid, port.payload)
            if waiting is not None:
                assert valid and beat == waiting, "a beat changed while it waited"
            waiting = beat if valid and not ready else None
            if not (valid and ready):
                continue
            count = beat.keep.bit_count()
            assert beat.keep == (1 << count) - 1
            packet += (beat.data % (1 << 8 * len(port.payload.keep))).to_bytes(
                len(port.payload.keep), "little"
            )[:count]
            if beat.last:
                self.packets.append(np.frombuffer(bytes(packet), np.uint8))
                packet = bytearray()

    async def results(self, ctx):
        """The bytes of the next packet that leaves."""
        while not self.packets:
            await ctx.tick()
        return self.packets.popleft()

    async def idle(self, ctx):
        """Waits until the engine is not busy; its status bits."""
        await ctx.tick().repeat(2)  # what a last beat sets is in the register then
        while (status := await self.read(ctx, "status")) & 1:
            pass
        return status

    async def sums(self, ctx, computed, images, weights, *, start=0, hold=0):
        """Sums int64 (N, Ho, Wo, channels) of a JobPass whose descriptor lies at `start`, of images (N, ...)
        and weights (1 or N, ...), which stream in or are written."""
        await self.registers(
            ctx,
            layers=1,
            image_bytes=computed.image_bytes,
            program_start=start,
            job={"mode": Mode.IMAGE, "hold_weights": hold},
        )
        streams = self.map.weights is None
        if streams:
            self.weights += jobs_weights(computed, weights)
        answers = []
        for number, packet in enumerate(computed.packets(images)):
            if not streams and number < len(weights):
                await self.write(ctx, weight_writes(computed, weights[number]))
            await self.send(ctx, packet)
            if not streams:
                answers.append(await self.results(ctx))
        while len(answers) < len(images):
            answers.append(await self.results(ctx))
        return computed.answers(np.stack(answers), weights)

    async def measure(self, ctx, mode, words, **fields):
        """What a packet of words, of gradients or weights, is measured to be."""
        await self.registers(ctx, image_bytes=words.nbytes, job={"mode": mode} | fields)
        await self.send(ctx, words.tobytes())
        await self.idle(ctx)
        return await self.read(ctx, "measured")

    async def quantize(self, ctx, mode, words, bits, *, state=None, layers=0, start=0):
        """Sends words to be quantized, with noise where there is a `state`."""
        seed = {f"noise_seed_{word}": (state or 0) >> 32 * word & 0xFFFFFFFF for word in range(4)}
        job = {"mode": mode, "noise": state is not None, "code_bits": bits}
        await self.registers(
            ctx, image_bytes=words.nbytes, layers=layers, program_start=start, job=job, **seed
        )
        await self.send(ctx, words.tobytes())
