"""One random engine for many random networks, of every size as large as one of them needs."""

from dataclasses import dataclass

from dorefa.golden.errors import InputError
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.plan import Plan
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.checks import plane_group_choices
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.config.ranges import CHOICES

from .drawing import ENCODINGS, random_case, random_graph

# What no further network changes, beside the choices among names: the array, its ports, its order.
FIXED = {*CHOICES, "lanes", "rows", "cols", "engines", "quant", "fetch_bits", "patch_slots", "prefetch"}
FIXED |= {"port_bytes", "batch", "training"}
# What every second engine keeps too, so that not all of them have everything.
FEATURES = ("w_bits", "a_bits", "out_bits", "plane_groups", "sum_values", "sum_codes", "trunk_bits")
_WIDTHS = ("w_bits", "a_bits", "out_bits")
# Networks that are tried for a place, and cycles of an image: longer ones cost more than the engine's build.
_TRIES = 8
_LONGEST = 60_000
# The draws of `random_case` come before.
_FIRST = 500


@dataclass(frozen=True)
class Member:
    """A `network` (integer) that the engine runs, and the `draw` that made it, a seed of `random_graph`."""

    draw: int
    network: object


def random_set(seed, count):
    """(configuration, at most `count` members): the case of `seed` first, then others on the same engine.

    The engine keeps the choices of the first case; its widths and depths grow with what others need, on
    engines of odd seeds the depths alone. Networks that cannot run on it, or take too long, are passed over.
    """
    network, compiled, _ = random_case(seed)
    config, members = compiled.config, [Member(int(network.name.removeprefix("random")), network)]
    for draw in range(1000 * seed + _FIRST, 1000 * seed + _FIRST + _TRIES * count):
        if len(members) == count:
            break
        draws = RawDraws(draw)
        other = Member(draw, random_graph(draw, draws, **_suited(config, draws, grows=not seed % 2)))
        try:
            wider = widened(config, other.network, grows=not seed % 2)
            _check(Plan.of(other.network, wider), longest=_LONGEST)
            # The others run on it already, if it is the same.
            for member in members if wider != config else ():
                _check(Plan.of(member.network, wider))
        except InputError as error:
            print(f"not network {draw} of engine {seed}: {error}")
            continue
        config = wider
        members.append(other)
    return config, members


def _suited(config, draws, grows):
    """Options of a graph that the engine is likely to run."""
    accepted = {"bipolar": ENCODINGS[:1], "any": ENCODINGS}.get(config.encoding, ENCODINGS[1:2])
    given = {"encodings": draws.pick(accepted)}
    if grows:
        return given
    return given | {
        "residual": config.trunk_bits > 0 and draws.chance(2),
        "allow_average": config.sum_values == 1,
        "w_bits": draws.integer(1, config.w_bits),
        "a_bits": draws.integer(1, config.out_bits),
        "input_bits": draws.integer(1, config.a_bits),
    }


def _check(plan, longest=None):
    """Raises InputError unless the plan's network runs, if need be within so many cycles an image."""
    if plan.problems:
        raise InputError(plan.problems[0])
    if longest is not None and plan.cycles > longest:
        raise InputError(f"{plan.cycles} cycles; accepted: at most {longest}")


def widened(config, network, grows=True):
    """`config` with every size at least what the network needs, its :data:`FEATURES` only if it `grows`.

    Raises InputError where that cannot be.
    """
    chosen = {name: getattr(config, name) for name in FIXED if name != "trunks"}
    own = fit(network, **chosen)
    for name in () if grows else FEATURES:
        if name != "plane_groups" and getattr(own, name) > getattr(config, name):
            needed, there = getattr(own, name), getattr(config, name)
            raise InputError(f"{name} is {there}; accepted: at least {needed}, which it needs")
    chosen |= {name: max(getattr(config, name), getattr(own, name)) for name in _WIDTHS}
    stored = chosen["a_bits"] if config.sum_codes or own.sum_codes else chosen["out_bits"]
    groups = plane_group_choices(chosen["a_bits"], stored)
    chosen["plane_groups"] = max(number for number in groups if number <= config.plane_groups)
    sized = fit(network, **chosen).as_dict()
    sizes = {name: max(value, getattr(config, name)) for name, value in sized.items() if name not in chosen}
    return EngineConfig(**sizes | chosen | {"trunks": config.trunks})
