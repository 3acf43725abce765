"""The report of a simulation: the fields of ``dorefa simulate --json``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dorefa.hw.compiler.compile import CompiledLayer, CompiledNetwork, per_image
from dorefa.hw.config.engine import EngineConfig

from .compare import Comparison, Mismatch
from .job.job import Trace

# Utilization below which a report says why.
_SLOW = 0.05


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """One layer, per image: mean `cycles`, `binary_ops` (one AND and one count of a bit are one),
    `utilization` = binary_ops / (cycles x lanes x rows x cols x engines), `bound` the least cycles its
    tiling allows and `bound_by` what the cycle model says limits it. `transfer_cycles`,
    `bytes_per_cycle`, `compute_bound_batch`, `trunk_bytes_in`, `trunk_bytes_out` and `merged_groups`: see
    :class:`dorefa.hw.compiler.compile.CompiledLayer`. `slow`: why the utilization is below 0.05, None where
    it is not."""

    name: str
    cycles: float
    binary_ops: int
    utilization: float
    bound: float
    bound_by: str
    transfer_cycles: float
    bytes_per_cycle: float
    compute_bound_batch: int | None
    trunk_bytes_in: float
    trunk_bytes_out: float
    merged_groups: int
    slow: str | None


@dataclass(frozen=True, kw_only=True)
class SimulationReport:
    """Outcome of :func:`dorefa.sim.simulation`.

    - `bit_exact`: every value that was compared equals golden's.
    - `compared`: names of the layers and trunks that were compared: all of them, or of a netlist the last
      layer alone, whose results leave through a port.
    - `images`: how many were run; `simulator`: the back end; `why`: why it was chosen.
    - `cycles`: mean per image, the sum of the layers'; of a netlist what the engine's own counter says.
    - `interval_cycles`, `latency_cycles`: predicted, where no port waits, loading and results included: from
      an image to the next one, of a packet its share; from the first beat of a packet of images to its last
      result. `measured_interval_cycles` (None of a single packet) and `measured_latency_cycles`: means of
      this run. Back ends without waits of their own take the packets as predicted, exactly.
    - `layers`: one :class:`LayerReport` each; empty for a netlist, whose layers cannot be told apart.
    - `load_cycles`, `unload_cycles`: mean cycles per packet of images, from the first image beat to
      the first read of the complete image, and from the first to the last result (these overlap the
      last layer). `load_cycles` is None for a netlist.
    - `network_load_cycles`: cycles of loading program and weights through AXI4-Lite (0 if that was
      not asked for).
    - `mismatch_count`, and the first 20 `mismatches`.
    - `accuracy`: share of images whose largest logit is the label's, None without labels.
    - `results`: the hardware's accumulators by the names of the network's results, int64 (images, H, W, C),
      or (images, classes) of one pixel; `real`: float64, the same as real values. Neither is part of the
      JSON report.
    """

    bit_exact: bool
    compared: list[str]
    images: int
    simulator: str
    why: str
    config: dict
    cycles: float
    interval_cycles: float
    latency_cycles: int
    measured_interval_cycles: float | None
    measured_latency_cycles: float
    layers: list[LayerReport]
    load_cycles: float | None
    unload_cycles: float
    network_load_cycles: int
    mismatch_count: int
    mismatches: list[Mismatch]
    accuracy: float | None
    results: dict[str, np.ndarray] = field(repr=False, compare=False)
    real: dict[str, np.ndarray] = field(repr=False, compare=False)

    @property
    def outputs(self) -> np.ndarray:
        """The first of the results."""
        return next(iter(self.results.values()))

    def as_dict(self) -> dict:
        """Plain data for JSON."""
        fields = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("results", "real")
        }
        fields["layers"] = [vars(layer) for layer in self.layers]
        fields["mismatches"] = [mismatch.as_dict() for mismatch in self.mismatches]
        return fields


def layer_report(layer: CompiledLayer, cycles: float, config: EngineConfig) -> LayerReport:
    """The :class:`LayerReport` of a CompiledLayer that took `cycles` per packet of images."""
    utilization = layer.binary_ops / (cycles * config.binary_ops_per_cycle)
    return LayerReport(
        name=layer.name,
        cycles=per_image(cycles, config),
        binary_ops=layer.binary_ops // config.batch,
        utilization=utilization,
        bound=per_image(layer.bound, config),
        bound_by=layer.bound_by,
        transfer_cycles=per_image(layer.transfer_cycles, config),
        bytes_per_cycle=layer.bytes_per_cycle,
        compute_bound_batch=layer.compute_bound_batch,
        trunk_bytes_in=per_image(layer.trunk_bytes_in, config),
        trunk_bytes_out=per_image(layer.trunk_bytes_out, config),
        merged_groups=layer.merged_groups,
        slow=_why(layer, cycles) if utilization < _SLOW else None,
    )


def _why(layer: CompiledLayer, cycles: float) -> str:
    """What costs a CompiledLayer that took `cycles` the most."""
    shares = layer.shares
    if layer.bound / cycles < min(shares.values()):
        return f"the array works in {layer.bound / cycles:.3f} of the cycles; bound by {layer.bound_by}"
    least = min(shares, key=lambda kind: shares[kind])
    share = f"{float(shares[least]):.3f} of the "
    return {
        "products": share + "products are its own, the others zeros between merged channel groups",
        "lanes": share + "lanes are filled by the products of one output",
        "rows": share + "rows are filled by the output channels of one channel group",
        "columns": share + "columns are filled by its pixels",
    }[least]


def _mean_interval(traces: list[Trace], config: EngineConfig) -> float | None:
    """Mean cycles from an image to the next one; None where there is no next packet."""
    begins = [trace.first_in for trace in traces]
    return per_image(float(np.mean(np.diff(begins))), config) if len(begins) > 1 else None


def make_report(
    *,
    compiled: CompiledNetwork,
    traces: list[Trace],
    comparison: Comparison,
    compared: list[str],
    labels: np.ndarray | None,
    results: dict[str, np.ndarray],
    real: dict[str, np.ndarray],
    simulator: str,
    why: str,
    network_load_cycles: int,
) -> SimulationReport:
    """The :class:`SimulationReport` of one :class:`dorefa.sim.job.job.Trace` per packet of images."""
    config = compiled.config
    if traces[0].cycles is None:
        per_layer = np.mean([trace.layer_cycles(compiled.layers) for trace in traces], axis=0).tolist()
        layers = [
            layer_report(layer, cycles, config)
            for layer, cycles in zip(compiled.layers, per_layer, strict=True)
        ]
        cycles = sum(layer.cycles for layer in layers)
        load_cycles = float(np.mean([trace.first_read - trace.first_in for trace in traces]))
    else:
        layers, load_cycles = [], None
        cycles = per_image(float(np.mean([trace.cycles for trace in traces])), config)
    accuracy = None
    if labels is not None:
        (scores,) = real.values()
        accuracy = float(np.mean(np.argmax(scores, axis=1) == labels))
    return SimulationReport(
        bit_exact=comparison.count == 0,
        compared=compared,
        images=len(traces) * config.batch,
        simulator=simulator,
        why=why,
        config=config.as_dict(),
        cycles=cycles,
        interval_cycles=per_image(compiled.interval, config),
        latency_cycles=compiled.latency,
        measured_interval_cycles=_mean_interval(traces, config),
        measured_latency_cycles=float(np.mean([trace.last_out - trace.first_in for trace in traces])),
        layers=layers,
        load_cycles=load_cycles,
        unload_cycles=float(np.mean([trace.last_out - trace.first_out + 1 for trace in traces])),
        network_load_cycles=network_load_cycles,
        mismatch_count=comparison.count,
        mismatches=comparison.mismatches,
        accuracy=accuracy,
        results=results,
        real=real,
    )
