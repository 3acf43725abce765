"""Training steps on the engine, from the command line: `check`, `generate`, `synth` and `train`."""

import json

import pytest

SMALL = ("--lanes", 16, "--rows", 4, "--quant", 2)


def test_check_says_what_a_step_costs(dorefa):
    outcome = dorefa("check", "digits", "--training", "--net-g", 4, "--batch", 8, "--json", "-")
    report = outcome.report
    assert outcome.status == 0 and report["supported"] and report["problems"] == []
    assert (report["batch"], report["net_g"], report["config"]["training"]) == (8, 4, 1)
    layers = report["layers"]
    assert report["cycles_estimate"] == sum(layer["cycles"] for layer in layers)
    kinds = {
        layer["kind"]: [own["layer"] for own in layers if own["kind"] == layer["kind"]] for layer in layers
    }
    every = ["conv0", "conv1", "conv2", "conv3", "conv4", "fc1"]
    quantizers = {"quantize_weights": every, "quantize_gradients": every}
    assert kinds == {"forward": every, "weight": every, "input": every[1:]} | quantizers
    forms = {layer["layer"]: layer["form"] for layer in layers if layer["kind"] == "weight"}
    assert forms["conv1"] == "P" and forms["fc1"] == "B"
    assert all(0 < layer["utilization"] <= 1 for layer in layers if layer["binary_ops"])
    bound = {layer["bound_by"] for layer in layers if layer["binary_ops"]}
    assert bound <= {"array", "window reader", "drain", "transfer"} and "array" in bound
    assert report["memory_bits"] == sum(report["memories"].values())
    assert min(report["port_bytes_in"], report["port_bytes_out"]) > 0


def test_a_wider_gradient_costs_more(dorefa):
    def cycles(bits):
        options = ("--training", "--net-g", bits, "--batch", 2, "--json", "-")
        return dorefa("check", "digits-small", *options).report["cycles_estimate"]

    assert cycles(2) < cycles(6) < cycles(8)


@pytest.mark.parametrize(
    "options, message",
    [
        (("digits", "--net-g", 4), "--net-g is 4 without --training; accepted: both, or neither"),
        (
            ("digits.npz", "--training"),
            "digits.npz takes no steps on this engine: digits.npz holds a trained ",
        ),
        (("lenet", "--training"), "lenet takes no steps on this engine: network 'lenet' is not in the zoo"),
        (
            ("digits", "--training", "--net-g", 9),
            "digits takes no steps on this engine: train: layer conv0: gradients have 9 bits; accepted by the"
            " backend engine: 1 to 8",
        ),
        (
            ("digits", "--training", "--batch", 0),
            "digits takes no steps on this engine: train: batch is 0; acc",
        ),
        (
            ("digits", "--training", "--cols", 2),
            "digits takes no steps on this engine: cols is 2 with training",
        ),
        (
            ("digits", "--training", "--weight-depth", 2),
            "digits takes no steps on this engine: job conv0 weight P 0: one tile of ",
        ),
    ],
)
def test_what_takes_no_steps_is_refused(dorefa, options, message):
    outcome = dorefa("check", *options)
    assert outcome.status == 1 and outcome.error.startswith(message)


def test_generate_makes_an_engine_that_trains(dorefa, tmp_path):
    options = ("--training", "--model", "digits-small", "--net-g", 6, "--batch", 4)
    assert dorefa("generate", "-o", tmp_path, *options, *SMALL).status == 0
    manifest = json.loads((tmp_path / "engine.json").read_text())
    assert manifest["config"]["training"] == 1 and manifest["config"]["results"] == "wide"
    assert {"noise_seed_3", "measured"} <= {register["name"] for register in manifest["register_map"]}
    assert dorefa("generate", "-o", tmp_path / "n", "--training").status == 0
    error = dorefa("generate", "-o", tmp_path / "m", *options, "--preload").error
    assert error == "--preload is for engines that infer; accepted: without --training"


def test_engine_options_are_for_the_engine(dorefa, few_digits):
    error = dorefa("train", "digits", "--data", few_digits, "--lanes", 64).error
    assert error == "lanes is 64 with --backend golden; accepted: with --backend engine"


@pytest.mark.slow
@pytest.mark.sample
def test_steps_on_the_engine_are_the_golden_ones(dorefa, few_digits):
    options = ("digits-small", "--data", few_digits, "--batch", 48, "--epochs", 1, "--json", "-")
    golden = dorefa("train", *options).report
    outcome = dorefa("train", *options, "--backend", "engine", "--trace", "--port-bytes", 8)
    engine = outcome.report
    # Two batches are full, the third has 32 images.
    assert outcome.status == 0 and len(engine["losses"]) == 3
    for name in ("losses", "parameters_sha256", "history"):
        assert engine[name] == golden[name]
    assert engine["mismatch_count"] == 0 and engine["sums_compared"] > 100_000
    assert engine["cycles"] == sum(layer["cycles"] for layer in engine["layers"])
    assert engine["jobs"] > 0 and "host" in engine["host"]
    refusal = dorefa("train", *options, "--backend", "engine", "--last", "float")
    assert refusal.error.startswith("train: layer fc1: weights have 32 bits; accepted by the backend engine")


@pytest.mark.slow
@pytest.mark.sample
def test_a_step_takes_the_cycles_that_check_says(dorefa, few_digits):
    engine = ("--net-g", 3, "--batch", 4, *SMALL, "--json", "-")
    ran = dorefa("train", "digits-small", "--data", few_digits, "--backend", "engine", "--steps", 1, *engine)
    said = dorefa("check", "digits-small", "--training", *engine).report
    assert ran.report["cycles"] == said["cycles_estimate"]
    names = ("layer", "kind", "cycles", "computing_cycles", "utilization", "port_bytes_in", "port_bytes_out")
    seen, predicted = (
        [{name: one[name] for name in names} for one in report["layers"]] for report in (ran.report, said)
    )
    assert seen == predicted
