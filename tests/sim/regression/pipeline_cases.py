# amaranth: UnusedElaboratable=no
"""Random networks as pipelines: what is drawn, what it covers, and what is wrong with it in Verilator."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from dorefa.golden import lower, random_images, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.lowering.staircase import thresholds
from dorefa.golden.lowering.steps import Affine, Round
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.network.parts import Pool
from dorefa.hw.pipeline.plan import make_plan
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.pipeline.simulation import compared
from dorefa.sim.pipeline.verilator import simulate_streams

from ...hw.pipeline.bench import by_columns
from ...hw.signed_codes import make_signed
from .bins import POINTS as ALL
from .facts import own_facts

# point: its bins, of a layer in a pipeline in a run.
POINTS = {
    point: ALL[point]
    for point in ("weight_bits", "activation_bits", "code_bits", "encoding", "kernel", "stride", "dilation")
}
POINTS |= {point: ALL[point] for point in ("padding", "groups", "pooling", "slope", "saturation")}
POINTS |= {
    "structure": ("constant", "columns", "planes", "rom"),
    "codes": ("unsigned", "signed"),
    "quantizer": ("thresholds", "affine", "rom", "none"),
    "chains": ("absorbing", "plain"),
    "pace": ("1", "2 to 8", "more"),
    "waits": ("none", "gaps", "stalls", "both"),
}
CROSSES = (
    ("weight_bits", "activation_bits"),
    ("structure", "encoding"),
    ("structure", "codes"),
    ("structure", "chains"),
    ("structure", "waits"),
)
IMAGES = 6
_MOST_CODES, _TRIES = 8, 20


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Chances in percent that a pixel comes late, and that a number waits."""

    gaps: int = 0
    stalls: int = 0


def random_pipeline(seed, draws):
    """(IntegerNetwork, plan) of a seed."""
    absorbs, every = draws.chance(2), draws.pick((1, 2))
    # No run is so long that a model is compiled otherwise.
    pace = draws.pick((1, 1, 1, 2, 3, 8, 25, 60))
    for attempt in range(_TRIES):
        network = _random_network(1000 * seed + attempt, draws)
        # Some have windows that lie in their padding, as no pipeline has.
        with suppress(InputError):
            plan = make_plan(network, absorbs=absorbs, pace=pace, every=every, evaluations=20, seed=seed)
            break
    if draws.chance(3) and all(stage.structure != "rom" for stage in plan.stages):
        plan = by_columns(plan)
    return network, plan


def _random_network(seed, draws):
    """Signed and unsigned codes, every kind of pooling."""
    drawn = random_network(
        seed,
        max_macs=20_000,
        max_size=draws.integer(1, 9),
        max_channels=draws.pick((2, 4, 8)),
        encodings=draws.pick(([Encoding.BIPOLAR], list(Encoding))),
        allow_average=True,
        allow_pool_padding=True,
        wide_padding=False,
    )
    return _with_signs(_sums_of_codes(lower(drawn), draws), np.random.default_rng(seed))


def _sums_of_codes(network, draws):
    """Some layers with maxima get sums of codes instead, where eight bits hold them."""
    layers = []
    for layer in network.layers:
        pool = layer.pool
        if pool is not None and pool.kind == "max" and not any(pool.padding) and draws.chance(2):
            bits = (((1 << layer.code_bits) - 1) * pool.area).bit_length()
            if bits <= _MOST_CODES:
                sums = Pool(kind="average_codes", kernel=pool.kernel, stride=pool.stride)
                layer = replace(layer, pool=sums, out_bits=bits)
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def _with_signs(network, rng):
    """Some codes are signed; bounds follow the codes, and thresholds the bounds."""
    layers = []
    changed = make_signed(network, rng)
    for layer in changed.layers:
        if layer.thresholds is not None:
            chain = Affine(layer.slope, layer.offset), Round("ROUND", 0, layer.thresholds.shape[1])
            bounds = layer.value_min, layer.value_max
            found = [thresholds(chain, channel, *bounds) for channel in range(layer.out_channels)]
            assert [falls for falls, _ in found] == layer.inverted.tolist()
            layer = replace(layer, thresholds=np.array([rows for _, rows in found], np.int64))
        layers.append(layer)
    return replace(changed, layers=tuple(layers))


def random_waits(draws):
    """Two runs: one at full speed, in which times count, and one in which a port waits, or both do."""
    gaps, stalls = draws.pick(((1, 0), (0, 1), (1, 1), (1, 1)))
    chances = (5, 30, 30, 60, 85)
    return Waits(), Waits(gaps=gaps * draws.pick(chances), stalls=stalls * draws.pick(chances))


def pipeline_facts(plan, runs):
    """Facts of every layer of a plan in every run, one dictionary each."""
    pace = "1" if plan.pace == 1 else "2 to 8" if plan.pace <= 8 else "more"
    for stage in plan.stages:
        structure = _structure(stage)
        of_stage = {
            "structure": {structure},
            "codes": {"signed" if stage.layer.a_signed else "unsigned"},
            "quantizer": {_quantizer(stage)},
            "chains": {"absorbing" if _absorbs(stage) else "plain"},
            "pace": {pace},
        }
        for run in runs:
            waits = (
                "both"
                if run.gaps and run.stalls
                else "gaps"
                if run.gaps
                else "stalls"
                if run.stalls
                else "none"
            )
            yield own_facts(stage.layer) | of_stage | {"waits": {waits}}


def _waits(run):
    if run.gaps and run.stalls:
        return "both"
    return "gaps" if run.gaps else "stalls" if run.stalls else "none"


def _structure(stage):
    return "columns" if stage.structure != "rom" and stage.options.columns else stage.structure


def _absorbs(stage):
    return stage.absorbs if stage.structure == "rom" else stage.options.absorbs


def _quantizer(stage):
    if stage.layer.is_result:
        return "none"
    if stage.structure == "rom":
        return "rom"
    return "thresholds" if stage.quantizer.affine is None else "affine"


def fault(plan, top, text, run, *, seed):
    """What is wrong with the pipeline `top` of a plan, whose Verilog is `text`, in one line.

    None if every code of every layer is golden's and, at full speed, latency and interval are as planned.
    """
    images = random_images(plan.network, IMAGES, seed)
    try:
        found = simulate_streams(top, text, images, gaps=run.gaps, stalls=run.stalls, seed=seed)
        comparison = compared(plan, images, found)
    except SimulationError as error:
        return f"{run}: {error}"
    if comparison.count:
        return f"{run}: {comparison.count} values differ, first: {comparison.mismatches[0]}"
    if run != Waits():
        return None
    latency, intervals = int(found.last_out[0] - found.began[0]), {*np.diff(found.last_out).tolist()}
    interval = max(plan.interval, int(np.prod(plan.stages[-1].layer.out_shape)))
    if latency != plan.latency or intervals != {interval}:
        times = f"latency {latency}, intervals {sorted(intervals)}"
        return f"{times}; predicted: {plan.latency}, {interval}"
    return None
