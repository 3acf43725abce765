# amaranth: UnusedElaboratable=no
"""Predicted sizes of pipelines against what Yosys makes of them."""

import pytest

from dorefa.golden import lower, random_network
from dorefa.golden.zoo import catalog
from dorefa.hw.pipeline.cells import predicted
from dorefa.hw.pipeline.plan import make_plan
from dorefa.synth.flow import yosys
from dorefa.synth.flow.units import make_pipeline_unit

# Bits of weights and activations, by the number of a network.
VECTORS = {"1": (6, 6), "2": (6, 6), "3": (6, 6), "4": (5, 7), "7": (8, 6)}


def network(name):
    """A zoo network of one-bit weights and two-bit activations, "residual N", a random one of
    these with trunks, "vectors N", one of vectors, or any random one by its number."""
    kind, _, number = str(name).partition(" ")
    if kind == "vectors":
        w_bits, a_bits = VECTORS[number]
        widths = {"w_bits": w_bits, "a_bits": a_bits, "wide_padding": False}
        return lower(random_network(int(number), max_size=1, max_channels=24, **widths))
    if number:
        widths = {"w_bits": 1, "a_bits": 2, "wide_padding": False}
        drawn = random_network(
            int(number), max_macs=30_000, max_size=10, max_channels=12, residual=True, **widths
        )
        return lower(drawn)
    if isinstance(name, str):
        return lower(catalog.load(name, net_w=1, net_a=2))
    return lower(
        random_network(
            name, max_macs=60_000, max_size=12, max_channels=24, wide_padding=False, allow_average=True
        )
    )


ZOO = [pytest.param("digits-small", pace, marks=pytest.mark.slow) for pace in (1, 4, 16)]


RANDOM = [
    (1, 1),
    (2, 1),
    (3, 4),
    (4, 30),
    (5, 2),
    *((f"vectors {number}", 1) for number in VECTORS),
    ("residual 9", 1),
    ("residual 14", 1),
    ("residual 38", 3),
]


@pytest.mark.parametrize("name, pace", [*RANDOM, *ZOO])
def test_cells_and_block_rams(name, pace, tmp_path):
    """Within a tenth."""
    plan = make_plan(network(name), absorbs=True, pace=pace, evaluations=20)
    unit = make_pipeline_unit(plan, "ecp5")
    text = tmp_path / "pipeline.v"
    text.write_text(unit.text)
    found = yosys.synthesize(text, top=unit.top, target="ecp5", components=False)["flat"]["design"]
    types = found["num_cells_by_type"]
    cells = types["LUT4"] + 2 * types["CCU2C"] + 6 * types.get("TRELLIS_DPR16X4", 0)
    size = predicted(plan)
    print(f"{name} at {pace}: {size.cells} cells, {size.rams} block RAMs predicted, {cells} made")
    assert size.rams == types.get("DP16KD", 0)
    assert abs(size.cells - cells) <= cells / 10
