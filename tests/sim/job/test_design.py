"""dorefa.sim.job.design: every memory that the host fills is found in the Verilog under its name."""

import pytest

from dorefa.golden import lower, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.verilog.export import MODULE
from dorefa.sim.job.design import find_memories, memory_images
from dorefa.sim.job.snapshot import regions


@pytest.fixture(
    scope="module",
    params=[
        {"quantizer": "thresholds"},
        {"quantizer": "affine", "engines": 2, "quant": 2},
        {"quantizer": "thresholds", "weights": "stream", "engines": 3, "quant": 1},
    ],
    ids=["thresholds", "affine", "stream"],
)
def design(request):
    network = lower(random_network(5, w_bits=2, a_bits=3, residual=True, max_macs=20_000))
    config = fit(network, lanes=16, rows=4, **request.param)
    compiled = compile_network(network, config)
    return compiled, find_memories(engine_files(config)["engine.v"], MODULE)


def test_images_fit_their_memories(design):
    compiled, memories = design
    images = memory_images(compiled)
    assert any("weights" in name for name in images) == (compiled.config.weights == "onchip")
    for name, words in images.items():
        assert len(words) <= memories[name].depth
        assert max(words) < 1 << memories[name].width


def test_every_memory_of_the_host_map_is_there(design):
    compiled, memories = design
    config = compiled.config
    images = memory_images(compiled)
    for window in MemoryMap.of(config).windows:
        part = {"params": "quantizer", "program": "sequencer", "rescale": "residual"}.get(window.name)
        found = [memories[name] for name in images if name.split(".")[-2] == (part or window.name)]
        assert len(found) == window.memories
        # Only the first thresholds of a lane have the bit that inverts.
        assert max(memory.width for memory in found) == window.width
        assert max(memory.depth for memory in found) == window.depth


def test_snapshots_stay_inside_their_memories(design):
    compiled, memories = design
    copies = regions(compiled)
    assert len(copies) == len(compiled.schedule.passes)
    assert copies[-1] == []
    assert all(
        region.first + region.rows <= memories[region.memory].depth for own in copies for region in own
    )


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
