"""dorefa.sim: the names are there, and nothing is imported for them before they are used."""

import subprocess
import sys

import pytest

import dorefa.sim
from dorefa.sim.report import LayerReport
from dorefa.sim.simulation import simulate


def test_names_are_those_of_their_modules():
    assert dorefa.sim.simulate is simulate and dorefa.sim.LayerReport is LayerReport
    assert set(dorefa.sim.__all__) <= set(dir(dorefa.sim))
    assert all(getattr(dorefa.sim, name).__doc__ for name in dorefa.sim.__all__)
    with pytest.raises(AttributeError, match="^module 'dorefa.sim' has no attribute 'simulator'$"):
        dorefa.sim.simulator  # noqa: B018


def test_the_face_and_the_files_of_benches_load_no_amaranth():
    """A bench inside another simulator starts at once."""
    script = (
        "import sys, dorefa.sim, dorefa.sim.job.fields, dorefa.sim.job.stamps;"
        "sys.exit(any(name.split('.')[0] == 'amaranth' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
