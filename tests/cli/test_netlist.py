"""`dorefa simulate --netlist`: synthesized engines in the vendor's cells pass the vectors of the RTL."""

import re

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.network import npz
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate
from dorefa.sim.job.errors import SimulationError
from dorefa.synth.flow import netlist, yosys
from dorefa.synth.flow.units import make_unit
from dorefa.synth.targets.catalog import names

# The families but the first take longer; all run the same test, of engines two are in the sample.
LATER = (pytest.mark.slow, pytest.mark.sample)
TARGETS = [
    target if target == "ice40" else pytest.param(target, marks=LATER)
    for target in names(lambda target: target.netlist)
]
VARIANTS = [
    ("ice40", {"structure": "mapped", "pipeline": "level"}),
    ("ecp5", {"structure": "mapped", "pipeline": "level"}),
    ("xilinx", {"structure": "mapped", "pipeline": "level"}),
    ("ecp5", {"quantizer": "affine"}),
    ("gowin", {"quantizer": "affine"}),
    pytest.param("ice40", {"weights": "stream", "port_bytes": 2}, marks=pytest.mark.sample),
    ("gatemate", {"engines": 2, "cols": 2}),
    pytest.param("ecp5", {"cols": 3, "column_reads": "shared"}, marks=pytest.mark.sample),
    ("ice40", {"cols": 2, "column_reads": "shared"}),
    ("ecp5", {"results": "wide", "rows": 4, "quant": 2}),
]


@pytest.fixture(scope="module")
def network():
    # One fixed seed: the compiled model is worth keeping in the cache between runs.
    return random_network(5, w_bits=2, a_bits=3, conv_layers=2, max_macs=20_000, max_size=8)


@pytest.fixture(scope="module")
def netlist_of(network, tmp_path_factory):
    """Function (target, engine parameters): (configuration, netlist), synthesized once."""
    made = {}

    def make(target, **parameters):
        key = target, *sorted(parameters.items())
        if key not in made:
            config = fit(lower(network), **({"lanes": 8, "rows": 2} | parameters))
            unit = make_unit("engine", config, target)
            folder = tmp_path_factory.mktemp(target)
            made[key] = config, netlist.make_netlist(unit, target, folder=folder)
        return made[key]

    return make


def run(network, config, text, **options):
    images = random_images(lower(network), 3, 5)
    return simulate(network, images=images, config=config, verilog_text=text, ports_only=True, **options)


def check(network, config, text, seed):
    """The netlist equals golden and the RTL, in results and cycles, with and without stalls."""
    rtl = simulate(network, images=random_images(lower(network), 3, 5), config=config)
    prompt = run(network, config, text)
    slow = run(network, config, text, stalls=30, seed=seed)
    for report in (prompt, slow):
        assert report.bit_exact, report.mismatches[:1]
        np.testing.assert_array_equal(report.outputs, rtl.outputs)
    assert rtl.bit_exact and prompt.cycles == rtl.cycles
    assert slow.network_load_cycles > prompt.network_load_cycles > 0


@pytest.mark.parametrize("target", TARGETS)
def test_netlist_passes_the_vectors_of_the_rtl(network, netlist_of, target, seed):
    config, made = netlist_of(target)
    check(network, config, made.text, seed)


@pytest.mark.slow
def test_netlist_with_streamed_trunks(tmp_path, seed):
    network = random_network(
        1, w_bits=1, a_bits=2, residual=True, max_macs=20_000, max_size=6, max_channels=8
    )
    config = fit(lower(network), lanes=16, rows=4, quant=2, trunks="stream")
    made = netlist.make_netlist(make_unit("engine", config, "ecp5"), "ecp5", folder=tmp_path)
    check(network, config, made.text, seed)


@pytest.mark.slow
@pytest.mark.parametrize("target, parameters", VARIANTS)
def test_netlists_of_other_engines(network, netlist_of, target, parameters, seed):
    config, made = netlist_of(target, **parameters)
    check(network, config, made.text, seed)


