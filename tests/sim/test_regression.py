"""Random graphs on random engines: every layer bit-exact, and as many cycles as predicted.

Each case is run twice: without stalls, where the predicted cycles must be the simulated ones, and
with random stalls on every port. 12 cases always run; ``pytest -m "slow or not slow"`` on this
file runs 300. ``--seed`` moves on to other cases.
"""

import itertools

import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.checks import plane_group_choices
from dorefa.hw.generate.manifest import engine_files
from dorefa.sim import simulate

ENCODINGS = (
    ("bipolar",),
    ("unsigned", "twos_complement"),
    ("bipolar", "unsigned", "twos_complement"),
)


def random_graph(seed, draws):
    """A chain or a residual graph, in integers: every kind of pooling, padding, groups, dilation."""
    return lower(
        random_network(
            seed,
            encodings=draws.pick(ENCODINGS),
            residual=draws.pick((False, True)),
            a_bits=draws.pick((None, 1, 2, 3)),
            input_bits=draws.pick((None, 5, 8)),
            allow_average=True,
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


def check(seed):
    network, compiled, images = random_case(seed)
    print(f"case {seed}: {compiled.config}")
    text = engine_files(compiled.config)["engine.v"]
    for stalls in (0, 30):
        report = simulate(
            network,
            config=compiled.config,
            images=images,
            simulator="verilator",
            seed=seed,
            stalls=stalls,
            verilog_text=text,
        )
        assert report.bit_exact, f"{report.mismatch_count} differ, first: {report.mismatches[0]}"
        if not stalls:
            cycles = [layer.cycles for layer in report.layers]
            assert cycles == [layer.cycles for layer in compiled.layers]


@pytest.mark.parametrize("case", range(6))
def test_random_graph_on_random_engine(case, seed):
    check(1000 * seed + case)


def test_channels_that_fill_a_block_leave_zeros():
    """A sum of one of these once wrapped, and a layer with the activation-sum row saw its codes."""
    check(1031)


def test_pooling_that_leaves_out_columns_adds_no_trunk():
    """Its pixels would meet others of the trunk: refused, not computed."""
    draws = RawDraws(1_102_000)
    network, options = random_graph(1_102_000, draws), random_options(draws)
    with pytest.raises(InputError, match="layer block1_b: it adds a trunk, but pooling leaves out 2 of 3"):
        compile_network(network, fit(network, **options))


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [*(pytest.param(case, marks=pytest.mark.sample) for case in range(6, 16)), *range(16, 300)]
)
def test_more_random_graphs_on_random_engines(case, seed):
    check(1000 * seed + case)
