"""The form of what is known of a target: a family of devices, or gates of a cell library.

A capability that a target lacks is None: place and route, bitstreams for boards, a mapped popcount.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.hw.fabric.fabric import Fabric

from .pll import Pll
from .tool import YOSYS, Tool


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """Yosys commands, separated by "; ", ``{top}`` in the place of the top module: of a `flat` design, of one
    with its hierarchy kept, and `routed` for place and route, where pads are needed (None for gates).
    `options` are those that a board's synthesis has too."""

    flat: str
    hierarchical: str
    routed: str | None = None
    options: str = ""


def fpga_synthesis(
    command: str,
    *,
    options: str = "",
    no_pads: str = "",
    flat: str = "",
    hierarchical: str = " -noflatten",
) -> Synthesis:
    """The :class:`Synthesis` by one command of Yosys; `no_pads` are the options that leave pads out, `flat`
    and `hierarchical` those that flatten or do not."""
    every = f"{command} {options}".rstrip()
    return Synthesis(
        flat=f"{every}{no_pads} -top {{top}}{flat}",
        hierarchical=f"{every}{no_pads} -top {{top}}{hierarchical}",
        routed=f"{every} -top {{top}}{flat}",
        options=options,
    )


@dataclass(frozen=True, kw_only=True)
class Gates:
    """Mapping to the cells of a library, which is ``cells.lib``: `scripts` are files of ABC's commands that
    the synthesis names, {name: text}; `memory_to_logic` are the commands in the place of its ``{memory}``
    where memories become flip-flops."""

    scripts: dict[str, str]
    memory_to_logic: str


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Which types of cell, by pattern, are what: how many LUTs and block RAMs one stands for (half a block
    counts as a half; no LUTs: gates), flip-flops, and cells that are not ours to count, as constants, pads
    and clock buffers.

    A carry cell that contains its LUTs counts as those LUTs, distributed RAM as the LUTs it is made of, so
    that targets compare.
    """

    luts: dict[str, int] = field(default_factory=dict)
    flip_flops: tuple[str, ...] = ()
    brams: dict[str, float]
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NetlistFlow:
    """How a netlist for simulation is made: the Yosys commands (with ``{top}``), the files of cell models in
    Yosys's share folder (none: it has no cells), and what memories become.

    Where Yosys's model of block RAM is a black box, memories are distributed RAM and products are LUTs.
    """

    commands: str
    models: tuple[str, ...]
    memories: str

    @property
    def has_block_rams(self) -> bool:
        """Whether memories that ask for a block RAM get one."""
        return self.memories == "block RAM"


@dataclass(frozen=True, kw_only=True)
class Large:
    """From how many LUTs and carry cells of Yosys on a netlist is large, and nextpnr's further `options`
    then."""

    luts: int
    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Router:
    """Place and route with nextpnr: its `options`, those for a netlist that is `large`, if that has to be
    known, and those for a unit whose ports have no pins given.

    `cells` says how many logic cells each kind in nextpnr's report stands for. `registers` is
    whether a flip-flop alone occupies a logic cell, as the harness's then do. `few_pins`: packages
    do not carry the ports of an engine, so that everything is routed in the harness, without output
    pins. `improve(path)` rewrites the netlist at a path before it is placed, and returns the names of the
    registers that went into block RAMs and of those that are copies.
    """

    tool: Tool
    options: tuple[str, ...] = ()
    large: Large | None = None
    unpinned: tuple[str, ...] = ()
    cells: dict[str, int]
    registers: bool = False
    few_pins: bool = False
    improve: Callable[[Path], tuple[list[str], list[str]]] | None = None


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device: its LUTs, flip-flops and block RAMs as nextpnr counts them, the `pattern` of the names that
    boards have for it, and nextpnr's arguments, with those for a :class:`Large` netlist whose ports have no
    pins given. `constraints` are files that arguments name, {name: text}."""

    name: str
    luts: int
    ffs: int
    brams: int
    pattern: str
    arguments: tuple[str, ...]
    large: tuple[str, ...] = ()
    constraints: dict[str, str] = field(default_factory=dict)

    def is_called(self, name: str) -> bool:
        """Whether this is the device that a board calls `name`."""
        return re.match(self.pattern, name) is not None

    def excess(self, counts: dict[str, float]) -> str | None:
        """What of `counts` (luts, ffs, brams) is more than the device has, as a sentence; None: it fits."""
        too_many = [
            f"{counts[key]:,} of {getattr(self, key):,} {kind}"
            for key, kind in (("luts", "LUTs"), ("ffs", "flip-flops"), ("brams", "block RAMs"))
            if counts[key] > getattr(self, key)
        ]
        return f"does not fit {self.name}: it needs {', '.join(too_many)}" if too_many else None


def _as_planned(tool: str, arguments: list[str]) -> tuple[str, list[str]]:
    return tool, arguments


@dataclass(frozen=True, kw_only=True)
class BoardFlow:
    """From a routed design to a board: the `packer`, the suffixes of the bitstream and of other files for
    programming, the kinds of nextpnr's report that are block RAMs, the `pll`, and the engine parameters that
    suit the family's boards beside those of :class:`Target`. `current(tool, arguments)` is the command to run
    for one that amaranth plans."""

    packer: Tool
    suffixes: tuple[str, ...]
    brams: tuple[str, ...]
    pll: Pll
    sizes: dict[str, int | str] = field(default_factory=dict)
    current: Callable[[str, list[str]], tuple[str, list[str]]] = _as_planned


@dataclass(frozen=True, kw_only=True)
class Target:
    """Everything that is known of one target.

    `gates`: mapped to the cells of a library; `fabric`: its cells in components of structure ``mapped``;
    `sizes`: engine parameters that suit it, where others are not asked for; `devices`: the first one is what
    a unit is routed on unless another is asked for.
    """

    name: str
    description: str
    synthesis: Synthesis
    cells: Cells
    gates: Gates | None = None
    fabric: Fabric | None = None
    sizes: dict[str, int | str] = field(default_factory=dict)
    netlist: NetlistFlow | None = None
    router: Router | None = None
    devices: tuple[Device, ...] = ()
    boards: BoardFlow | None = None

    @property
    def fabric_name(self) -> str | None:
        """The fabric that Verilog for this target is exported for, None for portable Verilog."""
        return self.fabric.name if self.fabric else None

    @property
    def read_library(self) -> list[str]:
        """Yosys commands that declare the cells which components instantiate."""
        return [f"read_verilog -lib {self.fabric.library}"] if self.fabric else []

    @property
    def largest_device(self) -> Device | None:
        """The device with the most LUTs, None for a target of whose devices nothing is known."""
        return max(self.devices, key=lambda device: device.luts, default=None)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """All tools on the way to a bitstream, as far as there are any, in their order."""
        return (
            YOSYS,
            *([self.router.tool] if self.router else []),
            *([self.boards.packer] if self.boards else []),
        )

    def find_device(self, name: str) -> Device:
        """The device called `name`; :class:`InputError` lists the names if there is none."""
        for device in self.devices:
            if device.name == name:
                return device
        names = ", ".join(device.name for device in self.devices)
        raise InputError(
            f"device is {name!r}; accepted for {self.name}: "
            + (names or "no device (nothing is known of its devices)")
        )
