"""`dorefa check`: whether an engine runs a network, said before anything runs."""

import argparse

from dorefa.golden.errors import InputError

from .common import options
from .common.layers import bipolar_inputs, layer_table, say_bipolar, say_groups, say_times
from .common.output import Output
from .pipeline.check import check_pipeline
from .pipeline.check_hybrid import check_hybrid
from .pipeline.options import add_architecture, is_streamed
from .training.check import check_training
from .training.options import training_asked

SUMMARY = "say whether an engine runs a network, and what it would cost"
EXAMPLE = "dorefa check digits --lanes 64 --rows 16"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL_HELP)
    options.add_network_options(parser, training=True)
    options.add_engine_options(parser)
    add_architecture(parser)
    parser.add_argument(
        "--device",
        metavar="D",
        help="size a pipeline for it; without --interval the shortest one that fits",
    )


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status. Where the network is not supported, writes the report
    and raises :class:`InputError` with the first problem."""
    from dorefa.golden import lower
    from dorefa.hw.compiler.compile import compile_plan, per_image
    from dorefa.sim.report import layer_report

    if args.device is not None and args.architecture == "engine":
        raise InputError(
            f"--device is {args.device}; accepted: only with --architecture pipeline, hybrid, auto"
        )
    if is_streamed(args):
        return check_hybrid(args) if args.architecture == "hybrid" else check_pipeline(args)
    if training_asked(args):
        return check_training(args)
    out = Output(args.json, inputs=options.input_files(args))
    network = lower(options.load_network(args.model, args))
    overrides = options.engine_overrides(args)
    config, plan, problems = _configure(network, overrides)
    compiled = None
    if not problems:
        try:
            compiled = compile_plan(plan)
        except InputError as error:
            problems = [str(error)]
    report = {
        "supported": compiled is not None,
        "problems": problems,
        "cycles_estimate": None,
        "interval_cycles": None,
        "latency_cycles": None,
        "stream_bytes": None,
        "trunk_stream_bytes": None,
        "memory_bits": None,
        "config": config.as_dict() if config else None,
        "nearest": None,
        "layers": [],
        "bipolar_activations": [],
        "notes": out.notes(network.notes),
    }
    if compiled is None:
        report["nearest"] = _nearest(network, overrides)
        _say_problems(out, report)
        out.report(report)
        raise InputError(
            f"{args.model} does not run on this engine: {problems[0]}"
            + (f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else "")
        )

    layers = [layer_report(layer, layer.cycles, config) for layer in compiled.layers]
    report["cycles_estimate"] = per_image(compiled.cycles, config)
    report["interval_cycles"] = per_image(compiled.interval, config)
    report["latency_cycles"] = compiled.latency
    report["stream_bytes"] = per_image(compiled.stream_bytes, config)
    report["trunk_stream_bytes"] = per_image(compiled.trunk_stream_bytes, config)
    report["memories"] = compiled.memory_bits
    report["memory_bits"] = sum(compiled.memory_bits.values())
    report["layers"] = [vars(layer) for layer in layers]
    report["bipolar_activations"] = bipolar_inputs(network, layers)
    out.say(f"{network.name} runs on this engine: {_describe(config)}")
    out.table(*layer_table(layers, report["config"]))
    say_groups(out, layers)
    say_bipolar(out, report["bipolar_activations"])
    out.say(f"about {report['cycles_estimate']:,} cycles per image")
    say_times(out, report["interval_cycles"], report["latency_cycles"])
    if compiled.stream_bytes:
        out.say(f"{report['stream_bytes']:,} bytes of weights stream in per image")
    if compiled.trunk_stream_bytes:
        out.say(f"{report['trunk_stream_bytes']:,} bytes of residual trunks stream out and in per image")
    for memory, bits in compiled.memory_bits.items():
        out.say(f"{memory}: {bits:,} bits filled")
    out.report(report)
    return 0


def _describe(config):
    return (
        f"{config.lanes} lanes x {config.rows} rows x {config.cols} columns"
        + (f" x {config.engines} engines" if config.engines > 1 else "")
        + f", W up to {config.w_bits}, A up to {config.a_bits}, {config.quantizer}"
        + (f", packets of {config.batch} images" if config.batch > 1 else "")
    )


def _say_problems(out, report):
    for problem in report["problems"]:
        out.say(f"problem: {problem}")
    if report["nearest"]:
        changes = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in report["nearest"].items())
        out.say(f"nearest engine that runs it: {changes}")


def _configure(network, overrides):
    """(configuration, plan, problems): every reason at once why the engine cannot be; None for what there
    is not then."""
    from dorefa.hw.compiler.plan import Plan, find_problems
    from dorefa.hw.compiler.sizing import fit

    try:
        config = fit(network, **overrides)
        plan = Plan.of(network, config)
        return config, plan, plan.problems
    except InputError as error:
        everything = str(error)
    # Parameters that stand in nobody's way are kept, so that each of the others is named.
    kept, refused = {}, dict(overrides)
    before = None
    while refused and len(refused) != before:
        before = len(refused)
        for name, value in overrides.items():
            if name in refused:
                try:
                    fit(network, **kept, **{name: value})
                except InputError as error:
                    refused[name] = str(error)
                else:
                    kept[name] = value
                    del refused[name]
    problems = list(dict.fromkeys(refused.values())) or [everything]
    if refused:
        problems += find_problems(network, fit(network, **kept))
    return None, None, problems


def _nearest(network, overrides):
    """Parameters to change so that `network` runs, {name: value}; None where no engine runs it.

    Every parameter asked for is kept that can be kept.
    """
    from dorefa.hw.compiler.plan import find_problems
    from dorefa.hw.compiler.sizing import fit

    def runs(parameters):
        try:
            config = fit(network, **parameters)
        except InputError:
            return None
        return None if find_problems(network, config) else config

    kept = {}
    for name, value in overrides.items():
        if runs(kept | {name: value}):
            kept[name] = value
    nearest = runs(kept)
    if nearest is None:
        return None
    return {name: getattr(nearest, name) for name in overrides if name not in kept}
