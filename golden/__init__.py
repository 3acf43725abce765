"""The golden model: what a network means, in NumPy, exactly.

`Network` describes a network in float, `lower` turns it into an `IntegerNetwork`, `run_integer`
runs that (by matrix product or by bit planes) and `run_float` runs the description itself: all
agree on every code of every layer.

A name loads its module when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import InputError
    from .lowering.affine_form import Affine, affine_form
    from .lowering.integer_network import IntegerLayer, IntegerNetwork
    from .lowering.lower import lower
    from .network.encoding import Encoding
    from .network.geometry import Geometry
    from .network.layer import Layer
    from .network.network import Network
    from .network.parts import BatchNorm, Pool, Rescale
    from .network.rescale import rescale_of
    from .quantizers.dorefa import (
        quantize_activations,
        quantize_gradients,
        quantize_k,
        quantize_weights,
    )
    from .random.network import random_images, random_network
    from .run.exact_float import run_float
    from .run.integer import logits, run_integer

_MODULES = {
    "Affine": "lowering.affine_form",
    "BatchNorm": "network.parts",
    "Encoding": "network.encoding",
    "Geometry": "network.geometry",
    "InputError": "errors",
    "IntegerLayer": "lowering.integer_network",
    "IntegerNetwork": "lowering.integer_network",
    "Layer": "network.layer",
    "Network": "network.network",
    "Pool": "network.parts",
    "Rescale": "network.parts",
    "affine_form": "lowering.affine_form",
    "logits": "run.integer",
    "lower": "lowering.lower",
    "quantize_activations": "quantizers.dorefa",
    "quantize_gradients": "quantizers.dorefa",
    "quantize_k": "quantizers.dorefa",
    "quantize_weights": "quantizers.dorefa",
    "random_images": "random.network",
    "random_network": "random.network",
    "rescale_of": "network.rescale",
    "run_float": "run.exact_float",
    "run_integer": "run.integer",
}

__all__ = [
    "Affine",
    "BatchNorm",
    "Encoding",
    "Geometry",
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


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
