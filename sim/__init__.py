"""Simulation of the generated hardware, compared with golden layer by layer."""

from .report import LayerReport, SimulationReport
from .simulation import simulate

__all__ = ["LayerReport", "SimulationReport", "simulate"]
