# amaranth: UnusedElaboratable=no
"""How a network is cut between a stage of constants and an engine, and when what comes out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork

from ..compiler.compile import CompiledNetwork, compile_network
from ..compiler.cycles import image_load
from ..compiler.sizing import fit
from ..config.engine import EngineConfig
from ..config.ranges import RANGES
from ..pipeline.plan import PipelinePlan, make_plan
from .code_store import CodeStore
from .split import split

# What loading may take of an engine's cycles, unless no port is wide enough.
_LOADING = 0.02
# Parameters that an engine behind a stage has, and why.
_FIXED: dict[str, tuple[int | str, str]] = {
    "weights": ("onchip", "nothing but images comes in"),
    "trunks": ("onchip", "nothing but images comes in"),
    "batch": (1, "its images are maps of codes"),
    "results": ("single", "numbers leave one by one"),
    "training": (0, "its first layer is fixed"),
    "checks": ("none", "there is no host to tell"),
}


@dataclass(frozen=True, eq=False)
class HybridPlan:
    """`front`: the first layer of `network` as a pipeline of one stage; `compiled`: the others, of an image
    of its codes."""

    network: IntegerNetwork
    front: PipelinePlan
    compiled: CompiledNetwork

    @property
    def config(self) -> EngineConfig:
        """The engine's configuration."""
        return self.compiled.config

    @property
    def result_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a result."""
        return self.network.layers[-1].out_shape

    @property
    def summary(self) -> dict[str, object]:
        """What its Verilog says of it."""
        times = {"interval_cycles": self.interval, "latency_cycles": self.latency}
        return {"network": self.network.name, **times, **self.config.summary()}

    @property
    def load(self) -> int:
        """Cycles in which the engine takes the codes of an image."""
        return image_load(self.compiled.network, self.config)

    @property
    def engine_interval(self) -> int:
        """Cycles of the engine from an image to the next one."""
        return self.compiled.interval

    @property
    def front_interval(self) -> int:
        """Cycles of the stage and of loading from an image to the next one, where no engine is late."""
        return _front_interval(self.front, self.load)

    @property
    def interval(self) -> int:
        """Cycles from an image to the next one."""
        return max(self.engine_interval, self.front_interval)

    @property
    def latency(self) -> int:
        """Cycles from the one in which the first pixel of an image is taken to the one in which its last
        number leaves, where neither end waits and the engine has nothing to do."""
        return _codes_there(self.front) + self.compiled.latency


def _codes_there(front: PipelinePlan) -> int:
    """Cycles from the first pixel of an image to the first beat of its codes."""
    return 1 + front.streams[-1].last + CodeStore.latency


def _front_interval(front: PipelinePlan, load: int) -> int:
    # Blank slots behind an image, the restart and what settles around it are not broken off.
    pushed = front.pixel_cycles + (front.pace * (front.flush - 1) + 2 * front.settle if front.flush else 0)
    return max(_codes_there(front) + load + 1, pushed)


def make_hybrid(
    network: IntegerNetwork,
    config: EngineConfig,
    *,
    absorbs: bool = False,
    evaluations: int = 2000,
    seed: int = 1,
) -> HybridPlan:
    """The plan of `network` on an engine of `config`: the smallest stage that is done with an image while the
    engine works on the one before, or where none is, the fastest one.

    absorbs, evaluations, seed: as of :func:`.make_plan`. Raises :class:`InputError` for what no hybrid runs.
    """
    first, rest = split(network)
    check_engine(rest, config)
    compiled = compile_network(rest, config)
    load = image_load(compiled.network, config)
    options: dict[str, Any] = {"absorbs": absorbs, "seed": seed}
    best: PipelinePlan | None = None
    for pace in _paces(math.prod(network.input_shape[:2])):
        plan = make_plan(first, pace=pace, evaluations=0, **options)
        hidden = _front_interval(plan, load) <= compiled.interval
        if best is None or (hidden and plan.stages[0].estimate() < best.stages[0].estimate()):
            best = plan
        if not hidden:
            break
    assert best is not None, "there is a first pace"
    front = make_plan(first, pace=best.pace, evaluations=evaluations, **options)
    return HybridPlan(network, front, compiled)


def _paces(pixels: int) -> Iterator[int]:
    """Cycles from a pixel to the next one, from the least on."""
    # An image of one pixel must be known to have begun before the next one may.
    pace = 2 if pixels == 1 else 1
    while True:
        yield pace
        yield pace + (pace + 1) // 2
        pace *= 2


def check_engine(rest: IntegerNetwork, config: EngineConfig) -> None:
    """Raises :class:`InputError` for an engine that does not run behind a stage."""
    _check_fixed(config.as_dict())
    channels = rest.input_shape[2]
    if channels % config.port_bytes:
        raise InputError(
            f"port_bytes is {config.port_bytes}; accepted in a hybrid: "
            f"{', '.join(map(str, _ports(channels)))}, which divide the {channels} codes of a pixel"
        )


def _check_fixed(sizes: Mapping[str, Any]) -> None:
    for name, (accepted, reason) in _FIXED.items():
        if (value := sizes.get(name, accepted)) != accepted:
            raise InputError(f"{name} is {value!r}; accepted in a hybrid: {accepted!r}, because {reason}")


def _ports(channels: int) -> list[int]:
    """Widths of an image port that takes whole pixels in whole beats."""
    return [size for size in range(1, RANGES["port_bytes"][1] + 1) if channels % size == 0]


def fit_hybrid(network: IntegerNetwork, **overrides: Any) -> EngineConfig:
    """The :class:`EngineConfig` of the layers behind the first one, as :func:`.fit` makes it; every parameter
    in `overrides` is kept. The image port is as narrow as it may be for loading to take at most 2 % of the
    engine's cycles. Raises :class:`InputError` for what no hybrid runs."""
    _, rest = split(network)
    _check_fixed(overrides)
    sizes = {name: value for name, (value, _) in _FIXED.items()} | overrides
    if "port_bytes" in sizes:
        return fit(rest, **sizes)
    widest = min(sizes.get("fetch_bits", RANGES["port_bytes"][1]), RANGES["port_bytes"][1])
    config = None
    for size in _ports(rest.input_shape[2]):
        try:
            wider = fit(rest, **sizes, port_bytes=size)
        except InputError:
            # No fetch is wide enough on this array; with a narrow port it is another problem.
            if config is None:
                raise
            break
        if size > widest:
            break
        config = wider
        if image_load(rest, config) <= _LOADING * compile_network(rest, config).cycles:
            break
    assert config is not None, "a port of one byte"
    return config
