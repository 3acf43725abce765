"""The patch buffer: pieces in, a word of a plane for all columns out, one every cycle."""

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.reader.patch_buffer import PatchBuffer

from ...support import fields_of, flat, memories_of, simulate

SMALL = {"rows": 1, "quant": 1, "fetch_bits": 8, "a_bits": 3, "out_bits": 2, "patch_depth": 5}
CONFIGS = {
    # A last piece that is narrower, planes of an image alone in fewer words.
    "narrow": {"lanes": 20, "cols": 2, "image_patch_depth": 3},
    "one_piece": {"lanes": 8, "patch_slots": 4, "image_patch_depth": 5},
    "one_word": {"lanes": 16, "a_bits": 1, "out_bits": 1, "patch_depth": 1, "image_patch_depth": 1},
    "shared": {"lanes": 24, "cols": 3, "column_reads": "shared", "image_patch_depth": 2},
    # Two groups of two planes, the words of the second one behind those of the first.
    "groups": {"lanes": 16, "a_bits": 4, "plane_groups": 2, "patch_depth": 8, "image_patch_depth": 8},
}


def config_of(name):
    return EngineConfig(**SMALL | CONFIGS[name])


def depths(config):
    """Words that a group of each of its planes has."""
    image = [config.image_patch_depth] * config.image_planes
    return [depth // config.plane_groups for depth in [config.patch_depth] * config.out_bits + image]


@pytest.mark.parametrize("name", CONFIGS)
def test_random_reads_and_writes(name, rng):
    """A word is there exactly three cycles later, as it was before a write of the cycle that asks for it."""
    config = config_of(name)
    unit, own = PatchBuffer(config), depths(config)
    planes, fetch, lanes = config.fetch_planes, config.fetch_bits, config.lanes
    shared = config.column_reads == "shared"
    contents = {}

    def write(ctx):
        """A piece or, where columns share reads, some pieces for each column."""
        slot, group = int(rng.integers(config.patch_slots)), int(rng.integers(config.plane_groups))
        ctx.set(unit.w.slot, slot)
        ctx.set(unit.w.group, group)
        if not shared:
            column = int(rng.integers(config.cols))
            ctx.set(unit.w.column, column)
        for number in range(config.cols) if shared else [column]:
            port = {name: getattr(unit.w, name) for name in ("pieces", "word", "data")}
            if shared:
                port = {name: signals[number] for name, signals in port.items()}
            pieces = int(rng.integers(1 << config.subwords)) if shared else 1 << rng.integers(config.subwords)
            word = int(rng.integers(config.patch_depth // config.plane_groups))
            data = [int(rng.integers(1 << fetch)) for _ in range(planes)]
            ctx.set(port["pieces"], int(pieces))
            ctx.set(port["word"], word)
            ctx.set(port["data"], flat(data, fetch))
            for plane, bits in enumerate(data):
                for piece in range(config.subwords):
                    if pieces >> piece & 1 and word < own[plane]:
                        width = min(fetch, lanes - piece * fetch)
                        place = slot, number, group * planes + plane, word, piece
                        contents[place] = bits >> (fetch - width)

    def held(slot, plane, word):
        """Per column the word, and which of its bits were written."""
        for column in range(config.cols):
            value = mask = 0
            for piece in range(config.subwords):
                bits = contents.get((slot, column, plane, word, piece))
                if bits is not None:
                    value |= bits << piece * fetch
                    mask |= (1 << min(fetch, lanes - piece * fetch)) - 1 << piece * fetch
            yield value, mask

    async def testbench(ctx):
        asked = []
        for _ in range(1500):
            slot, plane = int(rng.integers(config.patch_slots)), int(rng.integers(config.a_bits))
            word = int(rng.integers(own[plane % planes]))
            for port, value in (("slot", slot), ("plane", plane), ("word", word)):
                ctx.set(getattr(unit, port), value)
            asked.append([*held(slot, plane, word)])
            for signal in unit.w.pieces if shared else [unit.w.pieces]:
                ctx.set(signal, 0)
            if rng.random() < 0.5:
                write(ctx)
            await ctx.tick()
            if len(asked) == unit.latency:
                words = fields_of(ctx.get(unit.a), lanes, config.cols)
                for found, (value, mask) in zip(words, asked.pop(0), strict=True):
                    assert found & mask == value

    simulate(unit, testbench, limit=2000)
    assert contents


@pytest.mark.parametrize("name", CONFIGS)
def test_memories_are_no_larger_than_needed(name):
    """So many words, rounded up to a power of two, of every slot."""
    config = config_of(name)
    _, memories = memories_of(PatchBuffer(config))
    wanted = {1 << (config.patch_depth - 1).bit_length(): config.out_bits}
    if config.image_planes:
        wanted[1 << (config.image_patch_depth - 1).bit_length()] = config.image_planes
    assert {memory.depth for memory in memories.values()} == {config.patch_slots * depth for depth in wanted}
