"""dorefa.hw.generate.librelane: the configuration file, against what LibreLane documents."""

import json
import math
import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import preset
from dorefa.hw.generate.file_set import file_set
from dorefa.hw.generate.librelane import config_file

# Variables and fields by the types that LibreLane's documentation gives them.
VARIABLES = {
    "meta": dict,
    "DESIGN_NAME": str,
    "VERILOG_FILES": list,
    "CLOCK_PORT": str,
    "CLOCK_PERIOD": float,
    "MACROS": dict,
}
MACRO = {"gds": list, "lef": list, "lib": dict, "instances": dict}
ORIENTATIONS = {"N", "FN", "W", "FW", "S", "FS", "E", "FE"}


@pytest.mark.parametrize("memory", ["logic", "macro"])
def test_configuration_is_what_librelane_documents(memory):
    files = file_set(preset("tiny"), memory=memory, librelane_period_ns=12.5)
    verilog = files["engine.v"].decode()
    contents = json.loads(files["config.json"])
    for name, value in contents.items():
        assert isinstance(value, VARIABLES[name]), name
    assert contents["meta"] == {"version": 2, "flow": "Classic"}
    assert re.fullmatch("[_a-zA-Z][_a-zA-Z0-9]+", contents["DESIGN_NAME"])
    sources = [name.removeprefix("dir::") for name in contents["VERILOG_FILES"]]
    # The models are for simulation: flip-flops in place of macros if they were synthesized.
    assert sources == ["engine.v"] and f"module {contents['DESIGN_NAME']}(" in verilog
    assert f"  input {contents['CLOCK_PORT']};" in verilog
    assert contents["CLOCK_PERIOD"] == 12.5
    assert ("MACROS" in contents) == (memory == "macro")


def test_every_instance_of_a_macro_is_named():
    files = file_set(preset("tiny"), memory="macro", librelane_period_ns=10.0)
    macros = json.loads(files["config.json"])["MACROS"]
    described = json.loads(files["engine.json"])["memory_macros"]
    assert {name: len(macro["instances"]) for name, macro in macros.items()} == {
        macro["module"]: macro["instances"] for macro in described
    }
    for name, macro in macros.items():
        assert {field: type(value) for field, value in macro.items()} == MACRO
        assert macro["gds"] == [f"dir::macros/{name}.gds"]
        for place in macro["instances"].values():
            assert place["location"] is None and place["orientation"] in ORIENTATIONS
    assert {"core.slice0.weights.row0", "core.slice0.weights.row3"} <= set(
        macros["dorefa_memory_256x16"]["instances"]
    )
    assert list(macros["dorefa_memory_128x2"]["instances"]) == ["core.slice0.pool.x.running"]


@pytest.mark.parametrize("period", [0.0, -1.0, math.inf, math.nan])
def test_period_must_be_positive(period):
    with pytest.raises(InputError, match=r"clock period is .* ns; accepted: a positive number"):
        config_file(period_ns=period)
