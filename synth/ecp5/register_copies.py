"""Copies of ECP5 registers that components all over the device read: each serves neighbors."""

from __future__ import annotations

import copy
import re
from collections import defaultdict

from .nets import free_net

REGISTER = "TRELLIS_FF"
SERVED = 8  # components that one copy serves, about
_MOST_SERVED = 2 * SERVED - 1


def copy_registers(netlist: dict) -> list[str]:
    """Gives, in place, every register that more than :data:`_MOST_SERVED` components read copies that serve
    about :data:`SERVED` of them each, neighbors by their names; `netlist` is Yosys's JSON.

    A component is what has the same path in front of a cell's name. The copies have the inputs of the
    register, so they hold the same from the first cycle on. Returns their names.
    """
    return [name for module in netlist["modules"].values() for name in _copy(module)]


def _copy(module):
    cells = module["cells"]
    readers = _readers(cells)
    net = free_net(module)
    copies = {}
    for name, register in cells.items():
        if register["type"] != REGISTER:
            continue
        own = readers[register["connections"]["Q"][0]]
        for number, group in enumerate(_groups(own)[1:], 1):
            copies[f"{name}_copy{number}"] = same = copy.deepcopy(register)
            same["connections"]["Q"] = [net]
            for component in group:
                for cell, port, place in own[component]:
                    cells[cell]["connections"][port][place] = net
            net += 1
    cells.update(copies)
    return copies


def _readers(cells):
    """By net, by component: (cell, port, place) of each input that it drives."""
    readers = defaultdict(lambda: defaultdict(list))
    for name, cell in cells.items():
        component = name.rpartition(".")[0]
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for place, bit in enumerate(bits):
                    readers[bit][component].append((name, port, place))
    return readers


def _groups(components):
    """The components that the register and each of its copies serve, those of row 9 before row 10."""
    if len(components) <= _MOST_SERVED:
        return [list(components)]
    ordered = sorted(
        components,
        key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)],
    )
    count = len(ordered) // SERVED
    return [ordered[len(ordered) * n // count : len(ordered) * (n + 1) // count] for n in range(count)]
