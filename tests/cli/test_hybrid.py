"""`--architecture hybrid`: check, generate, simulate, synth, build, run, and what they refuse."""

import hashlib
import json
import os

import numpy as np
import pytest

from dorefa.golden import logits, lower, random_images, random_network
from dorefa.golden.network import npz
from dorefa.hw.hybrid.board import hybrid_board
from dorefa.hw.hybrid.plan import fit_hybrid, make_hybrid
from dorefa.sim.amaranth.serial_port import SimulatedPort
from dorefa.synth.boards.pipeline_report import pipeline_settings

from ..board_support import BAUD, DIVISOR, bitstream_of, on_a_terminal
from ..hw.hybrid.hybrids import expected

HYBRID = ("--architecture", "hybrid", "--effort", 0)
SMALL = ("--lanes", 16, "--rows", 4)


@pytest.fixture
def small():
    """A small float network."""
    return random_network(7, max_macs=20_000, max_size=7, max_channels=8, conv_layers=2, wide_padding=False)


@pytest.fixture
def model(small, tmp_path):
    """It in a file."""
    path = tmp_path / "small.npz"
    npz.save(small, path)
    return path


def test_check(model, dorefa):
    report = dorefa("check", model, *HYBRID, *SMALL, "--json", "-").report
    assert report["supported"] and not report["problems"] and report["architecture"] == "hybrid"
    first, *others = report["layers"]
    assert first["structure"] in ("constant", "planes", "rom")
    assert [layer["name"] for layer in report["layers"]] == ["conv0", "conv1", "fc"]
    assert {layer["structure"] for layer in others} == {"engine"}
    work = sum(layer["cycles"] for layer in others)
    assert work + report["load_cycles"] < report["interval_cycles"] < report["latency_cycles"]
    assert (report["config"]["lanes"], report["config"]["checks"]) == (16, "none")
    assert (report["device"], report["front_cells"], report["front_brams"]) == (None, None, None)


def test_check_for_a_device(model, dorefa):
    outcome = dorefa("check", model, *HYBRID, "--device", "LFE5U-25F-6", "--json", "-")
    report = outcome.report
    assert report["device"] == "LFE5U-25F-6" and report["front_cells"] > 0
    assert f"{report['front_cells']:,} cells and {report['front_brams']} block RAMs predicted" in outcome.err


def test_generate(model, dorefa, tmp_path):
    folder = tmp_path / "out"
    arguments = ("generate", "-o", folder, "--model", model, *HYBRID, *SMALL, "--json", "-")
    report = dorefa(*arguments).report
    verilog = (folder / "hybrid.v").read_bytes()
    description = json.loads((folder / "hybrid.json").read_text())
    assert report["files"] == [str(folder / name) for name in ("hybrid.v", "hybrid.json")]
    assert b"module dorefa_hybrid(" in verilog and description["module"] == "dorefa_hybrid"
    assert description["sha256"] == {"hybrid.v": hashlib.sha256(verilog).hexdigest()}
    assert description["interval_cycles"] == report["interval_cycles"]
    assert description["result_bits"] == 32
    assert dorefa(*arguments).status == 0
    assert (folder / "hybrid.v").read_bytes() == verilog


@pytest.mark.parametrize("simulator", ["auto", "amaranth"])
def test_simulate(model, simulator, dorefa, tmp_path):
    numbers = tmp_path / "numbers.npy"
    options = ("--simulator", simulator, "--limit", 3, "--output", numbers)
    outcome = dorefa("simulate", model, *HYBRID, *SMALL, *options, "--json", "-")
    report = outcome.report
    assert outcome.status == 0 and report["bit_exact"] and report["images"] == 3
    assert report["measured_latency_cycles"] == report["latency_cycles"]
    assert report["measured_interval_cycles"] == report["interval_cycles"]
    assert np.load(numbers).shape[0] == 3 and "bit-exact: yes" in outcome.err


@pytest.mark.slow
def test_simulate_digits_small(dorefa):
    """With its trained weights, on the engine that a board would have."""
    report = dorefa("simulate", "digits-small", "--architecture", "hybrid", "--json", "-").report
    assert report["bit_exact"] and report["images"] == 10
    assert report["measured_latency_cycles"] == report["latency_cycles"]
    assert report["measured_interval_cycles"] == report["interval_cycles"]


