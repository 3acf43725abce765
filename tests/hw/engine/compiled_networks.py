"""Random networks compiled for random engines, and their programs decoded again."""

from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.sizing import fit

from ..support import decode


def signed(word, bits):
    word &= (1 << bits) - 1
    return word - (word >> (bits - 1) << bits)


def draw_compiled(rng, **sizes):
    """A random network on a random engine that can run it."""
    while True:
        encodings = [("bipolar",), ("twos_complement", "unsigned")][rng.integers(2)]
        integer = lower(
            random_network(
                int(rng.integers(1 << 31)),
                max_macs=20_000,
                max_size=6,
                encodings=encodings,
                residual=bool(rng.integers(2)),
                allow_average=True,
            )
        )
        drawn = {
            "lanes": int(rng.integers(8, 40)),
            "rows": 2 * int(rng.integers(1, 4)),
            "quant": int(rng.integers(1, 3)),
            "engines": int(rng.integers(1, 4)),
            "weights": str(rng.choice(["onchip", "stream"])),
            "quantizer": "thresholds",
        }
        config = fit(integer, **drawn | sizes)
        if not find_problems(integer, config):
            return compile_network(integer, config)


def descriptors(compiled):
    """(Pass, its layer, decoded descriptor) of every pass."""
    program = compiled.memories["program"]
    passes = compiled.schedule.passes
    size = len(program) // len(passes)
    for number, part in enumerate(passes):
        words = program[number * size : (number + 1) * size]
        yield part, compiled.network.layers[part.layer], decode(compiled.config, words)
