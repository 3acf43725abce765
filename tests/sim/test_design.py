"""dorefa.sim.design: every memory that the host fills is found in the Verilog under its name."""

import pytest

from dorefa.golden import lower, random_network
from dorefa.hw.compiler import compile_network
from dorefa.hw.manifest import engine_files
from dorefa.hw.memory_map import MemoryMap
from dorefa.hw.sizing import fit
from dorefa.hw.verilog import MODULE
from dorefa.sim.design import find_memories, layer_rows, memory_images, snapshot_pieces


@pytest.fixture(scope="module", params=["thresholds", "affine"])
def design(request):
    network = lower(random_network(5, w_bits=2, a_bits=3, max_macs=20_000))
    config = fit(network, lanes=16, rows=4, quantizer=request.param)
    compiled = compile_network(network, config)
    return compiled, find_memories(engine_files(config)["engine.v"], MODULE)


def test_images_fit_their_memories(design):
    compiled, memories = design
    for name, words in memory_images(compiled).items():
        assert len(words) <= memories[name].depth
        assert max(words) < 1 << memories[name].width


def test_every_memory_of_the_host_map_is_there(design):
    compiled, memories = design
    for window, place in zip(
        MemoryMap.of(compiled.config).windows,
        ("core.sequencer", "core.weights", "core.quantizer"),
        strict=True,
    ):
        found = [memory for memory in memories.values() if memory.path == place]
        assert len(found) == window.memories
        assert {memory.width for memory in found} == {window.width}
        assert max(memory.depth for memory in found) == window.depth


def test_snapshots_cover_the_maps_and_stay_inside(design):
    compiled, memories = design
    pieces = snapshot_pieces(compiled, memories)
    assert len(pieces) == len(compiled.layers)
    assert pieces[-1] == []
    for layer, banks in zip(compiled.layers, pieces[:-1], strict=False):
        rows = sum(piece.rows for piece in banks)
        height, width, channels = layer.out_shape
        assert rows == -(-height * width * channels // compiled.config.fetch_bits)
        assert all(piece.first + piece.rows <= piece.memory.depth for piece in banks)
        assert [(piece.first, piece.rows) for piece in banks] == layer_rows(layer, compiled.config)


def test_instances_of_one_module_are_all_found():
    text = """
module top(a);
  leaf x (
    .a(a)
  );
  leaf y (
    .a(a)
  );
endmodule
module leaf(a);
  (* no_rw_check *)
  reg [6:0] data [9:0];
  reg \\program  [3:0];
  reg [6:0] plain;
endmodule
"""
    memories = find_memories(text, "top")
    assert sorted(memories) == ["x.data", "x.program", "y.data", "y.program"]
    assert (memories["y.data"].width, memories["y.data"].depth) == (7, 10)
    assert memories["y.data"].row_bytes == 1
    assert (memories["x.program"].width, memories["x.program"].depth) == (1, 4)
