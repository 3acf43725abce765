"""A generated engine whose memories are macros, with their models, against the plain one."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.hw.generate.manifest import engine_files
from dorefa.sim.cocotb import runner
from dorefa.sim.job import files as files_module
from dorefa.sim.job.job import Job


@pytest.mark.icarus
@pytest.mark.parametrize("weights", ["onchip", "stream"])
def test_macros_run_like_plain_memories(small, streaming, weights, monkeypatch, seed):
    made = streaming if weights == "stream" else small
    job = Job(compiled=made.compiled, images=made.images[:2], stalls=20, seed=seed, through_port=True)
    plain, load_cycles = runner.run(job, made.verilog, simulator="icarus")
    files = engine_files(made.config, memory="macro")
    # The contents are one level deeper: in the model, under this name.
    own = files_module.regions
    monkeypatch.setattr(
        files_module,
        "regions",
        lambda compiled: [
            [replace(region, memory=f"{region.memory}.words") for region in part] for part in own(compiled)
        ],
    )
    text = files["engine.v"] + files["memories.v"]
    macros, macro_load_cycles = runner.run(job, text, simulator="icarus")
    assert macro_load_cycles == load_cycles
    for one, other in zip(plain, macros, strict=True):
        assert (one.ends, one.last_out) == (other.ends, other.last_out)
        np.testing.assert_array_equal(one.results, other.results)
        assert one.values.keys() == other.values.keys() and one.values
        for name, codes in one.values.items():
            np.testing.assert_array_equal(codes, other.values[name])
