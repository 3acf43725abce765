"""What a random case is made of, as {point: the values that it has}: of layers, engines, runs and jobs."""

import numpy as np

from .runs import load_cycles


def own_facts(layer):
    """Of a layer (integer), whatever runs it."""
    return {
        "weight_bits": {layer.w_bits},
        "activation_bits": {layer.a_bits},
        "code_bits": {layer.out_bits} if layer.out_bits is not None else set(),
        "encoding": {str(layer.encoding)},
        "kernel": {_kernel(layer)},
        "stride": {_pair(layer.stride)},
        "dilation": {_pair(layer.dilation)},
        "padding": _padding(layer.padding),
        "groups": {_groups(layer)},
        "pooling": {_pooling(layer.pool)},
        "slope": _slopes(layer),
        "saturation": _saturation(layer),
    }


def layer_facts(layer, compiled_layer, config):
    """Of a layer on an engine of `config`, and how it was compiled."""
    outputs, *kernel, inputs = layer.codes.shape
    return own_facts(layer) | {
        "merged": {"merged" if compiled_layer.merged_groups > 1 else "as they are"},
        "passes": {"several" if len(compiled_layer.passes) > 1 else "one"},
        "lanes": {_relation(int(np.prod(kernel)) * inputs, config.lanes)},
        "rows": {_relation(outputs // layer.groups, config.total_rows)},
        "line": {_relation(layer.conv_shape[1], config.cols)},
        "trunk": {_trunk(layer)},
    }


def _kernel(layer):
    high, wide = layer.kernel
    if layer.kind == "fc":
        return "fully connected"
    if high == wide:
        return f"{high}x{wide}" if high <= 3 else "larger square"
    return "row" if high == 1 else "column" if wide == 1 else "rectangle"


def _pair(pair):
    return str(pair[0]) if pair[0] == pair[1] else "unequal"


def _padding(padding):
    sides = {name for name, pad in zip(("top", "left", "bottom", "right"), padding, strict=True) if pad}
    return sides or {"none"}


def _groups(layer):
    if layer.groups == 1:
        return "one"
    return "depthwise" if layer.codes.shape[-1] == 1 else "several"


def _pooling(pool):
    if pool is None:
        return "none"
    overlaps = "overlapping " if any(s < k for s, k in zip(pool.stride, pool.kernel, strict=True)) else ""
    return overlaps + ("padded " if any(pool.padding) else "") + pool.kind


def _relation(size, unit):
    if size < unit:
        return "fewer"
    if size == unit:
        return "as many"
    return "a remainder" if size % unit else "a multiple"


def _slopes(layer):
    if layer.slope is None:
        return set()
    return {"constant" if slope == 0 else "falling" if slope < 0 else "rising" for slope in layer.slope}


def _saturation(layer):
    """Whether a threshold is passed by every value, by none, or all of a channel's lie between."""
    if layer.thresholds is None:
        return set()
    always, never = layer.thresholds <= layer.value_min, layer.thresholds > layer.value_max
    told = {
        "every value": always.any(),
        "no value": never.any(),
        "between": (~(always | never)).all(axis=1).any(),
    }
    return {name for name, found in told.items() if found}


def _trunk(layer):
    if layer.rescale is None:
        return "none"
    return ("adds" if layer.add is not None else "begins") + (" and keeps" if layer.trunk else "")


def engine_facts(config):
    """Of an engine."""
    return {
        "engine_encoding": {config.encoding},
        "quantizer": {config.quantizer},
        "columns": {config.cols},
        "engines": {config.engines},
        "weights": {config.weights},
        "trunks": {config.trunks if config.trunk_bits else "none"},
        "results": {config.results},
        "column_reads": {config.column_reads},
        "port_bytes": {config.port_bytes},
        "plane_groups": {"1" if config.plane_groups == 1 else "2" if config.plane_groups == 2 else "more"},
        "pieces": {"1" if config.subwords == 1 else "2" if config.subwords == 2 else "more"},
        "slots": {config.patch_slots},
        "prefetch": {config.prefetch},
        "structure": {config.structure},
        "pipeline": {config.pipeline},
    }


def run_facts(run, load, streams):
    """Of a run; `load`: cycles that an image takes to come in; `streams`: whether anything else comes in."""
    stalls = "none" if not run.stalls else "few" if run.stalls < 20 else "some" if run.stalls < 50 else "many"
    reset = "none" if not run.reset_after else "loading" if run.reset_after <= load else "computing"
    latency = "none" if not run.latency else "short" if run.latency < 10 else "long"
    return {
        "stalls": {stalls},
        "reset": {reset},
        "loading": {"host port" if run.through_port else "direct"},
        "latency": {latency} if streams else set(),
    }


def case_facts(compiled, runs):
    """Facts of every layer of a compiled network in every run, one dictionary each."""
    config = compiled.config
    streams = config.weights == "stream" or config.trunks == "stream"
    of_engine = engine_facts(config)
    for layer, own in zip(compiled.network.layers, compiled.layers, strict=True):
        of_layer = layer_facts(layer, own, config)
        for run in runs:
            yield of_layer | of_engine | run_facts(run, load_cycles(compiled), streams)


def job_facts(case, config, kind, stalls):
    """Of a job of a training step: of a `ConvolutionCase`, one of the `kind` forward, input, P, B."""
    shape = case.shape
    return {
        "job": {kind},
        "job_weight_bits": {shape.w_bits},
        "job_activation_bits": {shape.a_bits},
        "job_gradient_bits": {shape.g_bits},
        "job_stalls": {"some" if stalls else "none"},
        "job_weights": {config.weights},
        "job_engines": {config.engines},
        "job_groups": {"several" if shape.groups > 1 else "one"},
        "job_stride": {_pair(shape.stride)},
        "job_padding": {"some" if any(shape.padding) else "none"},
    }
