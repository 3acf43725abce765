"""What compilation works out of a network on an engine, once: sizing, checks, images and reports read it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from .batch import batched
from .cycles import PassCycles, predict
from .geometry import as_convolution
from .merged_groups import merged
from .needs import Need, needs
from .problems import layer_problems, schedule_problems
from .schedule import Schedule, schedule


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network on an engine of `config`: `given`, for packets of the engine's batch, and `network`, what is
    computed, with channel groups merged where that is faster. Everything else follows from these and is
    worked out when it is first asked for."""

    given: IntegerNetwork
    network: IntegerNetwork
    config: EngineConfig

    @classmethod
    def of(
        cls, network: IntegerNetwork, config: EngineConfig, *, limits: Collection[str] | None = None
    ) -> Plan:
        """The plan of `network`. `limits`: as for :func:`dorefa.hw.compiler.merged_groups.merged`, the depths
        of `config` that must suffice. Raises :class:`InputError` where the network has no batches."""
        given = batched(network, config.batch)
        return cls(given=given, network=merged(given, config, limits), config=config)

    @cached_property
    def convolutions(self) -> list[IntegerLayer]:
        """The layers that are computed, fully connected ones as convolutions that cover the map they read."""
        return convolutions(self.network)

    @cached_property
    def schedule(self) -> Schedule:
        """Passes, and where maps and trunks lie. Raises :class:`InputError` where a layer cannot be cut."""
        return schedule(self.network, self.config)

    @cached_property
    def needs(self) -> dict[str, Need]:
        """What the network needs of each width and depth of the engine."""
        return needs(self.network, self.config, self.schedule)

    @cached_property
    def pass_cycles(self) -> list[PassCycles]:
        """Predicted cycles of every pass."""
        return predict(self.network, self.schedule, self.config)

    @property
    def cycles(self) -> int:
        """Predicted cycles per packet of images."""
        return sum(part.cycles for part in self.pass_cycles)

    @cached_property
    def problems(self) -> list[str]:
        """One line per reason why the network cannot run on the engine; empty where it can."""
        problems = [problem for layer in self.convolutions for problem in layer_problems(layer, self.config)]
        if not self.network.result_layers:
            name = self.network.layers[-1].name
            problems.append(f"layer {name}: no layer gives results; accepted: a last layer without codes")
        try:
            schedule = self.schedule
        except InputError as error:
            return [*problems, str(error)]
        return problems + schedule_problems(self.network, self.config, schedule, self.needs)


def convolutions(network: IntegerNetwork) -> list[IntegerLayer]:
    """The layers of a network, fully connected ones as convolutions that cover the map they read."""
    shapes = [network.input_shape, *(layer.out_shape for layer in network.layers)]
    return [as_convolution(layer, shapes[layer.source + 1]) for layer in network.layers]


def find_problems(network: IntegerNetwork, config: EngineConfig) -> list[str]:
    """One line per reason why `network` cannot run on an engine of `config`; empty when it can."""
    try:
        plan = Plan.of(network, config)
    except InputError as error:
        return [str(error)]
    return plan.problems
