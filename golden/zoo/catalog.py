"""Named networks: trained weights where they ship, otherwise reproducible random ones."""

from pathlib import Path

import numpy as np

from .. import checks
from ..errors import InputError
from ..network import npz
from ..network.layer import MAX_BITS
from ..network.network import Network
from ..network.parts import Rescale
from . import architectures
from .architecture import Plan
from .weights import random_weights

_DATA = Path(__file__).parent / "data"
# Trained weights that ship: (name, weight bits, activation bits) -> gradient bits of the training.
TRAINED = {
    ("digits", 1, 2): 6,
    ("digits", 1, 1): 4,
    ("digits", 2, 2): 6,
    ("digits-small", 1, 2): 6,
}


def names() -> list[str]:
    """Names that `load` knows."""
    return list(architectures.ARCHITECTURES)


def load(
    name: str,
    *,
    net_w: int = 1,
    net_a: int = 2,
    net_g: int | None = None,
    seed: int = 0,
    first_w: int | None = None,
    last_w: int | None = None,
    size: tuple[int, int] | None = None,
) -> Network:
    """The network called `name` with net_w-bit weights and net_a-bit activations, 1..8 each.

    first_w, last_w: weight bits of the first and last layer, 1..8 (None: the architecture's);
    size: image (height, width), None for the usual one. Seed 0 gives the trained weights where
    `TRAINED` has the widths and nothing else was asked for; everything else gives random weights
    and batch normalization, the same bits for the same arguments on every machine. net_g says
    which training is meant; None takes the one that ships. Raises InputError for an unknown name,
    widths out of range, a size that the layers do not fit, or a net_g that was not trained.
    """
    plan = _plan(name, net_w, net_a, first_w, last_w, size)
    checks.integer(seed, f"{name}: seed", 0)
    usual = plan == _plan(name, net_w, net_a, None, None, None)
    trained_g = TRAINED.get((name, net_w, net_a)) if usual and seed == 0 else None
    if net_g is not None and net_g != trained_g:
        accepted = "none with random weights" if trained_g is None else f"{trained_g}, or none"
        raise InputError(f"{name}: net_g is {net_g!r}; accepted for these weights: {accepted}")
    if trained_g is not None:
        return npz.load(trained_path(name, net_w, net_a))
    return random_weights(plan, seed)


def outline(
    name: str,
    *,
    net_w: int = 1,
    net_a: int = 2,
    seed: int = 0,
    first_w: int | None = None,
    last_w: int | None = None,
    size: tuple[int, int] | None = None,
) -> Network:
    """The network that `load` gives, but for weights and statistics, which are zero or missing.

    Takes no time and no memory: enough for tables of shapes, widths and operations. The same
    arguments and errors as `load`; every seed has the same outline.
    """
    checks.integer(seed, f"{name}: seed", 0)
    plan = _plan(name, net_w, net_a, first_w, last_w, size)
    layers = []
    for spec, w_bits, a_bits, shape in zip(
        plan.architecture.layers, plan.w_bits, plan.a_bits, plan.shapes, strict=True
    ):
        codes = np.broadcast_to(np.uint8(0), spec.weights_shape(shape.in_shape))
        zeros = np.zeros(spec.channels, np.int64)
        rescale = Rescale(m=zeros, b=zeros, f=0, scale=np.float32(1)) if spec.trunk else None
        layers.append(
            spec.layer(codes=codes, w_bits=w_bits, a_bits=a_bits, scale=np.float32(1), rescale=rescale)
        )
    return Network(
        name=name,
        input_shape=plan.architecture.input_shape,
        input_bits=plan.input_bits,
        layers=tuple(layers),
    )


def _plan(
    name: str, net_w: int, net_a: int, first_w: int | None, last_w: int | None, size: tuple[int, int] | None
) -> Plan:
    """The checked Plan of these arguments of `load`."""
    architecture = architectures.find(name)
    checks.integer(net_a, f"{name}: net_a", 1, MAX_BITS)
    checks.integer(net_w, f"{name}: net_w", 1, MAX_BITS)
    widths = architecture.weight_bits(net_w, first_w, last_w)
    for spec, w_bits in zip(architecture.layers, widths, strict=True):
        checks.integer(w_bits, f"{name}: weight bits of layer {spec.name}", 1, MAX_BITS)
    if size is not None:
        height, width = checks.integers(size, f"{name}: size", ("height", "width"), 1)
        size = height, width
    sized, shapes = architecture.sized(size)
    return Plan(sized, sized.image_bits(net_a), widths, sized.activation_bits(net_a), shapes)


def trained_path(name: str, net_w: int, net_a: int) -> Path:
    """Where the trained weights of these widths ship."""
    return _DATA / f"{name}-w{net_w}a{net_a}.npz"
