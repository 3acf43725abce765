"""Simulation of the generated hardware, compared with golden layer by layer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .report import LayerReport, SimulationReport
    from .simulation import simulate

# Where each name is defined: nothing is imported before it is asked for.
_MODULES = {"LayerReport": ".report", "SimulationReport": ".report", "simulate": ".simulation"}

__all__ = ["LayerReport", "SimulationReport", "simulate"]


def __getattr__(name: str) -> object:
    """The public name, from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    """Public names and whatever has been imported."""
    return sorted({*globals(), *__all__})
