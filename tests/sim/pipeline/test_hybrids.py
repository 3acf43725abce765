# amaranth: UnusedElaboratable=no
"""The Verilog of hybrids, compiled: bit-exact, to the cycle, with waits on both sides, and as a netlist."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.hw.hybrid.hybrid import Hybrid
from dorefa.hw.hybrid.plan import fit_hybrid, make_hybrid
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.verilog import export
from dorefa.sim.pipeline.verilator import simulate_streams
from dorefa.sim.verilator.lint import lint
from dorefa.synth.flow.netlist import make_netlist
from dorefa.synth.flow.units import Unit

# Nobody asks the engine how it is, changes its program, or restarts what is behind the stage.
_UNUSED = r"UNUSEDSIGNAL.*'(host__r_data|busy|cycles|wrong_packet|o__restart|port_\d+_\d)'"


def plan_of(network, *, absorbs=False, **sizes):
    """A plan with a short search."""
    config = fit_hybrid(network, lanes=16, rows=4, **sizes)
    return make_hybrid(network, config, absorbs=absorbs, evaluations=5)


def text_of(top):
    """The Verilog as it is simulated."""
    return export.export(top, name=export.MODULE, preloaded=top.preloaded)


def check(plan, images, verilog=text_of, **waits):
    """Simulates; returns the run."""
    top, network = PipelineTop(plan, make_core=Hybrid), plan.network
    found = simulate_streams(top, verilog(top), images, ports_only=True, **waits)
    expected = run_integer(network, images)[network.layers[-1].name]
    assert (found.results.reshape(expected.shape) == expected).all()
    assert not found.marked.any()
    return found


@pytest.mark.parametrize("number", range(3))
def test_random_networks(number, seed):
    number += 700 + 1000 * seed
    drawn = random_network(number, max_macs=30_000, max_size=8, max_channels=13, wide_padding=False)
    plan = plan_of(lower(drawn))
    images = random_images(plan.network, 30, number)
    check(plan, images, gaps=40, stalls=30, seed=number)
    found = check(plan, images, seed=number)
    assert found.last_out[0] - found.began[0] == plan.latency
    assert set(np.diff(found.last_out)) == {plan.interval}


def test_weights_that_are_all_zeros():
    """What a memory of zeros holds is said, too: nothing else writes it."""
    network = lower(random_network(703, max_macs=20_000, max_size=5, wide_padding=False, conv_layers=1))
    *layers, last = network.layers
    least = -last.codes[0].size * ((1 << last.w_bits) - 1) * last.levels
    bounds = {"acc_min": least, "acc_max": 0, "value_min": least, "value_max": 0}
    zeros = replace(last, codes=np.zeros_like(last.codes), **bounds)
    plan = plan_of(replace(network, layers=(*layers, zeros)))
    check(plan, random_images(plan.network, 2, 1))


def test_the_text_is_clean():
    network = lower(random_network(701, max_macs=30_000, max_size=8, max_channels=13, wide_padding=False))
    found = lint(text_of(PipelineTop(plan_of(network), make_core=Hybrid)))
    assert [line for line in found if not re.search(_UNUSED, line)] == []


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_netlist(target, tmp_path):
    """In the cells of a family, with the vendor's models: weights are what block RAMs begin with."""
    network = lower(random_network(702, max_macs=30_000, max_size=5, max_channels=13, wide_padding=False))
    plan = plan_of(network, absorbs=target == "ecp5", structure="mapped", pipeline="level2")

    def netlist(top):
        text = export.export(top, name=export.MODULE, preloaded=top.preloaded, fabric=target)
        unit = Unit(name="hybrid", top=export.MODULE, text=text, size="", binary_ops_per_cycle=0)
        return make_netlist(unit, target, folder=tmp_path).text

    check(plan, random_images(network, 4, 2), netlist, gaps=20, stalls=20)
