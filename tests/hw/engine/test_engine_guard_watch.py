"""What a guarded engine's watchdog sees as a move, and what the host may do meanwhile."""

import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.sim.amaranth.streams import Stalls
from dorefa.sim.job.beats import beats, image_packet

from ..support import draw_layer, network
from .guarded import Guarded, chain, residual, with_trunks


def turned(packets):
    """Packets of other weights."""
    return [bytes(byte ^ 0xFF for byte in packet) for packet in packets]


def moves(guarded):
    """What the watchdog has to see, and whether an image is under way."""
    engine, sequencer = guarded.engine, guarded.bench.component("core.sequencer")
    seen = sequencer.start | sequencer.ended
    for name in ("i", "weights", "trunks_i"):
        if hasattr(engine, name):
            seen = seen | (getattr(engine, name).valid & getattr(engine, name).ready)
    for name in ("o", "trunks_o"):
        if hasattr(engine, name):
            seen = seen | getattr(engine, name).valid
    return seen, sequencer.under_way


@pytest.mark.parametrize("trunks", [False, True])
def test_the_shortest_time_of_the_watchdog(trunks, rng):
    """Beats of every stream, beginnings and ends of passes are moves, and nothing else is: the longest time
    between two of an image is enough, and a cycle less is not."""
    guarded = with_trunks(rng) if trunks else Guarded(chain(rng), rng)
    seen, waits = moves(guarded), [0]

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        while not guarded.answers:
            *_, moved, watched = await ctx.tick().sample(*seen)
            waits.append(0 if moved or not watched else waits[-1] + 1)
        assert not guarded.answers.pop()[1] and await guarded.told(ctx)
        # The time is out in the cycle behind so many.
        await guarded.write(ctx, "watchdog", max(waits) + 1)
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)
        await guarded.write(ctx, "watchdog", max(waits))
        await guarded.send(ctx, 0)
        await guarded.fails(ctx, "timeout")

    guarded.run(testbench)


class Beats(Stalls):
    """Lets so many beats come, each behind some cycles."""

    def __init__(self, rng, left=1 << 30, behind=0):
        super().__init__(rng)
        self.left, self.behind, self.waited = left, behind, 0

    def source(self):
        self.waited += 1
        if self.left and self.waited > self.behind:
            self.left, self.waited = self.left - 1, 0
            return False
        return True


def test_weights_that_come_slowly(rng):
    """Their beats are moves: an image may wait for a packet longer than the watchdog does for a beat."""
    only = draw_layer(rng, "fc", (3, 1, 1, 16), w_bits=8, kind="fc", a_bits=None)
    guarded = Guarded(lower(network((1, 1, 16), 1, only)), rng, stalls=Beats(rng, behind=20))
    assert len(guarded.bench.job.weight_packets[0]) * 20 > 2 * guarded.patience

    async def testbench(ctx):
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_a_reset_forgets_a_packet_of_weights(rng):
    """Of pass 0 a part was taken, and what is left of the image comes while the host resets."""

    def packets_of(image, own):
        return own if image < 2 else turned(own)

    stalls = Beats(rng, left=0)
    guarded = Guarded(residual(rng), rng, packets_of, stalls=stalls)
    packets = guarded.bench.job.weight_packets

    async def testbench(ctx):
        # The image's beat counts, too.
        stalls.left = 1 + len(packets[0]) // 2
        await guarded.send(ctx, 0, cut=1)
        for _ in range(20):
            await ctx.tick()
        await guarded.write(ctx, "control", 3)
        stalls.left = sum(map(len, packets)) - len(packets[0]) // 2
        for _ in range(stalls.left + 20):
            await ctx.tick()
        assert not stalls.left
        await guarded.write(ctx, "control", 1)
        stalls.left = 1 << 30
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_a_host_that_writes_on_and_on(rng):
    """No image begins meanwhile, and one that waits is waited for."""
    guarded = Guarded(residual(rng), rng)

    async def testbench(ctx):
        ctx.set(guarded.engine.i.valid, 1)
        for _ in range(guarded.patience + 10):
            await guarded.write(ctx, "watchdog", guarded.patience)
        ctx.set(guarded.engine.i.valid, 0)
        assert await guarded.told(ctx, "timeout")
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_an_image_without_a_program(rng):
    """The engine was enabled with one, which is gone."""
    guarded = Guarded(residual(rng), rng)

    async def testbench(ctx):
        await guarded.write(ctx, "layers", 0)
        await guarded.send(ctx, 0)
        assert await guarded.told(ctx, "invalid_program") and not guarded.answers
        await guarded.write(ctx, "layers", len(guarded.compiled.schedule.passes))
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_a_write_while_an_image_is_under_way(rng):
    guarded = Guarded(residual(rng), rng)

    async def testbench(ctx):
        await guarded.send(ctx, 1)
        await guarded.write(ctx, "layers", 1)
        assert await guarded.told(ctx, "write_refused")
        assert not (await guarded.answer(ctx))[1]
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_weights_of_a_program_that_is_replaced(rng):
    """An image that was dropped has taken some, which are not those of the next image."""

    def packets(image, own):
        return turned(own) if image == 0 else own

    guarded = Guarded(residual(rng), rng, packets)

    async def testbench(ctx):
        packet = [*beats(image_packet(guarded.images[0]), guarded.compiled.config.port_bytes)]
        await guarded.bench.send(ctx, [*packet[:-2], packet[-1]])
        for _ in range(200):
            await ctx.tick()
        assert await guarded.told(ctx, "wrong_packet")
        for address, word in guarded.compiled.host_writes():
            ctx.set(guarded.engine.host.addr, address)
            ctx.set(guarded.engine.host.w_data, word)
            ctx.set(guarded.engine.host.w_en, 1)
            await ctx.tick()
        ctx.set(guarded.engine.host.w_en, 0)
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_cycles_of_an_image(rng):
    """From its first read to its end. A reset leaves the number of the image before, and that of the next one
    is right."""
    guarded = Guarded(residual(rng), rng)
    status = guarded.engine.status

    async def counted(ctx):
        """Cycles of an image, as its signals say."""
        await guarded.send(ctx, 0)
        cycles, idle, read, ends = 0, 0, [], []
        while idle < 3:  # the last pass is done a cycle behind its end
            *_, begins, done = await ctx.tick().sample(status.first_read, status.layer_done)
            read += [cycles] * begins
            ends += [cycles] * done
            cycles, idle = cycles + 1, 0 if ctx.get(status.busy) else idle + 1
        (first,) = read
        return ends[-1] - first

    async def testbench(ctx):
        before = await counted(ctx)
        assert await guarded.read(ctx, "cycles") == before
        for after in (5, 60):
            await guarded.send(ctx, 0)
            for _ in range(after):
                await ctx.tick()
            await guarded.write(ctx, "control", 3)
            for _ in range(10):
                await ctx.tick()
            await guarded.write(ctx, "control", 1)
            assert await guarded.read(ctx, "cycles") == before
            before = await counted(ctx)
            assert await guarded.read(ctx, "cycles") == before

    guarded.run(testbench)
