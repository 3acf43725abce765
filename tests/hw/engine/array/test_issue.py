"""The order of steps, and what they wait for."""

import itertools

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.array.issue import Issue
from dorefa.hw.interface import program

from ...support import simulate

CONFIG = EngineConfig(
    lanes=8,
    rows=4,
    quant=2,
    cols=2,
    fetch_bits=8,
    w_bits=8,
    a_bits=8,
    weight_depth=4096,
    patch_depth=8,
    param_depth=16,
    patch_slots=2,
)

JOBS = CONFIG.replace(results="wide", port_bytes=4, training=1, cols=1, quant=4, encoding="any")


def descriptor(config=CONFIG, **values):
    words, planes = values.get("words", 1), values.get("weight_planes", 1)
    base = {
        "words": 1,
        "last_word": words - 1,
        "tiles": 1,
        "groups": 1,
        "weight_planes": 1,
        "activation_planes": 1,
        "weight_top": (planes - 1) * words,
        "tile_step": planes * words,
        "drain_full": 1,
        "drain_last": 1,
    }
    return dict.fromkeys(program.fields(config), 0) | base | values


def steps_of(values, patches, slots):
    """The steps of `patches` patches: dicts as the ports show them."""
    w_planes, a_planes = values["weight_planes"], values["activation_planes"]
    words, tiles, groups = values["words"], values["tiles"], values["groups"]
    for patch in range(patches):
        for tile in range(tiles):
            first = values["weight_top"] - (w_planes - 1) * words
            group = 0 if values.get("shared_weights") else patch % groups
            first += (group * tiles + tile) * w_planes * words
            pairs = [(i, j) for i in range(w_planes) for j in range(a_planes)]
            # Falling significance; within one, the greater weight plane first.
            pairs.sort(key=lambda pair: (-sum(pair), -pair[0]))
            for number, (i, j) in enumerate(pairs):
                falls = number and sum(pairs[number - 1]) != i + j
                negative = values["signed_weights"] and i == w_planes - 1
                if values.get("signed_activations"):
                    negative ^= j == a_planes - 1
                for word in range(words):
                    ends = number == len(pairs) - 1 and word == words - 1
                    yield {
                        "slot": patch % slots,
                        "word": word,
                        "plane": j,
                        "weight": first + i * words + word,
                        "clear": int(number == 0 and word == 0),
                        "shift": int(bool(falls) and word == 0),
                        "negate": int(negative),
                        "tile_ends": int(ends),
                        "last": tile == tiles - 1,
                        "ends_set": tile == tiles - 1 and patch % groups == groups - 1,
                        "released": int(ends and tile == tiles - 1),
                    }


def run(unit, values, patches, *, rng, waits, drain=None, ready=None, abandoned=None, missing=0):
    """Steps with their cycles; patches are filled at random, at most `patch_slots` ahead.

    With probability `missing` the weights are not there in a cycle, and nothing may be computed then.
    `drain`, called per cycle with whether a tile ends, tells whether a tile leaves the drain, `ready` whether
    a tile may end.
    `abandoned` is a layer that runs for a while before.
    """
    expected = list(steps_of(values, patches, CONFIG.patch_slots))
    stamps = []

    async def start(ctx, layer):
        ctx.set(unit.layer, layer)
        ctx.set(unit.start, 1)
        await ctx.tick()
        ctx.set(unit.start, 0)

    async def testbench(ctx):
        if abandoned:
            ctx.set(unit.weights_ready, 1)
            await start(ctx, abandoned)
            ctx.set(unit.filled, 1)
            await ctx.tick().repeat(2)
            ctx.set(unit.filled, 0)
            await ctx.tick().repeat(70)
        await start(ctx, values)
        given, free, cycle = 0, CONFIG.patch_slots, 0
        ports = (unit.step, unit.slot, unit.word, unit.plane, unit.weight, unit.tile, unit.released)
        while len(stamps) < len(expected):
            give = given < patches and free and rng.random() >= waits
            ctx.set(unit.filled, bool(give))
            given, free = given + bool(give), free - bool(give)
            ctx.set(unit.weights_ready, rng.random() >= missing)
            if drain:
                ctx.set(unit.drained, drain(ctx.get(unit.tile.ends)))
            if ready:
                # A tile waits for room where it would end with it, and never else.
                ctx.set(unit.tile_ready, 1)
                would_end = ctx.get(unit.tile.ends)
                assert not ctx.get(unit.tile_waits)
                ctx.set(unit.tile_ready, 0)
                assert ctx.get(unit.tile_waits) == would_end
                ctx.set(unit.tile_ready, ready())
            _, _, step, slot, word, plane, weight, tile, released = await ctx.tick().sample(*ports)
            if step.enable:
                assert ctx.get(unit.weights_ready)
                seen = {
                    "slot": slot,
                    "word": word,
                    "plane": plane,
                    "weight": weight,
                    "clear": step.clear,
                    "shift": step.shift,
                    "negate": step.negate,
                    "tile_ends": tile.ends,
                    "released": released,
                    "last": tile.last,
                    "ends_set": tile.ends_set,
                }
                assert seen == expected[len(stamps)], len(stamps)
                stamps.append(cycle)
                assert not (ready and tile.ends) or ctx.get(unit.tile_ready)
            else:
                assert not tile.ends and not released
            free += released
            cycle += 1
        ctx.set(unit.filled, 0)
        ctx.set(unit.weights_ready, 1)
        for _ in range(5):
            _, _, step = await ctx.tick().sample(unit.step)
            assert not step.enable, "steps beyond the last patch"

    limit = 20 * len(expected) * max(1, values["drain_full"]) + 1000
    simulate(unit, testbench, limit=int(limit / (1 - missing)))
    return expected, stamps


