"""Random graphs and random engines: the cases of the regression tests, of the soak and of its coverage."""

import itertools

from dorefa.golden import lower, random_images, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.checks import plane_group_choices

ENCODINGS = (
    ("bipolar",),
    ("unsigned", "twos_complement"),
    ("bipolar", "unsigned", "twos_complement"),
)


def random_graph(seed, draws, **given):
    """A chain or a residual graph, in integers: every kind of pooling, padding, groups, dilation.

    given: options of :func:`dorefa.golden.random_network` in place of those that are drawn.
    """
    drawn = {
        "encodings": draws.pick(ENCODINGS),
        "residual": draws.pick((False, True)),
        "a_bits": draws.pick((None, 1, 2, 3)),
        "input_bits": draws.pick((None, 5, 8)),
        "allow_average": True,
    }
    return lower(
        random_network(
            seed,
            **drawn | given,
            allow_pool_padding=True,
            max_macs=20_000,
            max_size=8,
            max_channels=24,
        )
    )


def random_options(draws):
    """Parameters of an engine: odd sizes as likely as powers of two."""
    rows, engines = draws.pick((1, 2, 3, 4, 5, 8, 12)), draws.pick((1, 1, 1, 2, 3, 4))
    options = {
        "lanes": draws.pick((8, 11, 16, 24, 33, 64)),
        "rows": rows,
        "cols": draws.pick((1, 1, 2, 3, 4)),
        "engines": engines,
        "weights": draws.pick(("onchip", "stream")),
        "quantizer": draws.pick(("thresholds", "thresholds", "affine")),
        "port_bytes": draws.pick((1, 2, 4, 8)),
        "patch_slots": draws.pick((2, 4)),
        "pipeline": draws.pick(("none", "level")),
        "structure": draws.pick(("compress", "sum")),
    }
    if draws.chance(2):
        quants = [q for q in range(1, min(rows, 8) + 1) if engines == 1 or rows % q == 0]
        options["quant"] = draws.pick(quants)
    if draws.chance(3):
        options["encoding"] = "any"
    return options


def random_case(seed):
    """(integer network, compiled network, images): the first draw from `seed` on that an engine runs."""
    for attempt in itertools.count():
        draws = RawDraws(1000 * seed + attempt)
        network, options = random_graph(1000 * seed + attempt, draws), random_options(draws)
        try:
            config = fit(network, **options)
            groups = draws.pick(plane_group_choices(config.a_bits, config.stored_bits))
            options |= {"plane_groups": groups, "prefetch": draws.pick((1, 0))}
            adds = any(layer.add is not None for layer in network.layers)
            if adds and options["cols"] == 1 and draws.chance(2):
                options["trunks"] = "stream"
            if options["cols"] > 1 and options["lanes"] % config.fetch_bits == 0:
                options["column_reads"] = draws.pick(("separate", "shared", "shared"))
            options["results"] = draws.pick(("single", "wide"))
            compiled = compile_network(network, fit(network, **options))
        except InputError as error:
            print(f"not case {seed}: {options}: {error}")
            continue
        return network, compiled, random_images(network, 2, seed)
