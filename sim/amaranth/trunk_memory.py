"""The memory behind the streams of residual trunks, in Amaranth's simulator."""

from __future__ import annotations

import itertools

from amaranth import Const
from amaranth.sim import SimulatorContext

from dorefa.hw.engine.engine import Engine
from dorefa.hw.interface.streams import trunk_bytes

from ..job.beats import beats
from .streams import Stalls, send


class TrunkMemory:
    """Keeps the packets of `engine`'s stream `trunks_o` and sends them to `trunks_i`: per image those that
    `plan` lists, by their numbers among the packets of the image, which are `per_image`.

    `latency`: cycles before a packet is sent. `kept`: all packets so far. :meth:`take` and :meth:`give` are
    test benches, to be added in this order: a packet can be sent from the cycle on in which its last beat was
    taken.
    """

    def __init__(
        self, engine: Engine, plan: list[int], per_image: int, *, stalls: Stalls, latency: int = 0
    ) -> None:
        self._engine, self._plan, self.per_image = engine, plan, per_image
        self._stalls, self._latency = stalls, latency
        self._bytes = trunk_bytes(engine.config)
        self.kept: list[bytes] = []
        self._numbers: list[int] = []

    async def take(self, ctx: SimulatorContext) -> None:
        """Takes what the engine sends."""
        stream, packet = self._engine.trunks_o, bytearray()
        ctx.set(stream.ready, not self._stalls.sink())
        number = stream.payload.id if self._engine.config.guarded else Const(0)
        async for _, _, taken, data, last, source in ctx.tick().sample(
            stream.valid & stream.ready, stream.payload.data, stream.payload.last, number
        ):
            if taken:
                packet += data.to_bytes(self._bytes, "little")
                if last:
                    self.kept.append(bytes(packet))
                    self._numbers.append(source)
                    packet.clear()
            ctx.set(stream.ready, not self._stalls.sink())

    async def give(self, ctx: SimulatorContext) -> None:
        """Sends what the engine asks for."""
        for image in itertools.count() if self._plan else ():
            for number in self._plan:
                number += image * self.per_image
                while len(self.kept) <= number:
                    await ctx.tick()
                for _ in range(self._latency):
                    await ctx.tick()
                await self.send(ctx, self.kept[number], self._numbers[number])

    async def send(self, ctx: SimulatorContext, packet: bytes, number: int) -> None:
        """Sends one packet, of pass `number`."""
        await send(ctx, self._engine.trunks_i, beats(packet, self._bytes, number), self._stalls)
