"""Jobs and an engine that the tests of this folder share."""

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.hw.config.engine import EngineConfig

CONFIG = EngineConfig(
    lanes=16,
    rows=4,
    quant=2,
    fetch_bits=8,
    w_bits=8,
    a_bits=8,
    out_bits=1,
    acc_bits=28,
    weight_depth=2048,
    feature_depth=2048,
    image_depth=2048,
    patch_depth=128,
    image_patch_depth=128,
    layer_depth=128,
    port_bytes=4,
    weights="stream",
    results="wide",
    training=1,
)

# conv2 of svhn-a, which should keep an array busy.
LARGE = ConvolutionShape(
    name="conv2",
    in_shape=(18, 18, 64),
    channels=64,
    kernel=(3, 3),
    padding=1,
    w_bits=1,
    a_bits=2,
    g_bits=6,
)


def job_of(**fields):
    """A job of kind ``input``, or with other fields."""
    common = {"layer": "conv", "kind": "input", "in_shape": (5, 4, 6), "out_channels": 10, "kernel": (3, 2)}
    return Job(**(common | {"w_bits": 3, "a_bits": 2} | fields))


def shared_job(**fields):
    """A job of form P: channel groups of one channel with the same weights."""
    common = {"kind": "weight", "form": "P", "out_channels": 42, "groups": 6, "shared_weights": True}
    return job_of(**(common | fields))


def operands(job, rng, images=3, weights=3):
    """(images, weights) of a job, uint8 codes."""
    return (
        rng.integers(0, 1 << job.a_bits, (images, *job.in_shape), np.uint8),
        rng.integers(0, 1 << job.w_bits, (weights, *job.weights_shape), np.uint8),
    )


def shape_of(**fields):
    """A layer of a training step."""
    common = {"name": "conv", "in_shape": (8, 8, 4), "channels": 6, "kernel": (3, 3), "padding": 1}
    return ConvolutionShape(**(common | {"w_bits": 1, "a_bits": 2, "g_bits": 4} | fields))


NETWORK = (
    shape_of(name="conv0", in_shape=(8, 8, 1), channels=4, a_bits=8),
    shape_of(name="conv1", stride=2),
    shape_of(name="fc", in_shape=(4, 4, 6), kernel=(4, 4), padding=0, channels=3, w_bits=8),
)
