"""Named networks: trained weights where they ship, otherwise reproducible random ones."""

from pathlib import Path

import numpy as np

from . import architectures, checks, npz
from .architectures import Architecture, LayerSpec
from .errors import InputError
from .network import MAX_BITS, BatchNorm, Layer, Network, weight_values
from .raw_draws import RawDraws

_DATA = Path(__file__).parent / "data"
# Trained weights that ship: (name, weight bits, activation bits) -> gradient bits of the training.
TRAINED = {("digits", 1, 2): 6, ("digits", 1, 1): 4, ("digits", 2, 2): 6}


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
    architecture = architectures.find(name)
    checks.integer(net_a, f"{name}: net_a", 1, MAX_BITS)
    checks.integer(net_w, f"{name}: net_w", 1, MAX_BITS)
    widths = architecture.weight_bits(net_w, first_w, last_w)
    for spec, width in zip(architecture.layers, widths, strict=True):
        checks.integer(width, f"{name}: weight bits of layer {spec.name}", 1, MAX_BITS)
    checks.integer(seed, f"{name}: seed", 0)
    if size is not None:
        size = checks.integers(size, f"{name}: size", ("height", "width"), 1)
    shapes = architecture.shapes(size)

    usual = widths == architecture.weight_bits(net_w, None, None)
    usual = usual and shapes == architecture.shapes()
    trained_g = TRAINED.get((name, net_w, net_a)) if usual and seed == 0 else None
    if net_g is not None and net_g != trained_g:
        accepted = "none with random weights" if trained_g is None else f"{trained_g}, or none"
        raise InputError(f"{name}: net_g is {net_g!r}; accepted for these weights: {accepted}")
    if trained_g is not None:
        return npz.load(trained_path(name, net_w, net_a))
    return _random_weights(architecture, widths, net_a, RawDraws(seed), shapes)


def trained_path(name: str, net_w: int, net_a: int) -> Path:
    """Where the trained weights of these widths ship."""
    return _DATA / f"{name}-w{net_w}a{net_a}.npz"


def _random_weights(architecture: Architecture, widths, a_bits, draws, shapes) -> Network:
    layers = []
    in_bits = architecture.input_bits
    last = architecture.layers[-1]
    for spec, w_bits, shape in zip(architecture.layers, widths, shapes, strict=True):
        out_bits = None if spec is last else a_bits
        layers.append(_random_layer(spec, shape.in_shape, w_bits, in_bits, out_bits, draws))
        in_bits = out_bits
    return Network(
        name=architecture.name,
        input_shape=shapes[0].in_shape,
        input_bits=architecture.input_bits,
        layers=tuple(layers),
    )


def _random_layer(spec: LayerSpec, in_shape, w_bits, in_bits, out_bits, draws) -> Layer:
    """Uniform weight codes; statistics that fit uniform input codes, so that outputs spread."""
    codes = draws.codes(spec.weights_shape(in_shape), w_bits)
    fan_in = codes[0].size
    # For one bit the mean |w| of weights drawn with variance 2 / fan_in, roughly as trained.
    scale = np.float32(np.sqrt(1 / fan_in) if w_bits == 1 else 1)
    parameters = {}
    if spec.bias:
        bias = draws.reals(spec.channels, -0.5, 0.5)
        parameters["bias"] = bias.astype(np.float32)
    if spec.norm:
        parameters["norm"] = _random_norm(spec, codes, w_bits, scale, in_bits, draws)
    return spec.layer(codes=codes, w_bits=w_bits, scale=scale, a_bits=out_bits, **parameters)


def _random_norm(spec: LayerSpec, codes, w_bits, scale, in_bits, draws) -> BatchNorm:
    values = weight_values(codes, w_bits, "bipolar").astype(np.int64).reshape(len(codes), -1)
    # Mean 1/2 and variance (n + 2) / 12n of input codes uniform in 0..n, as reals code / n.
    levels = (1 << in_bits) - 1
    unit = float(scale) / ((1 << w_bits) - 1)
    mean = unit * values.sum(axis=1) / 2
    var = unit * unit * (values * values).sum(axis=1) * ((levels + 2) / (12 * levels))
    gamma = draws.reals(spec.channels, 0.25, 0.6)
    # One channel in eight has a negative slope, as trained networks have some.
    negative = draws.codes(spec.channels, 3) == 0
    beta = draws.reals(spec.channels, 0.3, 0.7)
    if spec.pool is not None:
        # The maximum of four lies about one standard deviation above the mean.
        beta -= 0.4
    return BatchNorm(
        gamma=np.where(negative, -gamma, gamma).astype(np.float32),
        beta=beta.astype(np.float32),
        mean=mean.astype(np.float32),
        var=var.astype(np.float32),
        eps=1e-4,
    )
