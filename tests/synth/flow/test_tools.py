"""dorefa.synth.flow.tools: tools in child processes."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.flow import tools
from dorefa.synth.targets.tool import YOSYS


def test_what_a_tool_says_and_its_status(tmp_path):
    status, said = tools.run(YOSYS, ["-p", "no_such_command"], folder=tmp_path, timeout=600)
    assert status != 0 and "No such command: no_such_command" in said


def test_what_a_tool_says_in_a_file(tmp_path):
    with (tmp_path / "said").open("wb") as output:
        outcome = tools.run(YOSYS, ["--version"], folder=tmp_path, timeout=600, output=output)
    assert outcome == (0, "") and (tmp_path / "said").read_text().startswith("Yosys 0.")


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, r"yosys took longer than 0\.01 s; accepted: a longer --timeout or a smaller engine"),
        ({"name": "it", "accepted": "rest"}, r"it took longer than 0\.01 s; accepted: rest"),
        ({"log": "y.log"}, r"yosys took longer than 0\.01 s \(log: y\.log\); accepted: a longer"),
    ],
)
def test_a_tool_that_takes_too_long(options, message, tmp_path):
    with pytest.raises(tools.Unfinished, match=f"^{message}"):
        tools.run(YOSYS, ["--help"], folder=tmp_path, timeout=0.01, **options)


def test_a_tool_ended_by_a_signal():
    with pytest.raises(InputError, match="yosys was ended by signal 9; accepted: a run that is let finish"):
        tools.check_ended("yosys", -9)
    tools.check_ended("yosys", 1)
