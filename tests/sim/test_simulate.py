"""dorefa.sim.simulation: bit-exact on every back end; bugs planted in the Verilog are found."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.run.integer import run_integer
from dorefa.golden.zoo import catalog
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.verilog.export import MODULE
from dorefa.sim import simulate
from dorefa.sim.cocotb import runner
from dorefa.sim.job import design
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.job.job import Job
from dorefa.sim.verilator import build as model
from dorefa.sim.verilator import run as verilator


def run(small, simulator, **options):
    options = {"images": small.images, "verilog_text": small.verilog} | options
    return simulate(small.network, config=small.config, simulator=simulator, **options)


def planted(verilog, old, new):
    assert verilog.count(old) == 1, f"{verilog.count(old)} places read {old!r}"
    return verilog.replace(old, new)


@pytest.fixture(scope="module")
def with_bug(small):
    """The Verilog with the top bit of every dot unit's count cut off."""
    width = small.config.lanes.bit_length()
    return planted(small.verilog, "count <= o;", f"count <= {{ 1'h0, o[{width - 2}:0] }};")


def test_verilator_is_bit_exact_and_takes_the_predicted_cycles(small):
    seen = []
    report = run(small, "verilator", progress=lambda done, total: seen.append((done, total)))
    assert report.bit_exact, report.mismatches[:1]
    assert (report.images, report.simulator, report.why) == (3, "verilator", "asked for")
    assert [layer.cycles for layer in report.layers] == [layer.cycles for layer in small.compiled.layers]
    assert report.cycles == sum(layer.cycles for layer in report.layers)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    last = small.network.layers[-1].name
    assert (report.outputs == run_integer(small.network, small.images)[last]).all()


def test_report_has_the_fields_of_the_contract(small):
    labels = np.zeros(3, np.int64)
    report = run(small, "verilator", labels=labels, limit=2).as_dict()
    assert report["images"] == 2
    assert set(report) >= {
        "bit_exact",
        "images",
        "simulator",
        "cycles",
        "config",
        "layers",
        "load_cycles",
        "unload_cycles",
        "mismatch_count",
        "mismatches",
        "accuracy",
    }
    assert 0 <= report["accuracy"] <= 1
    config = small.config
    for layer in report["layers"]:
        assert layer["utilization"] == layer["binary_ops"] / (
            layer["cycles"] * config.lanes * config.rows * config.cols
        )


@pytest.mark.parametrize("stalls", [0, 40])
def test_verilator_through_the_port_with_stalls(small, seed, stalls):
    report = run(small, "verilator", stalls=stalls, through_port=True, seed=seed)
    assert report.bit_exact, report.mismatches[:1]
    assert report.network_load_cycles >= sum(1 for _ in small.compiled.host_writes())


def test_verilator_names_the_first_wrong_element(small, with_bug):
    report = run(small, "verilator", verilog_text=with_bug)
    assert not report.bit_exact
    assert report.mismatch_count >= len(report.mismatches) > 0
    first = report.mismatches[0]
    assert (first.layer, first.image) == (small.network.layers[0].name, 0)
    expected = run_integer(small.network, small.images)[first.layer]
    assert first.expected == expected[0, first.y, first.x, first.channel] != first.got


def test_packet_of_wrong_length_is_noticed(small):
    dead = planted(small.verilog, "assign m_axis_tlast = ", "assign m_axis_tlast = 1'h0 & ")
    with pytest.raises(SimulationError, match="m_axis_tlast after .* results; expected after"):
        run(small, "verilator", verilog_text=dead)


@pytest.mark.parametrize("simulator", ["verilator", "amaranth"])
@pytest.mark.parametrize("kind", ["small", "streaming"])
def test_interval_and_latency_are_those_predicted(kind, simulator, request):
    """Loading, and what the sequencer does between two images, included."""
    case = request.getfixturevalue(kind)
    report = run(case, simulator, limit=3)
    assert report.measured_interval_cycles == report.interval_cycles == case.compiled.interval
    assert report.measured_latency_cycles == report.latency_cycles == case.compiled.latency
    assert report.latency_cycles > report.cycles + case.images[0].size / case.config.port_bytes
    single = run(case, simulator, limit=1)
    assert single.measured_interval_cycles is None and single.interval_cycles == report.interval_cycles
    slow = run(case, simulator, limit=2, stalls=40)
    assert slow.measured_interval_cycles > slow.interval_cycles == report.interval_cycles
    assert slow.measured_latency_cycles > slow.latency_cycles == report.latency_cycles


def test_amaranth_is_bit_exact_with_stalls(small, seed):
    report = run(small, "amaranth", limit=2, stalls=30, seed=seed)
    assert report.bit_exact, report.mismatches[:1]
    assert (report.images, report.network_load_cycles) == (2, 0)
    assert report.layers[0].cycles == small.compiled.layers[0].cycles


def test_preloaded_verilog_needs_no_loading(small):
    text = engine_files(small.config, small.compiled)["engine.v"]
    traces, _ = verilator.run(Job(compiled=small.compiled, images=small.images, preloaded=True), text)
    last = small.network.layers[-1].name
    expected = run_integer(small.network, small.images)[last]
    assert (np.stack([trace.results for trace in traces]) == expected).all()


