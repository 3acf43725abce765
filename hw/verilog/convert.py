"""From an Amaranth component to the modules of :mod:`.model`."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Elaboratable, Fragment, Value
from amaranth.lib import wiring

from ..fabric.families import FabricPlatform
from ..lib.amaranth_private import (
    Design,
    EmptyModuleChecker,
    MemoryCell,
    ModuleEmitter,
    Netlist,
    PortDirection,
    SignalDict,
    build_netlist,
)
from ..lib.shared import SharedModules
from . import rtlil
from .model import Module


class _Emitter(ModuleEmitter):
    """Amaranth's emitter, except that contents of memories are left out where they are all zeros.

    Writing every zero of the large memories takes longer than all the rest.
    """

    preloaded: tuple[str, ...] = ()

    def emit_memory(self, cell_idx: int, cell: MemoryCell) -> None:
        path = ".".join((*self.module.name, self.memories[cell_idx].memid.lstrip("\\")))
        if not any(cell.init) and not any(path.startswith(kept) for kept in self.preloaded):
            return
        rows = "".join(f"{row:0{cell.width}b}" for row in reversed(cell.init))
        self.builder.cell(
            "$meminit_v2",
            ports={
                "ADDR": self.sigspec(),
                "DATA": f"{len(rows)}'{rows}",
                "EN": f"{cell.width}'{'1' * cell.width}",
            },
            parameters={
                "MEMID": self.memories[cell_idx].memid,
                "ABITS": 0,
                "WIDTH": cell.width,
                "WORDS": cell.depth,
                "PRIORITY": 0,
            },
            src_loc=cell.src_loc,
        )


def convert(
    component: wiring.Component, *, name: str, preloaded: Iterable[str] = (), fabric: str | None = None
) -> list[Module]:
    """The modules of a component, parents first, one per instance, named by their instance paths.

    Memories have initial contents when some bit of them is set, or when their instance path starts
    with a string in `preloaded` (which may be all zeros on purpose). `fabric` names the family whose
    cells components may use (:mod:`.families`).
    """
    shared = SharedModules(name, fabric)
    builder = Design(emit_src=False)
    _emit(builder, component, name, tuple(preloaded), shared, top=True)
    for module, prototype in shared.prototypes.items():
        _emit(builder, prototype, module, (), FabricPlatform(fabric))
    return rtlil.parse(str(builder))


def _emit(
    builder: Design,
    component: wiring.Component,
    name: str,
    preloaded: tuple[str, ...],
    platform: SharedModules | FabricPlatform,
    top: bool = False,
) -> None:
    """Adds the modules of `component`, its own under `name`."""
    netlist = _netlist(component, component.signature, name, platform)
    empty = EmptyModuleChecker(netlist)
    emitter = type("Emitter", (_Emitter,), {"preloaded": preloaded})
    names = SignalDict()
    for number, module in enumerate(netlist.modules):
        if not empty.is_empty(number):
            target = builder.module(".".join(module.name), src_loc=module.src_loc)
            if number == 0 and top:
                target.attribute("top", 1)
            emitter(target, netlist, module, names, empty_checker=empty).emit()


def _netlist(component: Elaboratable, signature: wiring.Signature, name: str, platform: object) -> Netlist:
    """Amaranth's netlist of a component; nested ports are joined with two underscores."""
    ports = {}
    for path, member, value in signature.flatten(component):
        direction = PortDirection.Input if member.flow == wiring.In else PortDirection.Output
        ports["__".join(map(str, path))] = (Value.cast(value), direction)
    return build_netlist(Fragment.get(component, platform), ports=ports, name=name)
