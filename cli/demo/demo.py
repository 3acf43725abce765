"""`make demo`: handwritten digits through float model, integer model and generated hardware."""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dorefa.golden import logits, lower, run_integer
from dorefa.golden.process.scratch import scratch_folder
from dorefa.golden.run.exact_float import run_float
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.file_set import file_set, write_set
from dorefa.sim import backends, simulate
from dorefa.synth.flow import report as synthesis
from dorefa.synth.flow import yosys
from dorefa.synth.flow.units import make_unit
from dorefa.synth.targets.catalog import TARGETS, find_target

from ..common.output import Output, Progress, new_folder

LANES, ROWS = 32, 16
# Images by default; without a C++ compiler each takes much of a minute.
_IMAGES = {"verilator": 1000, "icarus": 3, "amaranth": 1}
# Targets that are synthesized at a time, beside the simulation.
_SYNTHESES = 2
# First cycle of the waveform: far enough into the first layer to meet ink.
_WAVE_START, _WAVE_CYCLES = 1000, 40


def main(argv: list[str] | None = None) -> int:
    """Runs the demo and returns the exit status: 0 when the hardware is bit-exact, else 1."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--output", default="demo", metavar="DIR", help="gets Verilog and pictures")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="images; default: 1000, fewer on a slow simulator"
    )
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=list(TARGETS), metavar="T")
    args = parser.parse_args(argv)
    with new_folder(args.output) as folder:
        return backends.with_simulator("auto", lambda name, why: _show(folder, args, name, why))


def _show(folder, args, simulator, why):
    """The demo with a simulator that was chosen for the reason `why`; returns its exit status."""
    started = time.monotonic()
    out = Output()
    limit = args.limit or _IMAGES[simulator]
    images, labels = (array[:limit] for array in digits_sample())

    out.say("digits, 1-bit weights and 2-bit activations, trained with 6-bit gradients")
    out.say(f"simulator: {simulator}, {limit} images ({why})")
    network = catalog.load("digits", net_w=1, net_a=2)
    integer = lower(network)
    config = fit(integer, lanes=LANES, rows=ROWS)
    compiled = compile_network(integer, config)
    files = file_set(config)
    write_set(folder, files)
    out.say(f"engine: {folder / 'engine.v'}, {LANES} lanes x {ROWS} rows")

    with ThreadPoolExecutor(_SYNTHESES) as background:
        sizes = [(target, background.submit(_synthesize, integer, target)) for target in args.targets]
        scores = _model_scores(network, integer, images)
        with Progress("simulating the Verilog", len(images)) as progress:
            result = simulate(
                integer,
                images=images,
                labels=labels,
                config=config,
                simulator=simulator,
                verilog_text=files["engine.v"].decode(),
                progress=lambda done, total: progress.update(done, total=total),
            )
        scores["hardware"] = result.real[integer.results[0].name]
        _draw(folder, compiled, result, images, labels, scores["hardware"])
        out.say(f"synthesis for {', '.join(args.targets)} ...")
        counts = [(target, size.result()) for target, size in sizes]
    _say(out, result, scores, labels, counts)
    out.say(f"\npictures and Verilog are in {folder}/ ({time.monotonic() - started:.0f} s)")
    return 0 if result.bit_exact else 1


def _model_scores(network, integer, images):
    """Class scores of the float and the integer model, {name: float64 (images, classes)}."""
    last = network.layers[-1].name
    return {
        "float model": logits(integer, run_float(network, images)[last]),
        "integer model": logits(integer, run_integer(integer, images)[last]),
    }


def _synthesize(network, target):
    """The report of the same array, sized for a target and in its cells."""
    config = fit(network, lanes=LANES, rows=ROWS, **find_target(target).sizes)
    unit = make_unit("engine", config, target)
    with scratch_folder() as scratch:
        statistics = yosys.synthesize(unit.write(scratch), top=unit.top, target=target, components=False)
    return synthesis.report(
        statistics,
        unit=unit.name,
        top=unit.top,
        target=target,
        binary_ops_per_cycle=unit.binary_ops_per_cycle,
    )


def _draw(folder, compiled, result, images, labels, scores):
    from . import pictures, waveform

    answers = scores.argmax(axis=1)
    wrong = np.flatnonzero(answers != labels)[:5]
    shown = np.concatenate([np.setdiff1d(np.arange(len(images)), wrong)[: 40 - len(wrong)], wrong])
    pictures.draw_digits(folder / "digits.png", images[shown], labels[shown], answers[shown])
    pictures.draw_engine(folder / "engine.png", compiled.config)
    layers, total = _utilization(result)
    pictures.draw_utilization(folder / "utilization.png", layers, total)
    traces = waveform.record(compiled, images[0], first=_WAVE_START, cycles=_WAVE_CYCLES)
    pictures.draw_waveform(
        folder / "waveform.png",
        traces,
        first=_WAVE_START,
        title="Tiles of the first layer: 8 activation planes, highest first; drain one behind",
    )


def _utilization(result):
    """Per layer (name, utilization, bound), and (utilization, bound) of all layers together."""
    layers = [
        (layer.name, layer.utilization, layer.utilization * layer.cycles / layer.bound)
        for layer in result.layers
    ]
    bound = sum(layer.bound for layer in result.layers)
    busy = sum(layer.utilization * layer.cycles for layer in result.layers)
    return layers, (busy / result.cycles, busy / bound)


def _say(out, result, scores, labels, counts):
    out.say(f"\nthe same {result.images} test images")
    out.table(
        ["model", "accuracy"],
        [[name, float(np.mean(score.argmax(axis=1) == labels))] for name, score in scores.items()],
    )
    out.say(
        f"\nhardware equals the integer model in every bit of every layer: "
        f"{'yes' if result.bit_exact else 'NO'} ({result.simulator})"
    )
    for mismatch in result.mismatches:
        out.say(f"  {mismatch}")
    layers, total = _utilization(result)
    out.say("")
    out.table(
        ["layer", "cycles", "least cycles", "utilization", "tiling bound"],
        [
            [name, round(layer.cycles), layer.bound, used, bound]
            for (name, used, bound), layer in zip(layers, result.layers, strict=True)
        ]
        + [["per image", round(result.cycles), sum(x.bound for x in result.layers), *total]],
    )
    out.say("")
    out.table(
        ["target", "LUTs", "FFs", "block RAMs", "cells"],
        [[target, x["luts"], x["ffs"], x["brams"], x["cells"]] for target, x in counts],
    )
