"""ECP5 carry chains as nextpnr packs them best: no cells that feed a constant in or a carry out.

Synthesis ties a chain's first carry-in to a constant and reads its last carry from COUT. nextpnr has no
such pins: it sets a CCU2C of its own before and behind the chain, two logic cells each. A chain has no
need of them if its first half makes the carry by itself and its last one shows it.

In half a CCU2C, ``S = P ^ CIN`` and ``COUT = P ? CIN : G``: P is the LUT4 of A, B, C, D, and G the same
table at C = D = 0. A half of which C = D = 1 has P and G of its own.
"""

from __future__ import annotations

from collections import Counter

from .nets import free_net

_PINS = "ABCD"


def open_chain_ends(netlist: dict) -> None:
    """Rewrites, in place, the ends of the carry chains in `netlist`, Yosys's JSON.

    - A constant carry-in that the first half reads: the half makes the carry out as its G, a LUT4 the sum.
      That takes one or two signals in the half, which those of sums and differences have.
    - A carry-out that logic reads, of a half without sum: the half shows its carry-in as its sum, from
      which a LUT4 makes the carry out.
    - What then is read by nobody, or ignored, is left unconnected: "x" is how the format says so.
    """
    for module in netlist["modules"].values():
        _Chains(module).open()


class _Chains:
    def __init__(self, module):
        self._cells = module["cells"]
        self._chains = {name: cell for name, cell in self._cells.items() if cell["type"] == "CCU2C"}
        self._readers, self._carries = Counter(), Counter()
        for cell in self._cells.values():
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "input":
                    self._readers.update(bits)
                if cell["type"] == "CCU2C" and port == "CIN":
                    self._carries.update(bits)
        for port in module["ports"].values():
            self._readers.update(port["bits"])
        self._next_net = free_net(module)

    def open(self):
        for name, cell in self._chains.items():
            connections = cell["connections"]
            if self._is_read(cell, "COUT") and not self._carries[connections["COUT"][0]]:
                self._show_carry(name, cell)
            if connections.get("CIN") in (["0"], ["1"]) and self._reads_carry(cell):
                self._make_carry(name, cell)
            if connections.get("CIN") == ["0"] and not self._reads_carry(cell):
                connections["CIN"] = ["x"]
            if not self._is_read(cell, "COUT"):
                connections["COUT"] = ["x"]

    def _reads_carry(self, cell):
        """Whether a CCU2C depends on its carry-in. It does not where P of half 0 is 0 whatever its pins,
        so that the carry handed on is G, and its sum is not read."""
        propagate, _, _ = _half(cell, 0)
        return self._is_read(cell, "S0") or any(propagate.values())

    def _is_read(self, cell, port):
        """Whether anybody reads an output."""
        bit = cell["connections"].get(port, ["x"])[0]
        return bit != "x" and self._readers[bit] > 0

    def _make_carry(self, name, cell):
        connections, carry = cell["connections"], int(cell["connections"]["CIN"][0])
        propagate, generate, signals = _half(cell, 0)
        carries = {row: carry if value else generate[row] for row, value in propagate.items()}
        needed = [place for place in range(len(signals)) if _depends(carries, place)]
        if len(needed) > 2:
            return
        if self._is_read(cell, "S0"):
            sums = {row: value ^ carry for row, value in propagate.items()}
            self._add_lut(f"{name}_sum", signals, sums, connections["S0"][0])
        table = 0
        for row, value in carries.items():
            place = sum(row[signal] << pin for pin, signal in enumerate(needed))
            table |= value << place
        if len(needed) < 2:  # G, whatever the pins that are tied
            table |= table << 2
        if not needed:
            table |= table << 1 | table << 3
        connections |= {f"{pin}0": ["1"] for pin in _PINS}
        connections |= {f"{pin}0": [signals[place]] for pin, place in zip("AB", needed, strict=False)}
        cell["parameters"]["INIT0"] = f"{table & 0xF:016b}"
        connections["S0"], connections["CIN"] = ["x"], ["0"]

    def _show_carry(self, name, cell):
        connections = cell["connections"]
        propagate, generate, signals = _half(cell, 1)
        if self._is_read(cell, "S1") or len(signals) > 3:
            return
        carry = connections["COUT"][0]
        shown = carry
        if not all(propagate.values()):
            shown = self._next_net
            self._next_net += 1
            rows = {
                (*row, before): before if value else generate[row]
                for row, value in propagate.items()
                for before in (0, 1)
            }
            self._add_lut(f"{name}_carry", [*signals, shown], rows, carry)
        connections |= {f"{pin}1": ["1"] for pin in _PINS}
        cell["parameters"]["INIT1"] = f"{0:016b}"
        connections["S1"], connections["COUT"] = [shown], ["x"]
        cell["port_directions"]["S1"] = "output"

    def _add_lut(self, name, signals, rows, output):
        """A LUT4 that has the value rows[values of `signals`]."""
        table = 0
        for place in range(16):
            row = tuple(place >> pin & 1 for pin in range(len(signals)))
            table |= rows[row] << place
        pins = dict(zip(_PINS, signals, strict=False))
        self._cells[name] = {
            "hide_name": 0,
            "type": "LUT4",
            "parameters": {"INIT": f"{table:016b}"},
            "attributes": {},
            "port_directions": dict.fromkeys(_PINS, "input") | {"Z": "output"},
            "connections": {pin: [pins.get(pin, "0")] for pin in _PINS} | {"Z": [output]},
        }


def _half(cell, number):
    """(P, G, signals) of a half: tables by the values of its `signals`, the nets on its pins."""
    bits = [cell["connections"][f"{pin}{number}"][0] for pin in _PINS]
    table = int(cell["parameters"][f"INIT{number}"], 2)
    signals = list(dict.fromkeys(bit for bit in bits if isinstance(bit, int)))
    propagate, generate = {}, {}
    for place in range(1 << len(signals)):
        row = tuple(place >> pin & 1 for pin in range(len(signals)))
        values = [row[signals.index(bit)] if isinstance(bit, int) else int(bit == "1") for bit in bits]
        propagate[row] = table >> sum(value << pin for pin, value in enumerate(values)) & 1
        generate[row] = table >> (values[0] | values[1] << 1) & 1
    return propagate, generate, signals


def _depends(rows, place):
    """Whether a table by tuples depends on the one at `place`."""
    return any(
        value != rows[(*row[:place], 1 - row[place], *row[place + 1 :])] for row, value in rows.items()
    )
