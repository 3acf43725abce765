"""How a network is trained: every choice that changes a bit of the result, checked."""

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from .. import checks
from ..errors import InputError
from ..network.layer import MAX_BITS
from ..network.network import Network
from ..reading import shown
from ..zoo.architecture import Architecture, Plan

# Bits that mean "not quantized".
FLOAT = 32
DEFAULT_RATE = 1e-3
KINDS = ("quantized", "float")
OPTIMIZERS = ("adam", "sgd")
_OPERANDS = {"weights": "weights", "reads": "activations that it reads", "gradients": "gradients"}
MAXIMA = ("sample", "exact", "batch")


class LayerBits(NamedTuple):
    """Bits of a layer's weights, of the activations that it reads, of those that its quantizer yields (None:
    a trunk or real scores), and of its gradients; FLOAT where they are not quantized."""

    weights: int
    reads: int
    yields: int | None
    gradients: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Widths, steps and seeds of a training. InputError, which names the field, for what is none.

    `w_bits`, `a_bits`: 1..8, or 32 for float; `first_w`, `last_w`: weight widths of the first and the last
    layer (None: the architecture's); `g_bits`: 1..8 in integers (:mod:`dorefa.golden.quantizers.gradient`),
    9..31 in the paper's float form of Eq. 12, 32 for float gradients. `first`, `last`: ``float`` leaves the
    weights and gradients of that layer, and what the last one reads, as they are (the paper's default).
    `maximum` of a gradient: ``sample`` is the integer form; ``exact``, the paper's maximum of each sample,
    and ``batch``, one for all samples, are in floating point.

    `epochs` over the images in batches of `batch`, in an order drawn per epoch; the learning rate falls in
    half a cosine from `rate` to 0. `optimizer`: ``adam``, or ``sgd`` with `momentum`; `weight_decay` is
    decoupled in both, see :mod:`.optimizer`. `seed`: initial weights and order; `noise_seed`: of the gradient
    quantizer, None for `seed`; `noise` False rounds gradients to nearest.
    """

    w_bits: int
    a_bits: int
    g_bits: int
    first_w: int | None = None
    last_w: int | None = None
    first: str = "quantized"
    last: str = "quantized"
    maximum: str = "sample"
    noise: bool = True
    epochs: int
    batch: int = 64
    rate: float = DEFAULT_RATE
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    seed: int
    noise_seed: int | None = None

    def __post_init__(self) -> None:
        _width(self.a_bits, "train: a_bits")
        if self.g_bits != FLOAT:
            checks.integer(self.g_bits, "train: g_bits (or 32 for float)", 1, FLOAT - 1)
        for name in ("first", "last"):
            checks.choice(getattr(self, name), f"train: {name}", KINDS)
            width = getattr(self, f"{name}_w")
            if getattr(self, name) == "float" and width is not None:
                raise InputError(f"train: {name} is float and {name}_w is {width}; accepted: one of them")
        checks.choice(self.maximum, "train: maximum", MAXIMA)
        checks.integer(self.epochs, "train: epochs", 1)
        checks.integer(self.batch, "train: batch", 1)
        checks.integer(self.seed, "train: seed", 0)
        if self.noise_seed is not None:
            checks.integer(self.noise_seed, "train: noise_seed", 0)
        checks.choice(self.optimizer, "train: optimizer", OPTIMIZERS)
        for name, good, accepted in (
            ("rate", isfinite(self.rate) and self.rate > 0, "a finite number above 0"),
            ("momentum", 0 <= self.momentum < 1, "0 or more, below 1"),
            ("weight_decay", 0 <= self.weight_decay * self.rate < 1, "0 or more, below 1 / rate"),
        ):
            if not good:
                raise InputError(f"train: {name} is {getattr(self, name)}; accepted: {accepted}")

    @property
    def stream_seed(self) -> int | None:
        """Seed of the gradient quantizer's noise, None where it rounds to nearest."""
        if not self.noise:
            return None
        return self.seed if self.noise_seed is None else self.noise_seed

    def outline(self, architecture: Architecture) -> Network:
        """`architecture` without numbers, all weights and float activations as if of one bit: its shapes and
        links. InputError for what is no network, or cannot be one with activations of `a_bits`."""
        sized, shapes = architecture.sized()
        a_bits = sized.activation_bits(1 if self.a_bits == FLOAT else self.a_bits)
        return Plan(sized, sized.image_bits(self.a_bits), [1] * len(shapes), a_bits, shapes).outline()

    def layer_bits(self, architecture: Architecture) -> list[LayerBits]:
        """Of every layer of `architecture`. InputError for a weight width that is none, or see `outline`."""
        weights = architecture.weight_bits(self.w_bits, self.first_w, self.last_w)
        for spec, width in zip(architecture.layers, weights, strict=True):
            _width(width, f"train: weight bits of layer {spec.name}")
        outline = self.outline(architecture)
        gradients = [self.g_bits] * len(weights)
        yields = [layer.a_bits for layer in outline.layers]
        if self.a_bits == FLOAT:
            yields = [bits and FLOAT for bits in yields]
        for number, kind in ((0, self.first), (-1, self.last)):
            if kind == "float":
                weights[number] = gradients[number] = FLOAT
        source = outline.links[-1].source
        if self.last == "float" and source >= 0:
            yields[source] = FLOAT
        reads = [
            FLOAT if link.source >= 0 and yields[link.source] == FLOAT else link.bits
            for link in outline.links
        ]
        return [LayerBits(*bits) for bits in zip(weights, reads, yields, gradients, strict=True)]

    def check_storable(self, architecture: Architecture) -> None:
        """InputError that names the first layer of which a network file has no form: its weights or what it
        yields are not quantized."""
        for spec, bits in zip(architecture.layers, self.layer_bits(architecture), strict=True):
            for what, width in (("weights", bits.weights), ("activations", bits.yields)):
                if width == FLOAT:
                    raise InputError(
                        f"train: layer {spec.name} has float {what}, which no network file holds; "
                        f"accepted: 1 to {MAX_BITS} bits, or a training without one"
                    )

    def check_integers(self, architecture: Architecture, backend: str) -> None:
        """InputError that names the first layer that is not in integers, for which `backend` has no use."""
        for spec, bits in zip(architecture.layers, self.layer_bits(architecture), strict=True):
            for what in ("weights", "reads", "gradients"):
                width = getattr(bits, what)
                if width > MAX_BITS:
                    raise InputError(
                        f"train: layer {spec.name}: {_OPERANDS[what]} have {width} bits; "
                        f"accepted by the backend {backend}: 1 to {MAX_BITS}"
                    )
        if self.maximum != "sample":
            raise InputError(f"train: maximum is {self.maximum}; accepted by the backend {backend}: sample")

    def in_integers(self, bits: LayerBits) -> bool:
        """Whether a layer of these bits is computed in integers."""
        return self.maximum == "sample" and max(bits.weights, bits.reads, bits.gradients) <= MAX_BITS


def _width(value: object, where: str) -> None:
    if value != FLOAT:
        try:
            checks.integer(value, where, 1, MAX_BITS)
        except InputError:
            raise InputError(
                f"{where} is {shown(value)}; accepted: 1 to {MAX_BITS}, or {FLOAT} for float"
            ) from None
