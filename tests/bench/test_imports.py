"""Every benchmark finds in the package what it imports, so that documented commands do not go stale."""

import runpy
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
# They alone need packages (PyTorch, TensorFlow, da4ml) that the project does not install.
FOREIGN = {"training_torch.py", "tflite.py", "da4ml_solve.py"}


@pytest.mark.parametrize("name", sorted({path.name for path in BENCH.glob("*.py")} - FOREIGN))
def test_imports(name, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    assert callable(runpy.run_path(str(BENCH / name))["main"])
