"""Drives the quantizers of training: packets with random gaps between beats, codes by their marks."""

import numpy as np

from ...replay import Recorder


def beats(words, lanes):
    """[(words of a beat, first, last)] of a packet; what no word counts for is any number."""
    return [
        (list(words[at : at + lanes]), at == 0, at + lanes >= len(words))
        for at in range(0, len(words), lanes)
    ]


async def write_table(ctx, unit, words, rng, *, first=0):
    """Writes `words` through the write port in any order, the first one at address `first`; then shows one
    that is not written."""
    for place in rng.permutation(len(words)):
        ctx.set(unit.w_en, 1)
        ctx.set(unit.w_address, first + int(place))
        ctx.set(unit.w_data, int(words[place]))
        await ctx.tick()
    ctx.set(unit.w_en, 0)
    for place in rng.permutation(len(words)):
        ctx.set(unit.w_address, first + int(place))
        ctx.set(unit.w_data, int(rng.integers(1 << len(unit.w_data))))
        await ctx.tick()


class Packets:
    """Sends packets to a unit and checks when codes leave. `filler()` draws a word that does not count."""

    def __init__(self, unit, lanes, rng, filler, *, gaps=0.3):
        self.unit, self.lanes, self.rng, self.filler, self.gaps = unit, lanes, rng, filler, gaps
        self.codes = []

    async def send(self, ctx, words):
        """One packet; ends after the cycle of its last beat."""
        unit = self.unit
        for values, first, last in beats(words, self.lanes):
            while self.rng.random() < self.gaps:
                ctx.set(unit.mark, {"valid": 0, "first": 1, "last": 1, "count": self.lanes})
                await self._words(ctx, [])
            ctx.set(unit.mark, {"valid": 1, "first": first, "last": last, "count": len(values)})
            await self._words(ctx, values)
        ctx.set(unit.mark, {"valid": 0, "first": 1, "last": 0, "count": 0})

    async def _words(self, ctx, values):
        for lane in range(self.lanes):
            ctx.set(self.unit.words[lane], int(values[lane]) if lane < len(values) else self.filler())
        await ctx.tick()

    async def watch(self, ctx):
        """Background testbench: collects packets of codes in `codes`, and checks their cycles and marks."""
        unit, sent, packet = self.unit, [], []
        cycle = 0
        while True:
            _, _, mark, measure, out, *codes = await ctx.tick().sample(
                unit.mark, unit.measure, unit.code_mark, *unit.codes
            )
            if mark.valid and not measure:
                sent.append((cycle + unit.latency, mark))
            due = bool(sent) and sent[0][0] == cycle
            assert out.valid == due, f"cycle {cycle}"
            if due:
                expected = sent.pop(0)[1]
                assert (out.first, out.last, out.count) == (expected.first, expected.last, expected.count)
                packet += codes[: out.count]
                if out.last:
                    self.codes.append(np.array(packet, np.uint8))
                    packet = []
            cycle += 1


def check_verilog(recorder: Recorder, unit, lanes, measured, folder):
    """Replays what a unit went through in the Verilog of another one: the same codes and marks in the same
    cycles, and the same numbers in the port `measured`, from when the first one is there."""
    codes, there = 0, False
    for cycle, both in enumerate(recorder.replay(unit, folder)):
        mark, found = both.pop("code_mark")
        assert found is not None and found & 1 == mark & 1, cycle
        if mark & 1:
            assert found == mark, cycle
            count = mark >> 3
            for lane in range(count):
                assert both[f"codes__{lane}"][0] == both[f"codes__{lane}"][1], (cycle, lane)
            codes += count
        there |= both[measured][0] != 0
        assert not there or both[measured][0] == both[measured][1], cycle
    assert there and codes
    return codes
