"""The memory behind the streams of residual trunks, in Amaranth's simulator."""

from __future__ import annotations

import itertools

from dorefa.hw.interface.streams import trunk_bytes


class TrunkMemory:
    """Keeps the packets of `engine`'s stream `trunks_o` and sends them to `trunks_i`: per image those that
    `plan` lists, by their numbers among the packets of the image, which are `per_image`.

    `waits()`: whether a port waits in this cycle; `latency`: cycles before a packet is sent. `kept`: all
    packets so far, bytes. :meth:`take` and :meth:`give` are test benches, to be added in this order: a packet
    can be sent from the cycle on in which its last beat was taken.
    """

    def __init__(self, engine, plan, per_image, *, waits, latency=0):
        self._engine, self._plan, self._per_image = engine, plan, per_image
        self._waits, self._latency = waits, latency
        self._bytes = trunk_bytes(engine.config)
        self.kept = []

    async def take(self, ctx):
        """Takes what the engine sends."""
        stream, packet = self._engine.trunks_o, bytearray()
        ctx.set(stream.ready, not self._waits())
        async for _, _, taken, data, last in ctx.tick().sample(
            stream.valid & stream.ready, stream.payload.data, stream.payload.last
        ):
            if taken:
                packet += data.to_bytes(self._bytes, "little")
                if last:
                    self.kept.append(bytes(packet))
                    packet.clear()
            ctx.set(stream.ready, not self._waits())

    async def give(self, ctx):
        """Sends what the engine asks for."""
        for image in itertools.count() if self._plan else ():
            for number in self._plan:
                number += image * self._per_image
                while len(self.kept) <= number:
                    await ctx.tick()
                for _ in range(self._latency):
                    await ctx.tick()
                await self._send(ctx, self.kept[number])

    async def _send(self, ctx, packet):
        stream, size = self._engine.trunks_i, self._bytes
        for start in range(0, len(packet), size):
            while self._waits():
                await ctx.tick()
            data = int.from_bytes(packet[start : start + size], "little")
            ctx.set(stream.payload, {"data": data, "last": start + size == len(packet)})
            ctx.set(stream.valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(stream.ready)
            ctx.set(stream.valid, 0)
