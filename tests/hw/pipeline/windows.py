"""Random windows, slots of images, and what the windows hold."""

import numpy as np

from dorefa.golden.network.geometry import Windows
from dorefa.hw.pipeline.slots.raster import cropped


def geometry(rng, shape):
    """A random one that fits a map, with less padding than its windows have pixels."""
    while True:
        kernel, stride, dilation = (tuple(rng.integers(1, most, 2).tolist()) for most in (5, 4, 4))
        reach = [(kernel[axis] - 1) * dilation[axis] + 1 for axis in (0, 1)]
        before = [int(rng.integers(0, size)) for size in reach]
        behind = [int(rng.integers(0, size - own)) for size, own in zip(reach, before, strict=True)]
        made = Windows(kernel=kernel, stride=stride, padding=(*before, *behind), dilation=dilation)
        if min(made.output_size(shape)) > 0:
            return cropped(made, shape)[0]


def slots_of(images, gaps, steps, rng, blanks):
    """(word, blank), None or "restart" of every cycle: images one after another, or with blank slots and a
    restart behind each, whose words may be anything."""
    for number, image in enumerate(images):
        for pixel in image.reshape(-1, image.shape[-1]):
            yield pixel, False
            yield from [None] * (steps - 1 + (int(rng.integers(0, 4)) if gaps else 0))
        if blanks is not None or number == len(images) - 1:
            for _ in range(image.shape[0] * image.shape[1] if blanks is None else blanks):
                yield rng.integers(0, image.max() + 1, image.shape[-1]), True
                yield from [None] * (steps - 1)
            yield "restart"
            yield from [None] * steps
    yield from [None] * (2 + steps)


def windows_of(images, geometry, signed, bits):
    """What a window shows: codes, two's complement greater by half their range, as is the padding."""
    half = 1 << (bits - 1) if signed else 0
    padded = geometry.pad(images ^ half, half)
    rows, columns = geometry.output_size(images.shape[1:3])
    found = []
    for image in padded:
        for y in range(rows):
            for x in range(columns):
                top, left = y * geometry.stride[0], x * geometry.stride[1]
                ends = top + geometry.reach[0], left + geometry.reach[1]
                window = image[top : ends[0] : geometry.dilation[0], left : ends[1] : geometry.dilation[1]]
                found.append(window.ravel())
    return np.array(found)
