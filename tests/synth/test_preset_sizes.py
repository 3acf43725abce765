"""Expected size of every component of whole engines for the pinned Yosys.

A change of these numbers is a change of what users get: edit them with the reason in the commit. What a
test finds is printed in the form in which it is expected here.
"""

import pytest

from dorefa.hw.config import preset
from dorefa.synth import report, yosys
from dorefa.synth.units import make_unit

# {(preset, target): {component: (LUTs, flip-flops, block RAMs) of all its instances}}
EXPECTED = {}

QUICK = {("tiny", "ecp5"), ("tiny", "ice40"), ("lean", "ecp5")}


def found(name, target, folder):
    """Components of the engine without AXI, as `dorefa synth --unit core` counts them."""
    unit = make_unit("core", preset(name), target)
    statistics = yosys.synthesize(unit.write(folder), top=unit.top, target=target)
    lines = report.components(statistics["hierarchical"], unit.top, target)
    return {line["name"]: (line["luts"], line["ffs"], line["brams"]) for line in lines}


@pytest.mark.parametrize(
    "name, target",
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow) for case in EXPECTED],
)
def test_components(name, target, tmp_path):
    sizes = found(name, target, tmp_path)
    print(f"    ({name!r}, {target!r}): {{")
    for component, size in sizes.items():
        print(f"        {component!r}: {size},")
    print("    },")
    assert sizes == EXPECTED[name, target]
