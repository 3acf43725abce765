# amaranth: UnusedElaboratable=no
"""What synthesis makes of pipelines, in the cells of every family, with the vendor's models, and in gates."""

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.verilog import export
from dorefa.sim.pipeline.simulation import compared
from dorefa.sim.pipeline.verilator import simulate_streams
from dorefa.synth.flow.netlist import make_netlist
from dorefa.synth.flow.units import Unit, absorbs_leaves
from dorefa.synth.targets.catalog import find_target, names

from .test_streams import network_of

TARGETS = names(lambda target: target.netlist)


def netlist_of(top, target, folder):
    """Verilog of the netlist of what `dorefa synth` takes."""
    fabric = find_target(target).fabric_name if absorbs_leaves(target) else None
    text = export.export(top, name=export.MODULE, fabric=fabric)
    unit = Unit(name="pipeline", top=export.MODULE, text=text, size="", binary_ops_per_cycle=0)
    return make_netlist(unit, target, folder=folder).text


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("a_bits", "pace", "structures"),
    [
        pytest.param(4, 3, ["columns", "planes", "rom"], marks=pytest.mark.sample),
        (2, 1, ["constant"]),
    ],
)
def test_netlist(target, a_bits, pace, structures, tmp_path):
    """Every structure of a layer; at full speed to the cycle, and with waits."""
    network = network_of(19, size=5, conv_layers=2, w_bits=1, a_bits=a_bits)
    plan = make_plan(network, evaluations=20, absorbs=absorbs_leaves(target), pace=pace)
    found = {
        "columns" if stage.structure != "rom" and stage.options.columns else stage.structure
        for stage in plan.stages
    }
    assert found >= {*structures}
    top, images = PipelineTop(plan), random_images(network, 10, 1)
    text = netlist_of(top, target, tmp_path)
    prompt = simulate_streams(top, text, images, ports_only=True)
    slow = simulate_streams(top, text, images, gaps=20, stalls=20, seed=3, ports_only=True)
    for run in (prompt, slow):
        assert compared(plan, images, run).count == 0
    assert prompt.last_out[0] - prompt.began[0] == plan.latency
    assert set(np.diff(prompt.last_out)) == {max(plan.interval, int(np.prod(network.layers[-1].out_shape)))}
