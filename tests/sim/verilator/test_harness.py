"""The compiled harness refuses a job file that it cannot use, in one line."""

import re
import struct

import pytest

from dorefa.hw.verilog.export import MODULE
from dorefa.sim.job import fields
from dorefa.sim.job.design import find_memories
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.job.files import job_file
from dorefa.sim.job.job import Job
from dorefa.sim.verilator import build, run


@pytest.fixture(scope="module")
def prepared(small):
    """(path of the model, its job, the job's file)."""
    memories = find_memories(small.verilog, MODULE)
    job = Job(compiled=small.compiled, images=small.images)
    return build.build(small.verilog, memories, cycles=1), job, job_file(job, memories)


def rewritten(data, **changes):
    """The job file with other contents of some fields, without those that are None."""
    names = [
        "seed",
        "stalls",
        "latency",
        "reset_after",
        "load_limit",
        "image_limit",
        "port_bytes",
        "trunk_bytes",
    ]
    names += ["result_bytes", "results", "passes", "ports_only", "cycles_address", "memories"]
    names += ["memory_bytes", "contents"]
    names += ["contents_rows", "writes", "snapshots", "images_bytes", "images"]
    names += ["weights_bytes", "weights", "trunk_plan"]
    read = fields.Fields(data, "job file")
    kept = {name: read.contents(name) for name in names} | changes
    return fields.write((name, value) for name, value in kept.items() if value is not None)


def refuse(prepared, data, message, tmp_path):
    """The harness says `message` of this job file."""
    executable, job, _ = prepared
    path = tmp_path / "job"
    path.write_bytes(data)
    with pytest.raises(SimulationError, match=f"^compiled model: {re.escape(message)}$"):
        run._execute([str(executable), str(path), str(tmp_path / "result"), "1"], tmp_path, job)


def test_all_fields_of_the_harness_are_enough(prepared, tmp_path):
    executable, job, data = prepared
    (tmp_path / "job").write_bytes(rewritten(data))
    run._execute([str(executable), str(tmp_path / "job"), str(tmp_path / "result"), "1"], tmp_path, job)
    assert fields.Fields.read(tmp_path / "result", "result file").text("status") == "done"


@pytest.mark.parametrize("name", ["seed", "latency", "contents_rows", "images", "trunk_plan"])
def test_missing_field(prepared, name, tmp_path):
    refuse(prepared, rewritten(prepared[2], **{name: None}), f"job file has no field {name}", tmp_path)


def test_other_version_and_other_file(prepared, tmp_path):
    data = prepared[2]
    other = data[:8] + struct.pack("<Q", 9) + data[16:]
    refuse(prepared, other, "job file has version 9; accepted: 1", tmp_path)
    refuse(prepared, b"not fields at all", "job file: no file of fields", tmp_path)


def test_truncated_file(prepared, tmp_path):
    data = prepared[2]
    refuse(prepared, data[:16], "job file is truncated after the head", tmp_path)
    refuse(prepared, data[: len(data) // 2], "job file is truncated after contents_rows", tmp_path)
    refuse(prepared, data[:-1], "job file is truncated after end", tmp_path)


def test_fields_that_do_not_fit(prepared, tmp_path):
    data = prepared[2]
    message = "field seed of the job file has 2 numbers; accepted: 1"
    refuse(prepared, rewritten(data, seed=[1, 2]), message, tmp_path)
    message = "field images of the job file is shorter than its packets"
    refuse(prepared, rewritten(data, images=b"123"), message, tmp_path)
    message = "model has no variable TOP.dorefa_engine.core.nothing"
    refuse(prepared, rewritten(data, memories="core.nothing", memory_bytes=[1]), message, tmp_path)
