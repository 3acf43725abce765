"""A frame around a unit for place and route: registers in front of every input and behind every
output, so that few pins suffice and every path of the unit runs from register to register."""

from __future__ import annotations

import re

TOP = "dorefa_harness"
# Instance name of the unit in the harness.
UNIT = "unit"


def ports_of(verilog: str, top: str) -> list[tuple[str, str, int]]:
    """(direction, name, width) of each port of module `top` in `verilog`, as this project writes it."""
    (body,) = re.findall(rf"^module {re.escape(top)}\(.*?^endmodule", verilog, re.DOTALL | re.MULTILINE)
    found = re.findall(r"^  (input|output)(?: reg)?(?: signed)? (?:\[(\d+):0\] )?(\w+);", body, re.MULTILINE)
    return [(direction, name, int(high or 0) + 1) for direction, high, name in found]


def harness(verilog: str, top: str, *, output_pins: bool = True) -> tuple[str, int]:
    """(Verilog of the unit inside the harness, its registers in front of the inputs).

    The inputs hang on a shift register with one serial pin, the registers behind the outputs on pins
    unless `output_pins` is false: then they are kept unread. The module is :data:`TOP`.
    """
    ports = ports_of(verilog, top)
    inputs = [(name, width) for direction, name, width in ports if direction == "input"]
    shifted = [(name, width) for name, width in inputs if name not in ("clk", "rst")]
    outputs = [(name, width) for direction, name, width in ports if direction == "output"]
    total = sum(width for _, width in shifted)
    connections, at = [f".{name}({name})" for name, _ in inputs if name in ("clk", "rst")], 0
    for name, width in shifted:
        connections.append(f".{name}(shifted[{at + width - 1}:{at}])")
        at += width
    connections += [f".{name}(unit_{name})" for name, _ in outputs]
    registers = [f"reg [{width - 1}:0] {name}" for name, width in outputs]
    lines = [
        verilog,
        f"module {TOP}(input clk, input rst, input serial"
        + "".join(f", output {register}" for register in registers if output_pins)
        + ");",
        *(f"  (* keep *) {register};" for register in registers if not output_pins),
        f"  reg [{total - 1}:0] shifted;",
        *(f"  wire [{width - 1}:0] unit_{name};" for name, width in outputs),
        "  always @(posedge clk) begin",
        # An enable that no register of the unit has: otherwise synthesis takes one for the other.
        "    if (rst) shifted <= {shifted, serial};",
        *(f"    {name} <= unit_{name};" for name, _ in outputs),
        "  end",
        f"  {top} {UNIT}({', '.join(connections)});",
        "endmodule",
        "",
    ]
    return "\n".join(lines), total