@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_synth(model, target, dorefa):
    report = dorefa("synth", "--model", model, *HYBRID, *SMALL, "--target", target, "--json", "-").report
    assert report["unit"] == "hybrid" and report["luts"] > 0 and report["interval_cycles"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("board", [pytest.param("ulx3s_25f", marks=pytest.mark.sample), "tang_nano_9k"])
def test_build(board, model, dorefa, tmp_path):
    folder = tmp_path / "board"
    outcome = dorefa("build", model, "--board", board, *HYBRID, *SMALL, "-o", folder, "--json", "-")
    assert outcome.status == 0, outcome.err
    report, written = outcome.report, sorted(os.listdir(folder))
    assert written[0] == "board.json" and f"{board}.v" in written
    assert report["architecture"] == "hybrid" and report["config"]["lanes"] == 16
    assert report["fps"] == pytest.approx(1e6 * report["fmax_mhz"] / report["interval_cycles"])
    settings = json.loads((folder / "board.json").read_text())
    assert settings["architecture"] == "hybrid"
    assert settings["latency_cycles"] == report["latency_cycles"]


@pytest.fixture
def programmed(small, tmp_path):
    """A network, its plan, and the command that runs two images on a board with it, without the port."""
    network = lower(small)
    plan = make_hybrid(network, fit_hybrid(network, lanes=16, rows=4), evaluations=0)
    made = bitstream_of(hybrid_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD))
    line = {"architecture": "hybrid", "board": "ulx3s_25f", "baud": 115200}
    (tmp_path / "board.json").write_text(pipeline_settings(made, plan, {}, **line))
    np.save(tmp_path / "x.npy", random_images(network, 2, 1))
    inputs = "--input", tmp_path / "x.npy", "--settings", tmp_path / "board.json", "--wait", 120
    return network, plan, ("run", *inputs)


def test_run(programmed, dorefa, tmp_path):
    """The whole command on a pseudo terminal, behind it the simulated board."""
    network, plan, command = programmed
    wanted = expected(network, np.load(tmp_path / "x.npy"))
    core = hybrid_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD)
    port = SimulatedPort(core, divisor=DIVISOR, timeout=plan.latency + 1000)
    with on_a_terminal(port) as device:
        outcome = dorefa(*command, "--port", device, "--logits", tmp_path / "logits.npy", "--json", "-")
    assert outcome.status == 0, outcome.err
    assert outcome.report["outputs"] == wanted.tolist() and outcome.report["cycles"] == plan.latency
    assert (np.load(tmp_path / "logits.npy") == logits(network, wanted)).all()


def test_a_network_of_an_engine_is_not_loaded(programmed, dorefa, tmp_path):
    error = dorefa(*programmed[2], "--port", "none", "--load", tmp_path).error
    assert error == (
        f"--load is {tmp_path}, and {tmp_path / 'board.json'} is of a hybrid, whose weights are its logic; "
        "accepted: --load for a board with an engine"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("check", "MODEL", "--interval", 5),
            "--interval is 5; accepted: only with --architecture pipeline, auto",
        ),
        (
            ("check", "MODEL", "--weights", "stream"),
            "weights is 'stream'; accepted in a hybrid: 'onchip', because",
        ),
        (("check", "MODEL", "--training"), "training is 1; accepted in a hybrid: 0, because its first layer"),
        (("check", "MODEL", "--port-bytes", 7), "port_bytes is 7; accepted in a hybrid: 1, "),
        (("check", "MODEL", "--cols", 40), "cols is 40; accepted: 1 to 16"),
        (("check", "MODEL", "--device", "LFE"), "device is 'LFE'; accepted for ecp5: "),
        (("simulate", "MODEL", "--netlist"), "--netlist is True; accepted: only with --architecture engine"),
        (
            ("simulate", "MODEL", "--simulator", "icarus"),
            "--simulator is icarus; accepted with a hybrid: verilator, amaranth, auto",
        ),
        (
            ("generate", "-o", "OUT"),
            "--architecture hybrid needs a network; accepted: --model MODEL beside it",
        ),
        (
            ("generate", "-o", "OUT", "--model", "MODEL", "--preload"),
            "--preload is True; accepted: only with",
        ),
        (("synth",), "--architecture hybrid needs a network; accepted: --model MODEL beside it"),
        (
            ("synth", "--model", "MODEL", "--unit", "dot"),
            "--unit is dot; accepted: only with --architecture engine",
        ),
        (
            ("build", "MODEL", "--board", "ulx3s_25f", "-o", "OUT", "--checks", "full"),
            "checks is 'full'; accepted in a hybrid: 'none', because there is no host to tell",
        ),
    ],
)
def test_refusals(arguments, message, model, dorefa, tmp_path):
    named = {"MODEL": model, "OUT": tmp_path / "out"}
    error = dorefa(*(named.get(argument, argument) for argument in arguments), *HYBRID[:2]).error
    assert message in error
    assert not (tmp_path / "out").exists()


def test_a_wrong_effort_says_nothing_of_the_network(model, dorefa):
    error = dorefa("check", model, "--effort", -1, *HYBRID[:2]).error
    assert error == "--effort is -1; accepted: 0 or more evaluations"
