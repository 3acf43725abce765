"""What went into a component in Amaranth's simulator, once more into its Verilog, in Icarus."""

import subprocess

from amaranth import Value
from amaranth.lib.wiring import In

from dorefa.hw.verilog.export import export


class Recorder:
    """A background testbench, `watch`, that keeps the ports of a component, cycle by cycle."""

    def __init__(self, component):
        self.component = component
        ports = [
            ("__".join(map(str, path)), member.flow == In, Value.cast(value))
            for path, member, value in component.signature.flatten(component)
        ]
        self.inputs = {name: value for name, is_input, value in ports if is_input}
        self.outputs = {name: value for name, is_input, value in ports if not is_input}
        self.cycles = []

    async def watch(self, ctx):
        values = [*self.inputs.values(), *self.outputs.values()]
        while True:
            _, _, *sampled = await ctx.tick().sample(*values)
            self.cycles.append(sampled)

    def replay(self, component, folder):
        """[{output: (in Amaranth, in Verilog)}] cycle by cycle; what is not known in Verilog is None.

        component: another one like that which was simulated, to be exported.
        """
        text = export(component, name="dut")
        (folder / "dut.v").write_text(text)
        (folder / "bench.v").write_text(self._bench())
        bits = len("".join(self._row(self.cycles[0])))
        rows = ["".join(self._row(sampled)) for sampled in self.cycles]
        assert all(len(row) == bits for row in rows)
        (folder / "inputs.txt").write_text("\n".join(rows) + "\n")
        for command in (["iverilog", "-g2005", "-o", "bench", "dut.v", "bench.v"], ["vvp", "-n", "bench"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr
        lines = (folder / "outputs.txt").read_text().split("\n")[: len(self.cycles)]
        return [self._pairs(*both) for both in zip(self.cycles, lines, strict=True)]

    def _row(self, sampled):
        """The inputs of a cycle in binary, the last one first."""
        known = zip(self.inputs.values(), sampled, strict=False)
        return [_binary(number, len(value)) for value, number in reversed(list(known))]

    def _pairs(self, sampled, line):
        """The outputs of a cycle, both ways."""
        found = {}
        numbers = sampled[len(self.inputs) :]
        for (name, value), number, word in zip(self.outputs.items(), numbers, line.split(), strict=True):
            known = int(word, 2) if set(word) <= {"0", "1"} else None
            found[name] = int(_binary(number, len(value)), 2), known
        return found

    def _bench(self):
        """A testbench that reads a line of inputs a cycle, behind a cycle of reset."""
        width = sum(map(len, self.inputs.values()))
        at, connections = 0, [".clk(clk), .rst(rst)"]
        for name, value in self.inputs.items():
            connections.append(f".{name}(inputs[{at + len(value) - 1}:{at}])")
            at += len(value)
        connections += [f".{name}({name})" for name in self.outputs]
        wires = "".join(f"  wire [{len(value) - 1}:0] {name};\n" for name, value in self.outputs.items())
        form = " ".join(["%b"] * len(self.outputs))
        return f"""`timescale 1ns/1ns
module bench;
  reg clk = 0, rst = 1;
  reg [{width - 1}:0] inputs = 0;
  reg [{width - 1}:0] lines [0:{len(self.cycles) - 1}];
  integer cycle, file;
{wires}
  dut dut({", ".join(connections)});
  initial begin
    $readmemb("inputs.txt", lines);
    file = $fopen("outputs.txt");
    #1 clk = 1;
    #1 clk = 0; rst = 0;
    for (cycle = 0; cycle < {len(self.cycles)}; cycle = cycle + 1) begin
      inputs = lines[cycle];
      #1 $fwrite(file, "{form}\\n", {", ".join(self.outputs)});
      clk = 1;
      #1 clk = 0;
    end
    $finish;
  end
endmodule
"""


def _binary(number, bits):
    return format(int(number) & ((1 << bits) - 1), f"0{bits}b")
