"""Components that occur many times, described once in the Verilog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring


class SharedModules:
    """The platform of the Verilog export: :func:`add_shared` asks it for one prototype per kind.

    Amaranth elaborates and writes every instance of a component separately, which for an array of
    thousands takes minutes. `prototypes` maps module names to the component to write for them.
    """

    def __init__(self, top: str, fabric: str | None = None) -> None:
        self._top = top
        self.fabric = fabric
        self.prototypes: dict[str, wiring.Component] = {}

    def prototype(self, kind: str, make: Callable[[], wiring.Component]) -> tuple[str, wiring.Component]:
        """(module name, component) of the one component of this kind."""
        name = f"{self._top}.{kind}"
        if name not in self.prototypes:
            self.prototypes[name] = make()
        return name, self.prototypes[name]


def add_shared(
    m: Module, platform: Any, *, name: str, kind: str, make: Callable[[], wiring.Component]
) -> wiring.Component | wiring.PureInterface:
    """Adds the component that `make()` returns as submodule `name` of `m`; returns its interface.

    All components of one `kind` must be equal. They live in the `sync` domain. On the export's
    platform each is an instance of one common module.
    """
    if not isinstance(platform, SharedModules):
        m.submodules[name] = component = make()
        return component
    module, prototype = platform.prototype(kind, make)
    interface = prototype.signature.create(path=(name,))
    ports = {
        f"{'i' if member.flow == wiring.In else 'o'}_{'__'.join(map(str, path))}": Value.cast(value)
        for path, member, value in prototype.signature.flatten(interface)
    }
    m.submodules[name] = Instance(module, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
    return interface