def flip_lut(text):
    """The netlist with the table of one LUT of the first dot unit's count inverted."""
    for found in re.finditer(r"^  \w*LUT\w* #\(\n(?:.*\n)*?  \);\n", text, re.MULTILINE):
        if not re.search(r"array\.dot_0_0\.(count|popcount)", found[0]):
            continue
        width, base, table = re.search(r"INIT\((\d+)'([dh])(\w+)\)", found[0]).groups()
        other = (1 << int(width)) - 1 ^ int(table, 16 if base == "h" else 10)
        flipped = found[0].replace(f"INIT({width}'{base}{table})", f"INIT({width}'h{other:x})")
        return text[: found.start()] + flipped + text[found.end() :]
    raise AssertionError("no LUT of the dot unit was found")


# Gates have no tables.
@pytest.mark.parametrize(
    "target", [TARGETS[0], *(pytest.param(one.values[0], marks=pytest.mark.slow) for one in TARGETS[1:-1])]
)
def test_one_wrong_lut_is_found(network, netlist_of, target):
    config, made = netlist_of(target)
    report = run(network, config, flip_lut(made.text))
    assert not report.bit_exact
    assert report.mismatch_count >= len(report.mismatches) > 0
    assert {mismatch.layer for mismatch in report.mismatches} == {network.layers[-1].name}


def test_netlist_that_takes_no_image_is_stopped(network, netlist_of):
    config, made = netlist_of("ice40")
    assert made.text.count(".O(s_axis_tready)") == 1
    text = made.text.replace(".O(s_axis_tready)", ".O()")
    text = text.replace("endmodule", "assign s_axis_tready = 1'h0;\nendmodule", 1)
    with pytest.raises(SimulationError, match="image 0: no result after .* stopped in the netlist"):
        run(network, config, text)


@pytest.mark.parametrize("simulator", ["amaranth", "icarus"])
def test_only_verilator_runs_netlists(network, netlist_of, simulator):
    config = fit(lower(network))
    with pytest.raises(InputError, match=f"simulator is {simulator}; accepted for a netlist: verilator"):
        run(network, config, "", simulator=simulator)


@pytest.fixture
def model(network, tmp_path):
    path = tmp_path / "network.npz"
    npz.save(network, path)
    return path


def test_command_reports_what_it_compared(dorefa, model, network):
    outcome = dorefa(
        "simulate",
        model,
        "--netlist",
        "--target",
        "ice40",
        "--lanes",
        8,
        "--rows",
        2,
        "--limit",
        2,
        "--json",
        "-",
    )
    assert outcome.status == 0
    report = outcome.report
    assert report["bit_exact"] is True and report["images"] == 2 and report["simulator"] == "verilator"
    assert report["compared"] == [network.layers[-1].name]
    assert report["layers"] == [] and report["load_cycles"] is None and report["cycles"] > 0
    assert report["netlist"]["target"] == "ice40" and report["netlist"]["memories"] == "block RAM"
    assert report["netlist"]["cells"]["SB_RAM40_4K"] > 0
    assert "no layer inside the netlist" in outcome.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "ice40"), "--target is ice40; accepted: only with --netlist"),
        (("--netlist", "--simulator", "amaranth"), "--simulator is amaranth; accepted with --netlist: veril"),
        (("--netlist", "--weight-depth", 1, "--lanes", 8, "--rows", 1), "weight memory: the network needs"),
    ],
)
def test_refusals_come_before_synthesis(dorefa, model, options, message, monkeypatch):
    monkeypatch.setattr(netlist, "make_netlist", None)
    assert message in dorefa("simulate", model, *options).error


def test_command_without_yosys(dorefa, model, monkeypatch):
    monkeypatch.setattr(yosys, "version", lambda: None)
    assert "Yosys is missing; accepted: pip install" in dorefa("simulate", model, "--netlist").error


def test_unknown_target_is_wrong_usage(dorefa, model):
    outcome = dorefa("simulate", model, "--netlist", "--target", "nexus")
    assert outcome.status == 2 and "nexus" in outcome.err
