"""Named networks: trained weights where they ship, otherwise reproducible random ones."""

from pathlib import Path

from .. import checks
from ..errors import InputError
from ..network import npz
from ..network.network import Network
from . import architectures
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

    name: in the zoo, or the file of an architecture (.toml, .py), which has random weights;
    first_w, last_w: weight bits of the first and last layer, 1..8 (None: the architecture's);
    size: image (height, width), None for the usual one. Seed 0 gives the trained weights where
    `TRAINED` has the widths and nothing else was asked for; everything else gives random weights
    and batch normalization, the same bits for the same arguments on every machine. net_g says
    which training is meant; None takes the one that ships. Raises InputError for an unknown name,
    widths out of range, a size that the layers do not fit, or a net_g that was not trained.
    """
    architecture = architectures.find(name)
    plan = architecture.plan(net_w, net_a, first_w, last_w, size)
    checks.integer(seed, f"{name}: seed", 0)
    usual = plan == architecture.plan(net_w, net_a)
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
    return architectures.find(name).plan(net_w, net_a, first_w, last_w, size).outline()


def trained_path(name: str, net_w: int, net_a: int) -> Path:
    """Where the trained weights of these widths ship."""
    return _DATA / f"{name}-w{net_w}a{net_a}.npz"