LAYERS = {
    "least": descriptor(),
    "one_plane_of_weights": descriptor(activation_planes=3, words=2, tiles=2, groups=2),
    "bits": descriptor(weight_planes=3, activation_planes=2, signed_weights=1),
    "more_activations": descriptor(weight_planes=1, activation_planes=8, words=3),
    "one_plane_of_activations": descriptor(weight_planes=3, words=2),
    "eight": descriptor(weight_planes=8, activation_planes=8),
    "tiles": descriptor(weight_planes=2, activation_planes=2, words=2, tiles=3),
    "groups": descriptor(words=2, tiles=2, groups=3, weight_planes=2),
    "later": descriptor(words=3, weight_planes=2, weight_top=103, tiles=2, tile_step=6),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("waits", [0, 0.8])
def test_order(name, waits, rng):
    run(Issue(CONFIG), LAYERS[name], 3 * LAYERS[name]["groups"], rng=rng, waits=waits)


@pytest.mark.parametrize("name", ["least", "one_plane_of_weights", "more_activations"])
@pytest.mark.parametrize("w_bits", [1, 2])
def test_order_in_an_engine_of_few_weight_planes(w_bits, name, rng):
    run(Issue(CONFIG.replace(w_bits=w_bits)), LAYERS[name], 6, rng=rng, waits=0.2)


def test_order_of_as_many_weight_planes_as_the_engine_has(rng):
    run(Issue(CONFIG.replace(w_bits=2)), LAYERS["tiles"], 6, rng=rng, waits=0.2)


@pytest.mark.parametrize("signed_weights", [0, 1])
@pytest.mark.parametrize("signed_activations", [0, 1])
def test_signs(signed_weights, signed_activations, rng):
    """The product of two top planes of two's complement counts as it is."""
    config = CONFIG.replace(signed_codes=1)
    values = descriptor(config, weight_planes=2, activation_planes=3, words=2, signed_weights=signed_weights)
    values["signed_activations"] = signed_activations
    run(Issue(config), values, 3, rng=rng, waits=0)


@pytest.mark.parametrize("shared_weights", [0, 1])
def test_channel_groups_of_a_job_may_share_weights(shared_weights, rng):
    values = descriptor(JOBS, groups=2, tiles=3, words=2, weight_top=5, shared_weights=shared_weights)
    run(Issue(JOBS), values, 6, rng=rng, waits=0.2, ready=lambda: True)


@pytest.mark.parametrize("waits", [0, 0.5])
def test_steps_wait_for_weights(waits, rng):
    run(Issue(CONFIG), LAYERS["groups"], 9, rng=rng, waits=waits, missing=0.6)


def test_one_step_per_cycle(rng):
    _, stamps = run(Issue(CONFIG), LAYERS["tiles"], 5, rng=rng, waits=0)
    assert stamps == list(range(stamps[0], stamps[0] + len(stamps)))


@pytest.mark.parametrize("words", [1, 2])
@pytest.mark.parametrize("full, last", [(4, 4), (4, 1), (1, 4), (2, 3)])
def test_tiles_wait_for_the_drain(full, last, words, rng):
    """The last step of a tile follows that of the one before after as many cycles as its drain."""
    values = descriptor(tiles=3, words=words, drain_full=full, drain_last=last)
    expected, stamps = run(Issue(CONFIG), values, 4, rng=rng, waits=0)
    ends = [
        (stamp, step["released"]) for step, stamp in zip(expected, stamps, strict=True) if step["tile_ends"]
    ]
    for (before, was_last), (after, _) in zip(ends, ends[1:], strict=False):
        assert after - before == max(words, last if was_last else full)


@pytest.mark.parametrize("delay", [1, 7])
def test_raw_tiles_wait_until_all_is_drained(delay, rng):
    values = descriptor(tiles=3, words=2, raw=1)
    cycles, due = itertools.count(), []

    def drain(ends):
        now = next(cycles)
        if ends:
            due.append(now + delay)
        return now in due

    expected, stamps = run(Issue(CONFIG), values, 2, rng=rng, waits=0, drain=drain)
    ends = [stamp for step, stamp in zip(expected, stamps, strict=True) if step["tile_ends"]]
    for before, after in zip(ends, ends[1:], strict=False):
        assert after - before == max(2, delay + 1)


@pytest.mark.parametrize("raw", [0, 1])
def test_tiles_wait_for_room(raw, rng):
    """And raw ones for nothing else."""
    values = descriptor(tiles=3, words=2, raw=raw)
    unit = Issue(CONFIG.replace(results="wide"))
    for missing in (0, 0.4):
        run(unit, values, 6, rng=rng, waits=0.3, ready=lambda: rng.random() < 0.2, missing=missing)
    _, stamps = run(unit, values, 4, rng=rng, waits=0, ready=lambda: True)
    assert stamps == list(range(stamps[0], stamps[0] + len(stamps)))


def test_a_new_layer_starts_afresh(rng):
    """In the middle of another layer, whatever state that one is in."""
    run(Issue(CONFIG), LAYERS["groups"], 3, rng=rng, waits=0.3, abandoned=LAYERS["eight"])