@pytest.mark.icarus
def test_icarus_is_bit_exact_with_stalls(small, seed):
    report = run(small, "icarus", limit=2, stalls=30, seed=seed)
    assert report.bit_exact, report.mismatches[:1]
    assert report.network_load_cycles > 0


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.icarus
def test_icarus_has_time_to_load_through_a_port_that_stalls(seed):
    """The watchdog once allowed for the few writes of a network that is not loaded through the port."""
    network = lower(catalog.load("digits"))
    images = np.zeros((1, *network.input_shape), np.uint8)
    report = simulate(network, config=fit(network), images=images, simulator="icarus", stalls=20, seed=seed)
    assert report.bit_exact and report.network_load_cycles > 10_200


@pytest.mark.parametrize("stalls", [0, 40])
def test_streamed_weights_wait_for_their_memory(streaming, seed, stalls):
    prompt, slow = (
        run(streaming, "verilator", latency=latency, stalls=stalls, seed=seed) for latency in (0, 300)
    )
    assert prompt.bit_exact and slow.bit_exact, slow.mismatches[:1]
    if not stalls:
        assert prompt.cycles == streaming.compiled.cycles
    # The third packet and those behind it are asked for while the image runs, one after another.
    assert prompt.cycles < 300 * (len(streaming.compiled.schedule.passes) - 2) <= slow.cycles


def test_amaranth_waits_for_the_memory_of_weights(streaming, seed):
    report = run(streaming, "amaranth", limit=1, latency=300, seed=seed)
    assert report.bit_exact, report.mismatches[:1]
    assert report.cycles > streaming.compiled.cycles


@pytest.mark.icarus
@pytest.mark.parametrize("latency", [0, 300])
def test_icarus_streams_weights_with_stalls_and_latency(streaming, seed, latency):
    report = run(streaming, "icarus", limit=1, stalls=30, latency=latency, seed=seed)
    assert report.bit_exact, report.mismatches[:1]
    assert report.cycles > streaming.compiled.cycles


@pytest.mark.icarus
def test_icarus_names_the_first_wrong_element(small, with_bug):
    report = run(small, "icarus", limit=1, verilog_text=with_bug)
    assert report.mismatches[0].layer == small.network.layers[0].name


@pytest.fixture(scope="module")
def deaf(small):
    """The Verilog of an engine that never takes an image."""
    text = planted(small.verilog, ".i__ready(s_axis_tready)", ".i__ready()")
    mark = "  assign m_axis_tkeep"
    return planted(text, mark, "  assign s_axis_tready = 1'h0;\n" + mark)


def test_watchdog_of_the_compiled_model(small, deaf):
    with pytest.raises(SimulationError, match="image 0: no result after .* before its first layer"):
        run(small, "verilator", verilog_text=deaf)


def test_several_processes_share_the_images(small, seed, monkeypatch):
    built = model.build(small.verilog, design.find_memories(small.verilog, MODULE), cycles=1)
    # An optimized model would only take longer to compile.
    monkeypatch.setattr(model, "build", lambda *_, **__: built)
    monkeypatch.setattr(model, "is_long", lambda cycles: True)
    monkeypatch.setattr(verilator.os, "cpu_count", lambda: 2)
    seen = []
    report = run(
        small,
        "verilator",
        stalls=20,
        seed=seed,
        through_port=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.bit_exact, report.mismatches[:1]
    assert (report.images, seen) == (3, [(1, 3), (2, 3), (3, 3)])
    dead = planted(small.verilog, "assign m_axis_tlast = ", "assign m_axis_tlast = 1'h0 & ")
    monkeypatch.undo()
    monkeypatch.setattr(verilator, "_parts", lambda job, most: [(job, 7)])
    with pytest.raises(SimulationError, match="image 7: m_axis_tlast after"):
        run(small, "verilator", verilog_text=dead)


def test_wall_clock_watchdog_kills_the_model(small, tmp_path, monkeypatch):
    monkeypatch.setattr(verilator, "_GRACE", 0.1)
    monkeypatch.setattr(verilator, "_SLOWEST", 1e9)
    job = Job(compiled=small.compiled, images=small.images)
    with pytest.raises(SimulationError, match="compiled model: killed after 0 s"):
        verilator._execute(["sleep", "60"], tmp_path, job)


@pytest.mark.icarus
def test_watchdog_of_cocotb(small, deaf):
    with pytest.raises(SimulationError, match="image 0: no result after .* before its first layer"):
        run(small, "icarus", verilog_text=deaf)


@pytest.mark.slow
@pytest.mark.sample
def test_cocotb_runs_on_verilator_too(small, seed):
    job = Job(compiled=small.compiled, images=small.images[:1], stalls=20, seed=seed)
    (trace,), load_cycles = runner.run(job, small.verilog, simulator="verilator")
    expected = run_integer(small.network, small.images[:1])
    got = trace.values | {small.network.layers[-1].name: trace.results}
    for name, values in expected.items():
        assert (got[name] == values[0]).all(), name
    assert load_cycles > 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"stalls": 95}, "stalls is 95; accepted: an integer, 0 to 90 percent"),
        ({"latency": -1}, "latency is -1; accepted: an integer, 0 to 100000 cycles"),
        ({"limit": 0}, "limit is 0; accepted: an integer of at least 1"),
        ({"labels": np.zeros(2, np.int64)}, r"labels has shape \(2,\) and dtype int64; accepted"),
        ({"labels": np.zeros(3)}, "dtype float64; accepted: one integer for each of 3 images"),
        ({"images": np.zeros((1, 2, 2, 1), np.uint8)}, "images has shape"),
    ],
)
def test_bad_input_is_refused(small, options, message):
    with pytest.raises(InputError, match=message):
        run(small, "amaranth", **options)
