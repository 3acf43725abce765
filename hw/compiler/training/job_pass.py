"""A job as one pass of a resident program: its descriptor, what goes in, what comes out, what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ...config.engine import EngineConfig
from ...interface import program
from ..cycles import PassCycles, before_first_read, predict
from ..descriptor import descriptor
from ..geometry import PassGeometry
from ..map_layout import MapLayout
from ..needs import Need, needs, xnor_constants
from ..passes import Pass
from ..schedule import Schedule
from .job_layer import layer_of


def map_layout(job: Job) -> MapLayout:
    """How a job's map lies in the feature memory: a block for each of its channel groups, so that a
    kernel row of one group is one run of bits."""
    if job.groups == 1:
        return MapLayout.dense(job.in_shape)
    return MapLayout(shape=job.in_shape, blocks=job.groups, channels=job.in_shape[2] // job.groups)


@dataclass(frozen=True, kw_only=True)
class JobPass:
    """A job that an engine of `config` computes at once, as a program of one pass.

    `part` is the job, or a part of one (:mod:`.cut`); everything else follows from both.
    """

    part: Job
    config: EngineConfig

    @cached_property
    def layer(self) -> IntegerLayer:
        """The job as the compiler's other parts know it."""
        return layer_of(self.part)

    @cached_property
    def source(self) -> MapLayout:
        """The layout of its map."""
        return map_layout(self.part)

    @cached_property
    def geometry(self) -> PassGeometry:
        """Tiles, words, runs."""
        shared = self.part.shared_weights
        return PassGeometry.of(self.layer, self.config, source=self.source, shared_weights=shared)

    @cached_property
    def schedule(self) -> Schedule:
        """The one pass, which reads the image."""
        one = Pass(layer=0, part=0, parts=1, geometry=self.geometry, first_group=0, first_channel=0)
        words = self.source.words(self.config.fetch_bits)
        return Schedule(
            passes=(one,),
            maps=(None,),
            map_words=words,
            image_words=words,
            addresses=(0,),
            trunk_groups=1,
            trunk_addresses=(None,),
            trunk_steps=(None,),
            trunk_sources=(None,),
        )

    @cached_property
    def network(self) -> IntegerNetwork:
        """The one layer, on images as the port takes them."""
        return IntegerNetwork(
            name=self.part.name,
            input_shape=(1, 1, self.image_bytes),
            input_bits=self.part.a_bits,
            layers=(self.layer,),
        )

    @cached_property
    def image_bytes(self) -> int:
        """Bytes of an image's packet."""
        if self.source.blocks == 1:
            return math.prod(self.part.in_shape)
        return self.source.words(self.config.fetch_bits) * self.config.fetch_bits

    @cached_property
    def result_bytes(self) -> int:
        """Bytes of an image's sums, as they leave."""
        return math.prod(self.part.out_shape) * self.config.result_bits // 8

    @cached_property
    def needs(self) -> dict[str, Need]:
        """What the job needs of the engine's depths and widths."""
        found = needs(self.network, self.config, self.schedule)
        for name in ("out_bits", "param_depth", "pool_depth", "line_depth"):
            del found[name]  # no codes leave, and parameters of sums are all zero
        return found

    @cached_property
    def cost(self) -> PassCycles:
        """Predicted cycles of an image, from its first feature read to its last sum: `cycles` of one with
        which its weights stream in, `computing` where they are there."""
        return predict(self.network, self.schedule, self.config)[0]

    @cached_property
    def lead(self) -> int:
        """Predicted cycles from an image's first beat to its first feature read."""
        return before_first_read(self.network, self.config)

    @cached_property
    def descriptor(self) -> tuple[int, ...]:
        """The words of the program. InputError where a field is too narrow for the job."""
        values = descriptor(self.schedule, 0, self.config, self.network, weight_base=0, param_base=0)
        values |= {"shared_weights": self.part.shared_weights, "bare_sums": True}
        # The place of codes and of their parameters, of which there are none.
        values |= {"pixel_groups": 0, "param_base": 0}
        return tuple(program.encode(self.config, self.part.name, values))

    def packets(self, images: np.ndarray) -> np.ndarray:
        """Images uint8 (N, H, W, C) as packets, uint8 (N, image_bytes)."""
        count, blocks = len(images), self.source.blocks
        if blocks == 1:
            return images.reshape(count, -1)
        split = images.reshape(count, -1, blocks, self.source.channels).transpose(0, 2, 1, 3)
        packets = np.zeros((count, blocks, self.image_bytes // blocks), np.uint8)
        own = split.shape[2] * split.shape[3]
        packets[:, :, :own] = split.reshape(count, blocks, own)
        return packets.reshape(count, -1)

    def constants(self, weights: np.ndarray) -> np.ndarray:
        """What XNOR products lack of the sums, int64 (M, out_channels), for weight codes (M, ...)."""
        lacks = xnor_constants(self.layer, self.geometry, self.config, weights)
        return np.tile(lacks, (1, self.part.groups if self.part.shared_weights else 1))

    def answers(self, results: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sums int64 (N, Ho, Wo, out_channels) from what left the engine, uint8 (N, bytes), and the
        weight codes, uint8 (1 or N, ...)."""
        sums = results.view(f"<i{self.config.result_bits // 8}").astype(np.int64)
        return sums.reshape(-1, *self.part.out_shape) + self.constants(weights)[:, None, None]
