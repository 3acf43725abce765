# amaranth: UnusedElaboratable=no
"""What structure each layer of a network gets, and when what comes out.

Every stage answers a slot after a fixed number of cycles, so all times follow from which pixel of the image
completes a result: counts of slots, and exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from .kernel.column_kernel import fits_columns
from .kernel.kernel import KernelOptions
from .raster import Raster
from .stage import LayerStage

# Cycles that a result is in the queue behind the last stage.
_QUEUE = 2
# Weights of a layer that are worth a search; the largest devices hold a tenth of them.
_MOST_WEIGHTS = 1_000_000
_ENGINE = "the engine (--architecture engine) runs it"


@dataclass(frozen=True, eq=False)
class Stream:
    """Slots of a map: `causes`, the pixel of the image, counted from its first one, with which each slot
    comes, apart from `delay` cycles; those of the next image are counted on. `pixels`: of an image."""

    causes: np.ndarray
    delay: int
    pixels: int

    def through(self, raster: Raster, delay: int) -> Stream:
        """The slots of windows on this map, which leave so many cycles after those that complete them."""
        rows, columns = raster.outputs
        (stride_y, stride_x), width = raster.geometry.stride, raster.shape[1]
        places = (np.arange(rows) * stride_y)[:, None] * width + np.arange(columns) * stride_x
        images, places = np.divmod(places.ravel() + raster.lead, raster.slots)
        return Stream(self.causes[places] + images * self.pixels, self.delay + delay, self.pixels)

    @property
    def spacing(self) -> int:
        """The least number of pixels from a slot to the next one."""
        return int(np.diff(self.causes, append=self.causes[0] + self.pixels).min())


@dataclass(frozen=True, eq=False)
class PipelinePlan:
    """The stages of a network, for a pixel every `pace` cycles."""

    network: IntegerNetwork
    stages: list[LayerStage]
    pace: int

    @cached_property
    def streams(self) -> list[Stream]:
        """What enters each stage, and what leaves the last."""
        rows, columns, _ = self.network.input_shape
        pixels = rows * columns
        found = [Stream(np.arange(pixels), 0, pixels)]
        for stage in self.stages:
            found.append(passed(stage, found[-1]))
        return found

    @property
    def interval(self) -> int:
        """Cycles from an image to the next one."""
        return self.streams[0].pixels * self.pace

    @property
    def latency(self) -> int:
        """Cycles from the one in which the first pixel of an image is taken to the one in which its last
        number leaves, where neither end waits."""
        first, last = self.streams[0], self.streams[-1]
        own = int(last.causes[-1]) * self.pace + last.delay + self.stages[-1].layer.out_channels
        # No image is through before it is known to be whole.
        return _QUEUE + max(own, (first.pixels - 1) * self.pace)

    @property
    def flush(self) -> int:
        """Blank slots that push out the last result of an image which no other follows."""
        return max(0, int(self.streams[-1].causes[-1]) - self.streams[0].pixels + 1)


def passed(stage: LayerStage, stream: Stream) -> Stream:
    """What leaves a stage, of what enters it."""
    pool, quantizer = stage.pool, stage.quantizer
    stream = stream.through(stage.raster, stage.steps + stage.latency)
    if quantizer is not None:
        stream = Stream(stream.causes, stream.delay + quantizer.latency, stream.pixels)
    for raster in pool.rasters if pool is not None else ():
        stream = stream.through(raster, 2)
    return stream


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
    stages: list[LayerStage] = []
    rows, columns, _ = shape = network.input_shape
    stream = Stream(np.arange(rows * columns), 0, rows * columns)
    for layer in network.layers:
        spacing = stream.spacing * pace
        draft = min(
            (
                LayerStage(layer, shape, options)
                for options in _choices(layer, spacing, absorbs=absorbs, every=every)
            ),
            key=LayerStage.estimate,
        )
        options = KernelOptions(
            digit_bits=draft.options.digit_bits,
            serial=draft.options.serial,
            columns=draft.options.columns,
            absorbs=absorbs,
            every=every,
            evaluations=evaluations,
            seed=seed,
        )
        stages.append(LayerStage(layer, shape, options))
        stage = stages[-1]
        for raster in (stage.raster, *(stage.pool.rasters if stage.pool is not None else ())):
            if problem := raster.problem():
                raise InputError(f"layer {layer.name}: {problem}; {_ENGINE}")
        stream = passed(stage, stream)
        shape = layer.out_shape
    return PipelinePlan(network, stages, pace)


def _choices(layer: IntegerLayer, spacing: int, *, absorbs: bool, every: int) -> Iterator[KernelOptions]:
    """Ways to cut a layer's codes that keep up with a slot every `spacing` cycles."""
    bits = layer.a_bits
    for size in (1, 2) if absorbs else range(1, bits + 1):
        steps = -(-bits // size)
        if 1 < steps <= spacing:
            yield KernelOptions(digit_bits=size, serial=True, absorbs=absorbs, every=every, evaluations=0)
    for size in (1, 2) if absorbs else (bits,):
        yield KernelOptions(digit_bits=size, serial=False, absorbs=absorbs, every=every, evaluations=0)
    # Codes of one or two bits are what chains absorb whole.
    if bits > 2 and fits_columns(layer.values):
        yield KernelOptions(digit_bits=bits, serial=False, columns=True, absorbs=absorbs, every=every)


def check(network: IntegerNetwork) -> None:
    """Raises :class:`InputError` for what no pipeline runs, with the layer."""
    for index, layer in enumerate(network.layers):
        where = f"layer {layer.name}:"
        if layer.source != index - 1:
            raise InputError(f"{where} does not read the layer before it; {_ENGINE}")
        if layer.rescale is not None or layer.add is not None:
            raise InputError(f"{where} has a residual trunk; {_ENGINE}")
        if layer.block != (1, 1):
            raise InputError(f"{where} makes blocks of pixels of its channels; {_ENGINE}")
        if layer.codes.size > _MOST_WEIGHTS:
            raise InputError(
                f"{where} has {layer.codes.size:,} weights; accepted as constants: at most "
                f"{_MOST_WEIGHTS:,}; {_ENGINE}"
            )
        if layer.is_result and index < len(network.layers) - 1:
            raise InputError(f"{where} is a result before the last layer; {_ENGINE}")
