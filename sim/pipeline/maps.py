"""The maps that leave the stages of a pipeline: how many slots of each, and the values in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dorefa.hw.pipeline.plan import PipelinePlan
from dorefa.hw.pipeline.watch import Output, outputs

from ..job.errors import SimulationError

# Of each output, of each image: the words of the slots that left it, uint8 (slots, bytes).
Maps = list[list[np.ndarray]]


@dataclass(frozen=True)
class MapSizes:
    """Of each stage: `word_bytes` of a slot, `slots` of a map, and those that come `alone`, of an image that
    no other follows; nothing reads the rest."""

    word_bytes: list[int]
    slots: list[int]
    alone: list[int]


def map_sizes(plan: Any) -> MapSizes:
    """The sizes of the maps of a plan."""
    found = list(outputs(plan))
    return MapSizes(
        [output.word_bytes for output in found],
        [output.slots for output in found],
        [output.alone for output in found],
    )


class MapRecord:
    """Takes down the slots that leave all stages: `words` of each stage, one behind the other, and `ends`,
    how many of them each map had."""

    def __init__(self, sizes: MapSizes) -> None:
        self._sizes, self.word_bytes = sizes, sizes.word_bytes
        self._places = [0] * len(sizes.slots)
        self.words = [bytearray() for _ in sizes.slots]
        self.ends: list[list[int]] = [[] for _ in sizes.slots]

    def take(self, slots: int, restarts: int, words: int) -> None:
        """What the wires of a :class:`dorefa.hw.pipeline.watch.Watch` show in a cycle."""
        for stage, size in enumerate(self.word_bytes):
            if slots >> stage & 1:
                self.words[stage] += (words & ((1 << 8 * size) - 1)).to_bytes(size, "little")
                self._places[stage] += 1
            # What is left of an image is not pushed out any more.
            if self._places[stage] == self._sizes.slots[stage] or restarts >> stage & 1:
                self._end(stage)
            words >>= 8 * size

    def _end(self, stage: int) -> None:
        if self._places[stage]:
            self.ends[stage].append(self._places[stage])
        self._places[stage] = 0

    def complete(self, count: int) -> bool:
        """Whether all has come of so many images, of which no other follows the last one."""
        return all(
            len(ends) + (place >= alone) >= count
            for ends, place, alone in zip(self.ends, self._places, self._sizes.alone, strict=True)
        )

    def end(self) -> None:
        """No slot comes any more."""
        for stage in range(len(self._places)):
            self._end(stage)


def cut_maps(
    plan: PipelinePlan, ends: Iterable[Sequence[int]], words: Iterable[bytes | bytearray], count: int
) -> Maps:
    """The maps of `count` images, of a record's `ends` and `words`.

    Raises :class:`SimulationError` where more or fewer slots left a stage than have to.
    """
    sizes, maps = map_sizes(plan), []
    for output, own, data, size, slots, alone in zip(
        outputs(plan), ends, words, sizes.word_bytes, sizes.slots, sizes.alone, strict=True
    ):
        if len(own) != count:
            raise SimulationError(f"layer {output.name}: {len(own)} maps left of {count} images")
        for image, found in enumerate(own):
            if found not in (slots, alone):
                raise SimulationError(
                    f"layer {output.name}, image {image}: {found} slots left; expected {slots}, or "
                    f"{alone} where no image follows"
                )
        rows = np.frombuffer(bytes(data), np.uint8).reshape(-1, size)
        maps.append(np.split(rows, np.cumsum(own)[:-1]))
    return maps


def values_of(output: Output, words: np.ndarray) -> np.ndarray:
    """The numbers in the words of slots: int64 (pixels, channels)."""
    bits = output.bits
    fields = np.unpackbits(words, axis=1, bitorder="little")[:, : output.numbers * bits]
    values = (fields.reshape(-1, bits).astype(np.int64) << np.arange(bits)).sum(axis=1)
    if output.signed:
        values -= (values >> (bits - 1)) << bits
    return values.reshape(-1, output.shape[2])
