# amaranth: UnusedElaboratable=no
"""The Verilog of pipelines, compiled: bit-exact, to the cycle, with waits on both sides, and as a netlist."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.verilog import export
from dorefa.sim.pipeline.verilator import simulate_streams
from dorefa.sim.verilator.lint import lint
from dorefa.synth.flow.netlist import make_netlist
from dorefa.synth.flow.units import Unit


def network_of(seed, size=8, **options):
    """A random network that a pipeline runs."""
    drawn = random_network(
        seed,
        max_macs=30_000,
        max_size=size,
        max_channels=13,
        encodings=list(Encoding),
        allow_average=True,
        wide_padding=False,
        **({"allow_pool_padding": True} | options),
    )
    return lower(drawn)


def check(network, plan, images, verilog, **waits):
    """Simulates; returns the run."""
    top = PipelineTop(plan)
    found = simulate_streams(top, verilog(top), images, **waits)
    expected = run_integer(network, images)[network.layers[-1].name]
    assert (found.results.reshape(expected.shape) == expected).all()
    assert not found.marked.any()
    return found


def text_of(top):
    """The Verilog as it is simulated."""
    return export.export(top, name=export.MODULE)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("number", range(6))
def test_random_networks(number, residual, seed):
    number += 500 + 1000 * seed
    rng = np.random.default_rng(number)
    options = (
        {"residual": True, "conv_layers": 2 + number % 3, "allow_pool_padding": False} if residual else {}
    )
    network = network_of(number, **options)
    plan = make_plan(
        network, evaluations=20, absorbs=bool(number % 2), pace=int(rng.choice([1, 1, 3])), seed=number
    )
    images = random_images(network, 40, number)
    check(network, plan, images, text_of, gaps=40, stalls=30, seed=number)
    found = check(network, plan, images, text_of, seed=number)
    assert found.last_out[0] - found.began[0] == plan.latency
    # The last image but one is pushed out by blank slots or by the last one, which is as fast.
    assert set(np.diff(found.last_out)) <= {plan.interval}


def test_the_text_is_clean():
    top = PipelineTop(make_plan(network_of(501), evaluations=0))
    assert lint(text_of(top)) == []


def test_the_same_text_every_time():
    texts = {text_of(PipelineTop(make_plan(network_of(502), evaluations=20, seed=4))) for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ecp5", "ice40"])
@pytest.mark.parametrize("pace", [1, 100])
def test_netlist(target, pace, tmp_path):
    """In the cells of a family, with the vendor's models; slow enough also with arrays."""
    network = network_of(503, size=5)
    plan = make_plan(network, evaluations=20, absorbs=target == "ecp5", pace=pace)
    assert any(stage.structure == "rom" for stage in plan.stages) == (pace > 1)

    def netlist(top):
        text = export.export(top, name=export.MODULE, fabric=target)
        unit = Unit(name="pipeline", top=export.MODULE, text=text, size="", binary_ops_per_cycle=0)
        return make_netlist(unit, target, folder=tmp_path).text

    check(network, plan, random_images(network, 10, 1), netlist, gaps=20)


@pytest.mark.slow
def test_digits():
    """A million cycles of real images from a camera that waits at times."""
    network = lower(catalog.load("digits-small", net_w=1, net_a=2))
    plan = make_plan(network, absorbs=True)
    images, labels = digits_sample()
    found = check(network, plan, images, text_of, gaps=25)
    assert found.last_out[-1] > 1_000_000
    scores = found.results.reshape(len(images), -1)
    assert (scores.argmax(axis=1) == labels).mean() > 0.97
