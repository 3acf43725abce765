"""The environment in which tools run: what was left in ours for other purposes does not steer them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..cache import cache_base
from .scratch import scratch_root

# Variables that begin so choose what a tool does: options of Amaranth's build scripts, benches of cocotb,
# options of make, the root of another Verilator, folders that YoWASP shows to its tools.
_FAMILIES = ("AMARANTH_", "COCOTB_", "GPI_", "IVERILOG_", "MAKE", "PYGPI_", "SIM_CMD_", "VERILATOR_", "YOSYS")
_NAMES = {"GNUMAKEFLAGS", "GUI", "LIBPYTHON_LOC", "MFLAGS", "MODULE", "PLUSARGS", "RANDOM_SEED", "SIM"}
_NAMES |= {"TESTCASE", "TOPLEVEL", "TOPLEVEL_LANG", "WAVES", "YOWASP_MOUNT"}
# Of Python's own those that say where modules are and what encoding is used; the others are for its user.
_PYTHON = ("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE")


def _is_kept(name: str) -> bool:
    if name.startswith("PYTHON"):
        return name in _PYTHON
    return name not in _NAMES and not name.startswith(_FAMILIES)


@contextmanager
def unsteered() -> Iterator[None]:
    """For the block this process has no variables that steer tools: packages read them too."""
    dropped = {name: os.environ.pop(name) for name in list(os.environ) if not _is_kept(name)}
    try:
        yield
    finally:
        os.environ.update(dropped)


def environment(folder: Path) -> dict[str, str]:
    """The environment of a tool that runs in `folder`.

    Raises :class:`InputError` where no temporary folder can be made, or none for YoWASP's compiled tools.
    """
    kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
    root = scratch_root()
    # Relative where that is possible: in the path may be characters that a tool takes for others.
    kept["TMPDIR"] = "." if folder.resolve().is_relative_to(root.resolve()) else str(root)
    if not kept.get("YOWASP_CACHE_DIR"):
        kept["YOWASP_CACHE_DIR"] = str(cache_base() / "YoWASP")
    return kept
