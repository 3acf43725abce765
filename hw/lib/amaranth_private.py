"""All that is used of Amaranth beyond its documented interface. Tried with Amaranth 0.5.9 and 0.5.10.

A release of Amaranth may change any of this; pyproject.toml allows 0.5 alone. No other file imports a name
of Amaranth that begins with an underscore (tests/hw/lib/test_amaranth_private.py).
"""

from __future__ import annotations

# The converter to RTLIL in its parts: as a whole, `convert`, it can neither leave out zeros of memories nor
# put several top modules into one design, and the export of large engines would take minutes.
from amaranth.back.rtlil import Design, EmptyModuleChecker, ModuleEmitter
from amaranth.hdl import Elaboratable, Fragment, MemoryData

# Names that signals have got so far; the emitter asks for it.
from amaranth.hdl._ast import SignalDict

# From fragments to the netlist that the emitter takes.
from amaranth.hdl._ir import PortDirection, build_netlist

# What a memory is in a fragment. Public classes do not lead from a component to the memories inside it.
from amaranth.hdl._mem import MemoryInstance

# The netlist, and what a memory is in it.
from amaranth.hdl._nir import Memory as MemoryCell
from amaranth.hdl._nir import Netlist

__all__ = [
    "Design",
    "EmptyModuleChecker",
    "MemoryCell",
    "ModuleEmitter",
    "Netlist",
    "PortDirection",
    "SignalDict",
    "build_netlist",
    "find_component",
    "find_memories",
]


def find_memories(fragment: Fragment, path: str = "") -> dict[str, MemoryData]:
    """Contents of every memory below a fragment, by its instance path, names joined with points.

    A simulator of this fragment reads and writes them.
    """
    found = {}
    for child, name, _ in fragment.subfragments:
        if isinstance(child, MemoryInstance):
            found[f"{path}{name}"] = child._data
        else:
            found |= find_memories(child, f"{path}{name}.")
    return found


def find_component(fragment: Fragment, path: str) -> Elaboratable:
    """The component at an instance path below a fragment, with the very signals that the fragment has."""
    for part in path.split("."):
        fragment = next(child for child, name, _ in fragment.subfragments if name == part)
    return fragment.origins[0]
