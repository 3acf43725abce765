# amaranth: UnusedElaboratable=no
"""dorefa.hw.shell.axi: AXI4-Lite rules under random stalls, errors, speed."""

from functools import reduce
from operator import or_

import pytest
from amaranth import Module
from amaranth.sim import Simulator

from dorefa.golden.errors import InputError
from dorefa.hw.shell.axi import DECODE_ERROR, OKAY, SLAVE_ERROR, AxiLiteBridge

LIMIT = 20_000
ADDR_BITS = 5
REGIONS = ((0, 8), (12, 9))
# Of these words: those that can only be written, only be read, and always be written.
WRITE_ONLY, READ_ONLY, FREE = (2, 13), (5, 20), (1, 14)


class Space:
    """A few words of every kind."""

    def exists(self, address):
        hits = ((address >= first) & (address < first + words) for first, words in REGIONS)
        return reduce(or_, hits)

    def readable(self, address):
        return self.exists(address) & ~self._any_of(address, WRITE_ONLY)

    def writable(self, address):
        return self.exists(address) & ~self._any_of(address, READ_ONLY)

    def free(self, address):
        return self._any_of(address, FREE)

    def _any_of(self, address, numbers):
        return reduce(or_, (address == number for number in numbers))


class Host:
    """A word memory behind the bridge: written on `w_en`, read a cycle after the address."""

    def __init__(self, bridge):
        self.bridge = bridge
        self.words = [0] * (1 << ADDR_BITS)
        self.writes = []

    async def serve(self, ctx):
        bridge, clock = self.bridge, ctx.tick()
        async for _, _, address, enable, data in clock.sample(
            bridge.host_addr, bridge.host_w_en, bridge.host_w_data
        ):
            ctx.set(bridge.host_r_data, self.words[address])
            if enable:
                self.words[address] = data
                self.writes.append((address, data))


def hold_rules(bridge, channel, payload):
    """A monitor: once up, `valid` stays and the payload holds still until `ready`."""
    valid, ready = getattr(bridge, f"{channel}valid"), getattr(bridge, f"{channel}ready")
    values = [getattr(bridge, name) for name in payload]

    async def monitor(ctx):
        waiting = None
        async for _, reset, up, taken, *now in ctx.tick().sample(valid, ready, *values):
            assert not reset
            if waiting is not None:
                assert up and now == waiting, f"{channel}: {waiting} became {now}, valid {up}"
            waiting = now if up and not taken else None

    return monitor


async def send(ctx, rng, bridge, channel, beats, stall):
    """Drives one channel from subordinate's view: a list of {signal: value}."""
    valid, ready = getattr(bridge, f"{channel}valid"), getattr(bridge, f"{channel}ready")
    for beat in beats:
        while rng.random() < stall:
            await ctx.tick()
        for name, value in beat.items():
            ctx.set(getattr(bridge, name), value)
        ctx.set(valid, 1)
        taken = False
        while not taken:
            *_, taken = await ctx.tick().sample(ready)
        ctx.set(valid, 0)


async def receive(ctx, rng, bridge, channel, payload, count, stall):
    """Takes `count` beats from a channel; returns their payloads."""
    valid, ready = getattr(bridge, f"{channel}valid"), getattr(bridge, f"{channel}ready")
    values = [getattr(bridge, name) for name in payload]
    beats = []
    while len(beats) < count:
        willing = rng.random() >= stall
        ctx.set(ready, willing)
        _, _, up, *now = await ctx.tick().sample(valid, *values)
        if up and willing:
            beats.append(tuple(now))
    ctx.set(ready, 0)
    return beats


def run(bridge, *testbenches):
    """Simulates the bridge in front of a `Host`, with every rule monitored."""
    host = Host(bridge)
    module = Module()
    module.submodules.bridge = bridge
    simulator = Simulator(module)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host.serve, background=True)
    for channel, payload in (("b", ["bresp"]), ("r", ["rdata", "rresp"])):
        simulator.add_testbench(hold_rules(bridge, channel, payload), background=True)

    async def watchdog(ctx):
        for _ in range(LIMIT):
            await ctx.tick()
        raise AssertionError(f"no end after {LIMIT} cycles")

    simulator.add_testbench(watchdog, background=True)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    simulator.run()
    return host


def mapped(address):
    return any(first <= address < first + words for first, words in REGIONS)


@pytest.mark.parametrize("stall", [0.0, 0.3, 0.8])
def test_writes_and_reads_under_stalls(rng, stall):
    bridge = AxiLiteBridge(addr_bits=ADDR_BITS, space=Space())
    count = 150
    addresses = rng.integers(0, 1 << ADDR_BITS, count).tolist()
    data = rng.integers(0, 1 << 32, count).tolist()
    strobes = rng.choice([15, 15, 15, 0, 7, 1], count).tolist()
    answers, values = [], []

    async def address_channel(ctx):
        beats = [{"awaddr": 4 * address + int(rng.integers(4))} for address in addresses]
        await send(ctx, rng, bridge, "aw", beats, stall)

    async def data_channel(ctx):
        beats = [{"wdata": d, "wstrb": s} for d, s in zip(data, strobes, strict=True)]
        await send(ctx, rng, bridge, "w", beats, stall)

    async def answer_channel(ctx):
        answers.extend(await receive(ctx, rng, bridge, "b", ["bresp"], count, stall))
        # every write is answered: now read all of it back
        beats = [{"araddr": 4 * address} for address in range(1 << ADDR_BITS)]
        reads.extend(beats)

    reads = []

    async def read_channel(ctx):
        while not reads:
            await ctx.tick()
        await send(ctx, rng, bridge, "ar", reads, stall)

    async def read_data_channel(ctx):
        values.extend(await receive(ctx, rng, bridge, "r", ["rdata", "rresp"], 1 << ADDR_BITS, stall))

    host = run(bridge, address_channel, data_channel, answer_channel, read_channel, read_data_channel)
    words, expected, written = [0] * (1 << ADDR_BITS), [], []
    for address, word, strobe in zip(addresses, data, strobes, strict=True):
        if not mapped(address):
            expected.append((DECODE_ERROR,))
        elif strobe == 15 and address in READ_ONLY:
            expected.append((SLAVE_ERROR,))
        elif strobe == 15:
            words[address] = word
            written.append((address, word))
            expected.append((OKAY,))
        else:
            expected.append((OKAY if strobe == 0 else SLAVE_ERROR,))
    assert answers == expected
    assert host.writes == written
    kinds = {
        address: (0, SLAVE_ERROR if mapped(address) else DECODE_ERROR) for address in range(1 << ADDR_BITS)
    }
    kinds |= {a: (words[a], OKAY) for a in kinds if mapped(a) and a not in WRITE_ONLY}
    assert values == list(kinds.values())


