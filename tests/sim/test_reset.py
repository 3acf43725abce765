"""A reset in the middle of an image: everything after it is as after the first one."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.sim import simulate
from dorefa.sim.job.errors import SimulationError

TIMES = 12


def run(case, **options):
    options = {"verilog_text": case.verilog, "images": case.images, "simulator": "verilator"} | options
    return simulate(case.network, config=case.config, **options)


@pytest.mark.parametrize("stalls", [0, 40])
@pytest.mark.parametrize("weights", ["small", "streaming"])
def test_reset_at_any_time(weights, stalls, request, rng):
    case = request.getfixturevalue(weights)
    plain = run(case, stalls=stalls)
    whole = case.images[0].size // case.config.port_bytes + case.compiled.cycles
    for cycles in [1, *rng.integers(2, whole, TIMES).tolist(), 4 * whole]:
        report = run(case, stalls=stalls, reset_after=cycles)
        assert report.bit_exact, (cycles, report.mismatches[:1])
        if not stalls:
            assert [layer.cycles for layer in report.layers] == [layer.cycles for layer in plain.layers]


def test_a_reset_that_does_not_reach_the_engine_is_found(small):
    """The first one does, so that nothing else shows it."""
    old = "dorefa_engine_core core (\n"
    assert small.verilog.count(old) == 1
    ignored = "reg dirty = 1'h0;\n  always @(posedge clk) if (!rst) dirty <= 1'h1;\n  " + old
    head, _, tail = small.verilog.partition(old)
    assert tail.count(".rst(rst)") > 1
    bug = head + ignored + tail.replace(".rst(rst)", ".rst(rst & ~dirty)", 1)
    assert run(small, verilog_text=bug).bit_exact
    # The image still runs, so that what the host writes is refused.
    with pytest.raises(SimulationError, match="^compiled model: write 0 was answered with an error$"):
        run(small, verilog_text=bug, reset_after=small.compiled.cycles // 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset_after": -1}, "reset_after is -1; accepted: an integer, 0 to 100000000 cycles"),
        (
            {"reset_after": 5, "simulator": "icarus"},
            "simulator is icarus; accepted for a reset: verilator, auto",
        ),
    ],
)
def test_refusals(small, options, message):
    with pytest.raises(InputError, match=message):
        run(small, **options)
