"""The golden model: what a network means, in NumPy, exactly.

`Network` describes a network in float, `lower` turns it into an `IntegerNetwork`, `run_integer`
runs that (by matrix product or by bit planes) and `run_float` runs the description itself: all
agree on every code of every layer.
"""

from .errors import InputError
from .lowering.affine_form import Affine, affine_form
from .lowering.lower import IntegerLayer, IntegerNetwork, lower
from .network.network import BatchNorm, Layer, Network, Pool, Rescale, rescale_of
from .quantizers.dorefa import (
    quantize_activations,
    quantize_gradients,
    quantize_k,
    quantize_weights,
)
from .random.network import random_images, random_network
from .run.integer import logits, run_float, run_integer

__all__ = [
    "Affine",
    "BatchNorm",
    "InputError",
    "IntegerLayer",
    "IntegerNetwork",
    "Layer",
    "Network",
    "Pool",
    "Rescale",
    "affine_form",
    "logits",
    "lower",
    "quantize_activations",
    "quantize_gradients",
    "quantize_k",
    "quantize_weights",
    "random_images",
    "random_network",
    "rescale_of",
    "run_float",
    "run_integer",
]
