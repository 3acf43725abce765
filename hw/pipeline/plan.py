# amaranth: UnusedElaboratable=no
"""What structure each layer of a network gets, and when what comes out.

Every stage answers a slot after a fixed number of cycles, or a whole map after another, so all times follow
from which pixel of the image completes a result: counts of slots, and exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from .flow import Flow, Stage, passes_all
from .kernel.column_kernel import fits_columns
from .kernel.kernel import KernelOptions
from .kernel.word_kernel import fits_words
from .rom.sizes import rom_choices
from .rom.stage import RomStage
from .slots.stream import Stream
from .stage import LayerStage

# Cycles that a result is in the queue behind the last stage.
_QUEUE = 2
# Weights of a layer that are worth a search; the largest devices hold a tenth of them.
_MOST_WEIGHTS = 1_000_000
# Levels of additions of whole codes a register, where an image is a single pixel: its latency is that of the
# additions, and its numbers leave more slowly than any clock.
_LEVELS = 3
_ENGINE = "the engine (--architecture engine) runs it"


@dataclass(frozen=True, eq=False)
class PipelinePlan:
    """The stages of a network, for a pixel every `pace` cycles."""

    network: IntegerNetwork
    stages: list[Stage]
    pace: int

    @cached_property
    def flow(self) -> Flow:
        """The streams between the stages."""
        rows, columns, _ = self.network.input_shape
        flow = Flow(Stream.origin(rows * columns, self.pace))
        for stage in self.stages:
            flow.append(stage)
        return flow

    @property
    def streams(self) -> list[Stream]:
        """What enters each stage, and what leaves the last."""
        return [
            *(self.flow.entering(stage.layer) for stage in self.stages),
            self.flow.codes[len(self.stages) - 1],
        ]

    @property
    def result_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a result."""
        return self.stages[-1].layer.out_shape

    @property
    def summary(self) -> dict[str, object]:
        """What its Verilog says of it."""
        times = {"interval_cycles": self.interval, "latency_cycles": self.latency}
        return {"network": self.network.name, **times}

    @property
    def slots_per_image(self) -> int:
        """Slots of the results of an image."""
        return math.prod(self.result_shape) // self.stages[-1].numbers

    @property
    def depth(self) -> int:
        """Slots of results that have room, before an image's first pixel is taken: of images that are under
        way, some cycles longer until that is known, and of one more."""
        return self.slots_per_image * (1 + -(-(self.latency + 3) // self.interval))

    @property
    def pixel_cycles(self) -> int:
        """Cycles in which the pixels of an image are taken."""
        return self.streams[0].pixels * self.pace

    @property
    def interval(self) -> int:
        """Cycles from an image to the next one, of which the numbers leave one a cycle."""
        return max(self.pixel_cycles, math.prod(self.result_shape))

    @property
    def latency(self) -> int:
        """Cycles from the one in which the first pixel of an image is taken to the one in which its last
        number leaves, where neither end waits."""
        own = self.streams[-1].last + self.stages[-1].numbers
        # No image is through before it is known to be whole.
        return _QUEUE + max(own, self.pixel_cycles - self.pace)

    @property
    def flush(self) -> int:
        """Blank slots of the source that push out what waits for more pixels of an image which no other
        follows."""
        return self.owed(0)[0]

    @property
    def settle(self) -> int:
        """Cycles in front of and behind the restart of the stages that the source's blank slots reach."""
        return self.owed(0)[1]

    def owed(self, first: int) -> tuple[int, int]:
        """(blank slots, cycles in front of and behind the restart) that an origin owes the stages from a
        first one on, up to the next array, which starts anew by itself."""
        own = list(takewhile(lambda stage: not isinstance(stage, RomStage), self.stages[first:]))
        settle = 1 + max((stage.steps for stage in own), default=1)
        return self.flow.flush(first, first + len(own)), settle


def make_plan(
    network: IntegerNetwork,
    *,
    absorbs: bool = False,
    pace: int = 1,
    every: int = 1,
    evaluations: int = 2000,
    seed: int = 1,
) -> PipelinePlan:
    """The cheapest structure of every layer for a pixel every `pace` cycles.

    absorbs, every, evaluations, seed: as of :class:`.KernelOptions`. Raises :class:`InputError` for a network
    that the pipeline cannot run, with the layer.
    """
    check(network)
    # The search comes when the structures are chosen.
    options = KernelOptions(
        digit_bits=1, serial=False, absorbs=absorbs, every=every, evaluations=0, seed=seed
    )
    # What an array owes the stages behind it, which is known when all of them are, takes of its time.
    owed = [(0, 1)] * len(network.layers)
    while True:
        stages = _stages(network, pace, options, owed)
        plan = PipelinePlan(network, stages, pace)
        wanted = [
            plan.owed(number + 1) if isinstance(stage, RomStage) else (0, 1)
            for number, stage in enumerate(stages)
        ]
        more = [(max(a, c), max(b, d)) for (a, b), (c, d) in zip(owed, wanted, strict=True)]
        # Where there are no blank slots, nothing settles behind them.
        if all(new == old or not new[0] for new, old in zip(more, owed, strict=True)):
            break
        owed = more
    return PipelinePlan(network, [_searched(stage, evaluations) for stage in stages], pace)


def _searched(stage: Stage, evaluations: int) -> Stage:
    """The same with the search for its sums."""
    if isinstance(stage, RomStage):
        return stage
    return LayerStage(stage.layer, stage.shape, replace(stage.options, evaluations=evaluations))


def _stages(
    network: IntegerNetwork, pace: int, options: KernelOptions, owed: Sequence[tuple[int, int]]
) -> list[Stage]:
    """The cheapest stages, of `options` but for how codes are cut; owed: blank slots that each sends if it is
    an array, and cycles around the restart behind them."""
    stages: list[Stage] = []
    rows, columns, _ = network.input_shape
    interval = rows * columns * pace
    flow, layers = Flow(Stream.origin(rows * columns, pace)), network.layers
    for place, (layer, (flush, settle)) in enumerate(zip(layers, owed, strict=True)):
        stream = flow.entering(layer)
        shape = network.input_shape if layer.source < 0 else layers[layer.source].out_shape
        constants = list(_constants(layer, shape, stream, options))
        choices: list[Stage] = [stage for stage in constants if stage.problem is None]
        if layer.rescale is None and passes_all(layers, place):
            arrays = (
                RomStage(sizes, absorbs=options.absorbs, flush=flush, settle=settle)
                for sizes in rom_choices(layer, shape)
            )
            choices += [
                stage for stage in arrays if stage.busy <= interval and stage.sizes.words <= stream.spacing
            ]
        if not choices:
            raise InputError(f"layer {layer.name}: {constants[0].problem}; {_ENGINE}")
        stages.append(min(choices, key=lambda stage: stage.estimate()))
        try:
            flow.append(stages[-1])
        except InputError as error:
            raise InputError(f"{error}; {_ENGINE}") from None
    return stages


def _constants(
    layer: IntegerLayer, shape: tuple[int, int, int], stream: Stream, options: KernelOptions
) -> Iterator[LayerStage]:
    """Ways to cut a layer's codes that keep up with the slots of a stream."""
    bits = layer.a_bits
    for size in (1, 2) if options.absorbs else range(1, bits + 1):
        if 1 < -(-bits // size) <= stream.spacing:
            yield LayerStage(layer, shape, replace(options, digit_bits=size, serial=True))
    for size in (1, 2) if options.absorbs else (bits,):
        yield LayerStage(layer, shape, replace(options, digit_bits=size))
    # Codes of one or two bits are what chains absorb whole.
    if bits > 2 and fits_columns(layer.values):
        yield LayerStage(layer, shape, replace(options, digit_bits=bits, columns=True))
    if fits_words(layer.values, bits):
        every = max(options.every, _LEVELS if stream.pixels == 1 else 1)
        yield LayerStage(layer, shape, replace(options, digit_bits=bits, words=True, every=every))


def check(network: IntegerNetwork) -> None:
    """Raises :class:`InputError` for what no pipeline runs, with the layer."""
    for index, layer in enumerate(network.layers):
        where = f"layer {layer.name}:"
        if layer.block != (1, 1):
            raise InputError(f"{where} makes blocks of pixels of its channels; {_ENGINE}")
        if layer.codes.size > _MOST_WEIGHTS:
            raise InputError(
                f"{where} has {layer.codes.size:,} weights; accepted as constants: at most "
                f"{_MOST_WEIGHTS:,}; {_ENGINE}"
            )
        if layer.is_result and index < len(network.layers) - 1:
            raise InputError(f"{where} is a result before the last layer; {_ENGINE}")
