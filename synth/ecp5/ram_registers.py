"""ECP5 block RAM with the output registers that it has, which synthesis leaves in the fabric.

Without them a block RAM answers 5 ns after its clock, and the wires to the registers come on top.
"""

from __future__ import annotations

from collections import defaultdict

_WIDE = 36  # bits of a word: the upper half is read from the pins of port A


def fold_output_registers(netlist: dict) -> list[str]:
    """Moves, in place, registers behind block RAMs into them, in `netlist`, Yosys's JSON.

    A register moves if nothing else reads the bit of memory, if it has the clock of that port, and neither
    enable nor reset nor a value of 1 to start with: then it holds what the block's own would. All bits of
    a port that are read move, or none. Returns the names that those had that moved.
    """
    moved = []
    for module in netlist["modules"].values():
        readers = _readers(module)
        memories = [cell for cell in module["cells"].values() if cell["type"] == "DP16KD"]
        for memory in memories:
            moved += _fold(module["cells"], memory, readers)
    return moved


def _readers(module):
    """By net: (cell, its port) of each input that it drives; an output of the module is (None, name)."""
    readers = defaultdict(list)
    for name, port in module["ports"].items():
        if port["direction"] != "input":
            for bit in port["bits"]:
                readers[bit].append((None, name))
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                for bit in bits:
                    readers[bit].append((name, port))
    return readers


def _fold(cells, memory, readers):
    moved = []
    wide = int(memory["parameters"]["DATA_WIDTH_B"], 2) == _WIDE
    for sides, clock in (("AB", "B"),) if wide else (("A", "A"), ("B", "B")):
        outputs = [f"DO{side}{bit}" for side in sides for bit in range(18)]
        connections = memory["connections"]
        read = {pin: connections[pin][0] for pin in outputs if readers.get(connections.get(pin, [None])[0])}
        registers = {pin: _register(cells, readers[bit], memory, clock) for pin, bit in read.items()}
        if not registers or None in registers.values():
            continue
        for pin, name in registers.items():
            connections[pin] = cells.pop(name)["connections"]["Q"]
        for side in sides:
            memory["parameters"][f"REGMODE_{side}"] = "OUTREG"
            connections[f"OCE{side}"] = ["1"]
        moved += registers.values()
    return moved


def _register(cells, readers, memory, clock):
    """Name of the register that is the one reader of a bit of the port with this `clock`, if it can move."""
    (name, pin), *others = readers
    cell = cells.get(name)
    if others or cell is None or cell["type"] != "TRELLIS_FF" or pin != "DI":
        return None
    parameters, connections = cell["parameters"], cell["connections"]
    same_edge = parameters["CLKMUX"] == "CLK" and memory["parameters"][f"CLK{clock}MUX"] == f"CLK{clock}"
    movable = (
        same_edge
        and connections["CLK"] == memory["connections"][f"CLK{clock}"]
        and parameters["CEMUX"].strip() == "1"
        and connections.get("LSR", ["0"]) == ["0"]
        and parameters["REGSET"] == "RESET"
        and memory["connections"][f"RST{clock}"] == ["0"]
    )
    return name if movable else None
