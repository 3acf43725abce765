"""What synthesis for ECP5 leaves undone, between Yosys and nextpnr."""

import json
from pathlib import Path

from .chain_ends import open_chain_ends
from .ram_registers import fold_output_registers
from .register_copies import copy_registers


def improve(path: Path) -> tuple[list[str], list[str]]:
    """Rewrites the netlist at `path`, a JSON file of Yosys, so that it computes the same in fewer cells
    and with shorter wires. Returns the names of the registers that are in block RAMs from then on, and those
    of the copies of registers."""
    netlist = json.loads(path.read_text())
    open_chain_ends(netlist)
    moved = fold_output_registers(netlist)
    copies = copy_registers(netlist)
    path.write_text(json.dumps(netlist))
    return moved, copies
