# amaranth: UnusedElaboratable=no
"""dorefa.hw.verilog.memory_macros: memories as black boxes, their shapes, their models, their refusals."""

import json
import re
import subprocess

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import preset
from dorefa.hw.generate.file_set import file_set
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.verilog.export import export_macros
from dorefa.hw.verilog.memory_macros import Shape, macro_instances

CONFIGS = {
    "tiny": preset("tiny"),
    "trunks": preset("tiny").replace(
        trunk_bits=20, trunk_depth=40, sum_values=1, pool_slots=2, engines=2, quant=2, cols=2
    ),
    "stream": preset("tiny").replace(
        weights="stream", port_bytes=4, sum_codes=1, out_bits=1, pool_slots=3, rows=3
    ),
}


class Table(wiring.Component):
    """One memory of `depth` words of 4 bits with `reads` read ports."""

    def __init__(self, *, depth=8, init=(), reads=1, domain="sync", transparent=False, granularity=None):
        self._depth, self._init, self._reads = depth, init, reads
        self._domain, self._transparent, self._granularity = domain, transparent, granularity
        enables = 1 if granularity is None else 4 // granularity
        super().__init__({"at": In(8), "d": In(4), "en": In(enables), "q": Out(4).array(reads)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = memory = Memory(shape=4, depth=self._depth, init=self._init)
        write = memory.write_port(granularity=self._granularity)
        m.d.comb += [write.addr.eq(self.at), write.data.eq(self.d), write.en.eq(self.en)]
        for number in range(self._reads):
            seen = (write,) if self._transparent else ()
            read = memory.read_port(domain=self._domain, transparent_for=seen)
            m.d.comb += [read.addr.eq(self.at + number), self.q[number].eq(read.data)]
        return m


@pytest.mark.parametrize("name", CONFIGS)
def test_every_memory_becomes_an_instance_of_its_shape(name):
    files = {name: file.decode() for name, file in file_set(CONFIGS[name], memory="macro").items()}
    plain = engine_files(CONFIGS[name])["engine.v"]
    memory = re.compile(r"^  reg (?:\[(\d+):0\] )?\S+ +\[(\d+):0\];", re.MULTILINE)
    shapes = {(int(high) + 1, int(width or 0) + 1) for width, high in memory.findall(plain)}
    assert not [found for found in memory.findall(files["engine.v"]) if found[1] != "0"]
    macros = json.loads(files["engine.json"])["memory_macros"]
    assert {(macro["depth"], macro["width"]) for macro in macros} == {s for s in shapes if s[0] > 1}
    for macro in macros:
        assert files["memories.v"].count(f"module {macro['module']}(") == 1
        assert f"module {macro['module']}(" not in files["engine.v"]
        assert re.search(rf"^  {macro['module']} ", files["engine.v"], re.MULTILINE)
    assert "      - engine.v\n      - memories.v\n" in files["engine.core"]


def test_instances_of_shared_modules_count_each():
    config = CONFIGS["trunks"]
    macros = json.loads(file_set(config, memory="macro")["engine.json"])["memory_macros"]
    weights = {"depth": config.weight_depth, "width": config.lanes}
    (found,) = [macro for macro in macros if weights.items() <= macro.items()]
    assert found["instances"] == config.engines * config.rows


def test_transparent_read_is_logic_around_the_plain_macro():
    made = export_macros(Table(transparent=True), name="lookup")
    assert made.shapes == {Shape(8, 4, transparent=True): ["table"]}
    assert macro_instances(made.shapes) == {Shape(8, 4): ["table.memory"]}
    assert "module dorefa_memory_8x4_transparent(" in made.text
    assert "transparent" not in made.models and "transparent" not in made.stubs


@pytest.mark.icarus
@pytest.mark.parametrize("transparent", [False, True])
def test_model_simulates_like_the_memory(transparent, rng, tmp_path):
    made = export_macros(Table(transparent=transparent), name="lookup")
    steps = [(int(a), int(d), int(e)) for a, d, e in rng.integers(0, (8, 16, 2), (200, 3))]
    words, expected = ["x"] * 8, []
    for at, data, enable in steps:
        words[at] = f"{data:x}" if enable else words[at]
        expected.append(words[at] if transparent or not enable else "x")
    bench = [
        "module bench; reg clk = 0; reg [7:0] at; reg [3:0] d; reg en; wire [3:0] q;",
        "lookup dut(.clk(clk), .rst(1'b0), .at(at), .d(d), .en(en), .q__0(q));",
        "initial begin",
    ]
    bench += [
        f'at = {at}; d = {data}; en = {enable}; #1 clk = 1; #1 clk = 0; $display("%h", q);'
        for at, data, enable in steps
    ]
    (tmp_path / "t.v").write_text("\n".join([made.text, made.models, *bench, "end endmodule"]))
    command = ["iverilog", "-g2005", "-s", "bench", "-o", str(tmp_path / "t.vvp"), str(tmp_path / "t.v")]
    subprocess.run(command, check=True)
    done = subprocess.run(["vvp", "-n", str(tmp_path / "t.vvp")], check=True, capture_output=True, text=True)
    assert done.stdout.split() == expected


def test_a_memory_of_one_word_stays_a_register():
    assert not export_macros(Table(depth=1), name="lookup").shapes


def test_contents_are_refused():
    with pytest.raises(InputError) as caught:
        export_macros(Table(init=[1, 2]), name="lookup")
    assert str(caught.value) == (
        "memory lookup.table has initial contents, which a macro cannot hold; "
        "accepted: an engine that is loaded through its port, or memories as logic"
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"reads": 2}, "accepted: one read, one write"),
        ({"domain": "comb"}, "accepted: a clocked read"),
        ({"granularity": 2}, "one write enable for all bits"),
    ],
)
def test_other_ports_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        export_macros(Table(**options), name="lookup")
