"""The list of targets. A family is a file beside this one, whose ``TARGET`` is all that is known of it, and a
line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from dorefa.golden.errors import InputError

from .target import BoardFlow, Router, Target

_MODULES = (
    "ice40",
    "ecp5",
    "gowin",
    "gatemate",
    "xilinx",
    "asic",
)
TARGETS: dict[str, Target] = {
    target.name: target for target in (import_module(f".{name}", __package__).TARGET for name in _MODULES)
}
DEFAULT = "ecp5"


def find_target(name: str) -> Target:
    """The :class:`Target` called `name`; :class:`InputError` lists the names if there is none."""
    if name not in TARGETS:
        raise InputError(f"unknown target {name!r}; accepted: {', '.join(TARGETS)}")
    return TARGETS[name]


def find_router(name: str) -> Router:
    """Place and route of the target called `name`; :class:`InputError` lists the targets that have it."""
    router = find_target(name).router
    if router is None:
        accepted = ", ".join(names(lambda target: target.router))
        raise InputError(f"no place and route for target {name}; accepted: {accepted}")
    return router


def find_board_flow(name: str) -> BoardFlow:
    """The :class:`BoardFlow` of the target called `name`; :class:`InputError` lists the targets that have
    one."""
    flow = find_target(name).boards
    if flow is None:
        accepted = ", ".join(names(lambda target: target.boards))
        raise InputError(f"no bitstreams for target {name}; accepted: {accepted}")
    return flow


def names(where: Callable[[Target], object]) -> list[str]:
    """Names of the targets for which `where` holds, as ``lambda target: target.router``."""
    return [name for name, target in TARGETS.items() if where(target)]
