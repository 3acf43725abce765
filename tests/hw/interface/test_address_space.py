"""Which addresses answer: compared with what the map's own functions name, all of them one by one."""

import pytest
from amaranth import Module, Signal

from dorefa.hw.interface.address_space import EngineSpace
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import engine_registers

from ..support import simulate
from .test_memory_map import CONFIGS


@pytest.mark.parametrize("name", ["least", "odd", "affine", "tiny", "trunks", "stream", "trains"])
def test_every_address_or_a_sample(name, rng):
    """Every register, every piece of the first and last words of the first and last memories, their
    neighbors, and any others."""
    config = CONFIGS[name]
    memory_map, registers = MemoryMap.of(config), engine_registers(config)
    words = set()
    for window in memory_map.windows:
        for memory in {0, window.memories - 1}:
            for address in {0, window.depth - 1}:
                words |= {
                    memory_map.address(window, memory, address, piece) for piece in range(window.pieces)
                }
    own = {register.address: register for register in registers.values()}
    space, top = EngineSpace(config), Module()
    address = Signal(memory_map.address_bits)
    answers = [Signal(name=name) for name in ("exists", "readable", "writable", "free")]
    for answer in answers:
        top.d.comb += answer.eq(getattr(space, answer.name)(address))

    def expected(place):
        if place in own:
            access = own[place].access
            return [1, access != "wo", access != "ro", own[place].name in ("control", "status", "interrupts")]
        return [_is_word(memory_map, place), 0, _is_word(memory_map, place), 0]

    near = {place + step for place in words | set(own) for step in (-1, 1)}
    drawn = set(rng.integers(0, 1 << memory_map.address_bits, 300).tolist())
    places = [p for p in sorted(words | set(own) | near | drawn) if 0 <= p < 1 << memory_map.address_bits]

    async def testbench(ctx):
        for place in places:
            ctx.set(address, place)
            assert [ctx.get(answer) for answer in answers] == expected(place), hex(place)
            await ctx.tick()

    unused = Signal()
    top.d.sync += unused.eq(~unused)
    simulate(top, testbench, limit=len(places) + 10)
    assert all(expected(place)[0] for place in words)


def _is_word(memory_map, place):
    """Whether a word address is that of a piece, by what the map says of them."""
    for window in memory_map.windows:
        offset = place - memory_map.address(window, 0, 0)
        if 0 <= offset < 1 << memory_map.select_shift:
            memory, rest = divmod(offset, window.memory_stride)
            address, piece = divmod(rest, window.word_stride)
            return memory < window.memories and address < window.depth and piece < window.pieces
    return False
