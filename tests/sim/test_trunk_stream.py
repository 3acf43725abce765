"""Residual trunks that stream, on every simulator: bit-exact, in the predicted cycles, under stalls."""

import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.interface.streams import trunk_bytes
from dorefa.sim import simulate
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.job.job import Job, check_trunks

SIZES = {
    "one engine": {"rows": 4, "quant": 2, "lanes": 16},
    "two engines, weights stream too": {
        "rows": 2,
        "engines": 2,
        "quant": 1,
        "lanes": 16,
        "weights": "stream",
        "weight_depth": 64,
    },
    "short queues": {"rows": 8, "quant": 1, "lanes": 24, "trunk_depth": 8},
}


@pytest.fixture(scope="module")
def network():
    return lower(
        random_network(1, w_bits=1, a_bits=2, residual=True, max_macs=20_000, max_size=6, max_channels=8)
    )


def cases():
    """Pairs of sizes and a simulator: all of Verilator and all of one engine, the others a sample."""
    for simulator in ("verilator", "icarus", "amaranth"):
        for sizes in SIZES:
            marks = [pytest.mark.icarus] if simulator == "icarus" else []
            if simulator != "verilator" and sizes != "one engine":
                marks += [pytest.mark.slow, pytest.mark.sample]
            yield pytest.param(sizes, simulator, marks=marks)


@pytest.mark.parametrize(("sizes", "simulator"), list(cases()))
def test_every_simulator(network, sizes, simulator):
    config = fit(network, trunks="stream", **SIZES[sizes])
    compiled = compile_network(network, config)
    assert len(compiled.schedule.trunk_plan[1]) > 1
    images = random_images(network, 2, 7)
    for options in ({}, {"stalls": 40, "latency": 30, "seed": 5}):
        report = simulate(network, config=config, images=images, simulator=simulator, **options)
        assert report.bit_exact, f"{report.mismatch_count} differ, first: {report.mismatches[0]}"
        assert {"block1_shortcut", "block1_b.trunk", "block3_shortcut"} < set(report.compared)
        if not options and simulator != "icarus":  # cocotb's models leave a cycle between packets
            assert [layer.cycles for layer in report.layers] == [layer.cycles for layer in compiled.layers]


def test_packets_of_another_length_are_said(network):
    config = fit(network, trunks="stream", **SIZES["one engine"])
    job = Job(compiled=compile_network(network, config), images=random_images(network, 1, 7))
    sizes, size = job.trunk_packets[0], trunk_bytes(config)
    right = [bytes(beats * size) for beats in sizes]
    check_trunks(job, right)
    for wrong in (right[:-1], [*right[:-1], right[-1][:-size]], [*right, bytes(size)]):
        found = [len(packet) // size for packet in wrong]
        with pytest.raises(SimulationError) as caught:
            check_trunks(job, wrong)
        assert str(caught.value) == f"packets of m_axis_trunks have {found} beats; expected are {sizes}"
