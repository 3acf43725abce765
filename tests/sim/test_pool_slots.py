"""Pooling windows as wide as the map, on the generated Verilog: as many slots as there are windows."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images
from dorefa.golden.network.parts import Pool
from dorefa.golden.network.shapes import layer_shapes
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.generate.manifest import engine_files
from dorefa.sim import simulate

from ..hw.support import draw_layer, network

# Map, pool, channel groups of the convolution, slots.
MAPS = {
    "9x9": ((9, 9), Pool(kind="max", kernel=(9, 9), stride=(1, 1)), 1, 1),
    "16x16": ((16, 16), Pool(kind="max", kernel=(16, 16), stride=(2, 3)), 1, 1),
    "1x40": ((1, 40), Pool(kind="max", kernel=(1, 40), stride=(1, 1)), 1, 1),
    "40x1 far apart": ((40, 1), Pool(kind="max", kernel=(40, 1), stride=(300, 300)), 1, 1),
    "average": ((11, 6), Pool(kind="average", kernel=(11, 6), stride=(1, 1)), 1, 1),
    "sum of codes": ((9, 9), Pool(kind="average_codes", kernel=(9, 9), stride=(1, 1)), 1, 1),
    "padded": ((8, 7), Pool(kind="max", kernel=(10, 9), stride=(1, 1), padding=(2, 1, 0, 1)), 1, 1),
    "merged groups": ((9, 10), Pool(kind="max", kernel=(9, 10), stride=(1, 1)), 4, 1),
    "columns only": ((4, 12), Pool(kind="max", kernel=(2, 12), stride=(2, 1)), 1, 1),
    "gaps": ((9, 9), Pool(kind="max", kernel=(2, 1), stride=(4, 3)), 1, 1),
    "two windows": ((10, 10), Pool(kind="max", kernel=(9, 9), stride=(1, 1)), 1, 2),
    "three, a row left out": ((12, 15), Pool(kind="max", kernel=(11, 11), stride=(2, 2)), 1, 3),
    "overlapping": ((12, 9), Pool(kind="max", kernel=(3, 3), stride=(1, 2)), 1, 3),
    "partial": ((9, 8), Pool(kind="max", kernel=(8, 8), stride=(2, 2), padding=(0, 0, 1, 0)), 1, 2),
}


def pooled(rng, name):
    """An integer network whose first layer, a 1x1 convolution of four channels, pools such a map."""
    shape, pool, groups, _ = MAPS[name]
    fields = {"w_bits": 2, "encoding": "twos_complement"}
    body = draw_layer(
        rng, "conv", (4, 1, 1, 4 // groups), a_bits=1, pool=pool, groups=groups, scale=0.4, **fields
    )
    size = int(np.prod(layer_shapes(body, (*shape, 4)).out_shape))
    last = draw_layer(rng, "fc", (3, 1, 1, size), a_bits=None, kind="fc", **fields)
    return lower(network((*shape, 4), 2, body, last))


@pytest.mark.parametrize("name", MAPS)
def test_needed_slots(name, rng):
    """An engine is sized with the slots that are needed, and with one fewer is refused."""
    integer, slots = pooled(rng, name), MAPS[name][3]
    config = fit(integer)
    assert config.pool_slots == slots
    assert find_problems(integer, config) == []
    if slots > 1:
        assert find_problems(integer, config.replace(pool_slots=slots - 1)) == [
            f"layer conv: pool_slots is {slots - 1}; accepted: at least {slots}, which it needs"
        ]


ENGINES = [
    pytest.param(1, {"engines": 2}, id="engines"),
    pytest.param(3, {"cols": 3}, id="columns"),
    pytest.param(3, {}, id="one", marks=[pytest.mark.slow, pytest.mark.sample]),
]


@pytest.mark.parametrize("slots, sizes", ENGINES)
def test_bit_exact(slots, sizes, rng, seed):
    """All networks of at most so many slots on one engine."""
    networks = {name: pooled(rng, name) for name in MAPS if MAPS[name][3] <= slots}
    fixed = {"lanes": 8, "rows": 2, "quant": 2, "fetch_bits": 8, "plane_groups": 1, **sizes}
    fitted = [fit(integer, **fixed).as_dict() for integer in networks.values()]
    config = EngineConfig(**{name: max(values[name] for values in fitted) for name in fitted[0]})
    assert config.pool_slots == slots
    text = engine_files(config)["engine.v"]
    for name, integer in networks.items():
        compiled = compile_network(integer, config)
        assert (compiled.layers[0].merged_groups > 1) == (name == "merged groups")
        report = simulate(
            integer,
            config=config,
            images=random_images(integer, 2, seed),
            simulator="verilator",
            verilog_text=text,
        )
        assert report.bit_exact, (name, report.mismatches[0])
        assert [layer.cycles for layer in report.layers] == [layer.cycles for layer in compiled.layers], name
