"""dorefa.sim.job.fields: what is written is read; other files are refused in one line."""

import re
import struct

import pytest

from dorefa.sim.job.errors import SimulationError
from dorefa.sim.job.fields import MAGIC, VERSION, Fields, join_packets, write

PACKETS = [b"", b"\x01\x02\x03", b"\xff"]
DATA = write(
    [
        ("seed", (1 << 64) - 1),
        ("writes", [3, 4]),
        ("memories", "core.a\ncore.b"),
        *join_packets("weights", PACKETS),
        ("ends", [5]),
        ("ends", []),
    ]
)


def refused(data, message):
    with pytest.raises(SimulationError, match=f"^{re.escape(message)}$"):
        Fields(data, "job file")


def test_fields_come_back(tmp_path):
    path = tmp_path / "job"
    path.write_bytes(DATA)
    for fields in (Fields(DATA, "job file"), Fields.read(path, "job file")):
        assert fields.number("seed") == (1 << 64) - 1
        assert fields.numbers("writes") == [3, 4]
        assert fields.text("memories") == "core.a\ncore.b"
        assert fields.packets("weights") == PACKETS
        assert [fields.numbers("ends", number) for number in range(2)] == [[5], []]
        assert "ends" in fields and "trunks" not in fields and fields.every("trunks") == []


def test_files_of_another_kind():
    assert DATA[:16] == MAGIC + struct.pack("<Q", VERSION)
    refused(b"", "job file: no file of fields")
    refused(b"PK" + DATA[2:], "job file: no file of fields")
    refused(MAGIC + struct.pack("<Q", 7) + DATA[16:], "job file has version 7; accepted: 1")


@pytest.mark.parametrize("length", [16, 20, 40, len(DATA) - 1, len(DATA) - 8])
def test_truncated_files(length):
    place = {16: "the head", 20: "the head", 40: "seed"}.get(length, "end")
    refused(DATA[:length], f"job file is truncated after {place}")


def test_fields_that_are_not_there():
    fields = Fields(DATA, "result file")
    for ask, message in (
        (lambda: fields.number("latency"), "result file has no field latency"),
        (lambda: fields.numbers("ends", 2), "result file has 2 of 3 field ends"),
        (lambda: fields.number("writes"), "field writes of the result file has 2 numbers; accepted: 1"),
    ):
        with pytest.raises(SimulationError, match=f"^{re.escape(message)}$"):
            ask()
