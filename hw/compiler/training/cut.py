"""Jobs that do not fit an engine at once, in parts of fewer output channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.errors import InputError

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.weight_sources import weight_source
from .job_pass import JobPass, map_layout


@dataclass(frozen=True, kw_only=True)
class JobPart:
    """What one pass computes of a job: some of its channel groups, and of each some output channels.

    `groups` and `channels` (within a group) are ranges of the job's.
    """

    job: Job
    computed: JobPass
    groups: range
    channels: range

    def images(self, images: np.ndarray) -> np.ndarray:
        """The channels of a job's images, uint8 (N, H, W, C), that the part reads."""
        inner = self.job.in_shape[2] // self.job.groups
        return images[..., self.groups.start * inner : self.groups.stop * inner]

    def weights(self, weights: np.ndarray) -> np.ndarray:
        """The output channels of a job's weights, uint8 (M, *weights_shape), that the part computes."""
        count = 1 if self.job.shared_weights else self.job.groups
        groups = slice(None) if self.job.shared_weights else slice(self.groups.start, self.groups.stop)
        split = weights.reshape(len(weights), count, -1, *weights.shape[2:])
        own = split[:, groups, self.channels.start : self.channels.stop]
        return own.reshape(len(weights), -1, *weights.shape[2:])

    def put(self, sums: np.ndarray, into: np.ndarray) -> None:
        """Puts the part's sums (N, Ho, Wo, channels) where they belong in the job's."""
        split = into.reshape(*into.shape[:3], self.job.groups, -1)  # a view
        own = split[..., self.groups.start : self.groups.stop, self.channels.start : self.channels.stop]
        own[...] = sums.reshape(own.shape)


# Steps ask again and again for the same few jobs.
@lru_cache(maxsize=4096)
def parts_of(job: Job, config: EngineConfig) -> tuple[JobPart, ...]:
    """The passes of a job on an engine of `config`: as few as its weight memory (half of it, where weights
    stream in), its feature memory and the fields of its program allow.

    Raises :class:`InputError` that names the job where a tile of it, or the map of one channel group, does
    not fit, or another depth or width of the engine is too small.
    """
    whole = JobPass(part=job, config=config)
    counted = program.loops(config)["group_rounds"]  # groups, or tiles of one
    groups = min(job.groups, _groups_of_maps(job, config), counted)
    channels = whole.geometry.channels
    tile_words = job.w_bits * whole.geometry.words
    source = weight_source(config)
    room = source.room(config) or config.weight_depth
    tiles = min(room // tile_words, counted)
    if not tiles:
        least = source.least_depth([tile_words])
        raise InputError(
            f"job {job.name}: one tile of {config.total_rows} channels needs {tile_words} weight words per "
            f"row (= {whole.geometry.words} words x {job.w_bits} bits), the engine has weight_depth = "
            f"{config.weight_depth}; accepted: at least {least}"
        )
    if whole.geometry.tiles > tiles:
        # Not in the same pass as other groups, unless these have the same weights.
        channels = -(-whole.geometry.tiles // -(-whole.geometry.tiles // tiles)) * config.total_rows
        groups = groups if job.shared_weights else 1
    elif not job.shared_weights:
        groups = min(groups, tiles // whole.geometry.tiles)
    return tuple(_parts(job, config, groups, channels))


def _groups_of_maps(job: Job, config: EngineConfig) -> int:
    """Channel groups whose maps fit the feature memory together. InputError where not even one does."""
    name = "feature_depth" if job.a_bits <= config.out_bits else "image_depth"
    depth = config.feature_depth
    if job.a_bits > config.out_bits and config.image_planes:
        depth = min(depth, config.image_depth)
    layout = map_layout(job)
    words = layout.block_words(config.fetch_bits)
    if words > depth:
        height, width, channels = layout.shape[0], layout.shape[1], layout.channels
        raise InputError(
            f"job {job.name}: a map of {height}x{width}x{channels} codes of {job.a_bits} bits needs {words} "
            f"words of {config.fetch_bits} bits per plane, the engine has {name} = {depth}; accepted: at "
            f"least {words}"
        )
    return depth // words


def _parts(job: Job, config: EngineConfig, groups: int, channels: int) -> Iterator[JobPart]:
    """Parts of at most so many groups, and output channels of each group; those that are alike share what is
    computed of them."""
    passes: dict[Job, JobPass] = {}
    inner, outer = job.in_shape[2] // job.groups, job.out_channels // job.groups
    for group in range(0, job.groups, groups):
        own_groups = range(group, min(group + groups, job.groups))
        for channel in range(0, outer, channels):
            own = range(channel, min(channel + channels, outer))
            part = dataclasses.replace(
                job,
                in_shape=(*job.in_shape[:2], inner * len(own_groups)),
                groups=len(own_groups),
                out_channels=len(own) * len(own_groups),
            )
            if part not in passes:
                passes[part] = JobPass(part=part, config=config)
                _check(passes[part])
            yield JobPart(job=job, computed=passes[part], groups=own_groups, channels=own)


def _check(computed: JobPass) -> None:
    """Raises :class:`InputError` where the engine is too small for a pass."""
    config = computed.config
    for name, need in computed.needs.items():
        have = getattr(config, name)
        if name in ("image_depth", "image_patch_depth") and not config.image_planes:
            continue
        if have < need.least:
            raise InputError(
                f"job {computed.part.name}: it needs {name} of {need.least}, the engine has {have}; "
                f"accepted: at least {need.least}"
            )