def test_locked_writes_reach_the_host_and_answer_an_error(rng):
    """`host_locked` counts in the cycle in front of the one in which the host sees the write."""
    bridge = AxiLiteBridge(addr_bits=ADDR_BITS, space=Space())
    locks, answers = rng.integers(0, 2, 400).tolist(), []
    addresses = [address for address in range(8) if address not in READ_ONLY] * 8
    seen = []

    async def lock(ctx):
        for value in locks:
            ctx.set(bridge.host_locked, value)
            *_, enable, address = await ctx.tick().sample(bridge.host_w_en, bridge.host_addr)
            seen.append((enable, address))

    async def writes(ctx):
        await send(ctx, rng, bridge, "aw", [{"awaddr": 4 * address} for address in addresses], 0.3)

    async def words(ctx):
        await send(ctx, rng, bridge, "w", [{"wdata": 1, "wstrb": 15}] * len(addresses), 0.3)

    async def answer(ctx):
        answers.extend(await receive(ctx, rng, bridge, "b", ["bresp"], len(addresses), 0.3))

    run(bridge, lock, writes, words, answer)
    came = [(locks[cycle - 1], address) for cycle, (enable, address) in enumerate(seen) if enable]
    assert [address for _, address in came] == addresses
    locked = [SLAVE_ERROR if lock and address not in FREE else OKAY for lock, address in came]
    assert [own for (own,) in answers] == locked
    assert {OKAY, SLAVE_ERROR} == set(locked)


@pytest.mark.parametrize("first", ["aw", "w"])
def test_address_and_data_in_either_order(rng, first):
    bridge = AxiLiteBridge(addr_bits=ADDR_BITS)
    beats = {"aw": {"awaddr": 4 * 9}, "w": {"wdata": 1234, "wstrb": 15}}
    second = "w" if first == "aw" else "aw"

    async def both(ctx):
        ctx.set(bridge.bready, 1)
        await send(ctx, rng, bridge, first, [beats[first]], 0)
        for _ in range(5):
            *_, answered = await ctx.tick().sample(bridge.bvalid)
            assert not answered
        await send(ctx, rng, bridge, second, [beats[second]], 0)
        for _ in range(4):
            await ctx.tick()

    assert run(bridge, both).writes == [(9, 1234)]


def test_answers_do_not_wait_for_who_takes_them():
    """As AXI asks: who takes one may wait until it is there."""
    bridge = AxiLiteBridge(addr_bits=ADDR_BITS)

    async def both(ctx):
        for name in ("awvalid", "wvalid", "arvalid"):
            ctx.set(getattr(bridge, name), 1)
        await ctx.tick().repeat(8)
        assert ctx.get(bridge.bvalid) and ctx.get(bridge.rvalid)

    run(bridge, both)


def test_one_write_per_cycle_and_none_lost_while_answers_wait(rng):
    bridge = AxiLiteBridge(addr_bits=ADDR_BITS)
    count, cycles = 40, []

    async def addresses(ctx):
        await send(ctx, rng, bridge, "aw", [{"awaddr": 4 * (i % 32)} for i in range(count)], 0)

    async def words(ctx):
        await send(ctx, rng, bridge, "w", [{"wdata": i, "wstrb": 15} for i in range(count)], 0)

    async def answers(ctx):
        for _ in range(10):
            await ctx.tick()
        start = len(cycles)
        await receive(ctx, rng, bridge, "b", ["bresp"], count, 0)
        assert len(cycles) - start <= count + 1

    async def clock(ctx):
        async for _ in ctx.tick():
            cycles.append(0)
            if len(cycles) > 200:
                return

    host = run(bridge, addresses, words, answers, clock)
    assert host.writes == [(i % 32, i) for i in range(count)]


def test_reads_get_their_turn_during_writes(rng):
    bridge = AxiLiteBridge(addr_bits=ADDR_BITS)
    done = []

    async def writer(ctx):
        for name, value in (("awvalid", 1), ("wvalid", 1), ("wstrb", 15), ("bready", 1)):
            ctx.set(getattr(bridge, name), value)
        while not done:
            await ctx.tick()

    async def reader(ctx):
        await send(ctx, rng, bridge, "ar", [{"araddr": 4}] * 3, 0)

    async def values(ctx):
        done.extend(await receive(ctx, rng, bridge, "r", ["rresp"], 3, 0))

    run(bridge, writer, reader, values)
    assert done == [(OKAY,)] * 3


def test_address_bits_are_checked():
    with pytest.raises(InputError, match="addr_bits is 0; accepted: at least 1"):
        AxiLiteBridge(addr_bits=0)
