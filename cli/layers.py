"""What `check` and `simulate` print of the layers: the table, and why some are slow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .output import Output

if TYPE_CHECKING:
    from dorefa.sim.report import LayerReport


def layer_table(layers: Sequence[LayerReport], config: dict) -> tuple[list[str], list[list]]:
    """(header, rows) of LayerReports; where weights or residual trunks stream, with what that asks
    for."""
    header = ["layer", "cycles", "tiling bound", "bound by", "utilization"]
    rows = [
        [layer.name, round(layer.cycles), round(layer.bound), layer.bound_by, layer.utilization]
        for layer in layers
    ]
    if config["weights"] == "stream":
        header += ["transfer cycles", "bytes per cycle needed", "compute-bound from batch"]
        for row, layer in zip(rows, layers, strict=True):
            row += [round(layer.transfer_cycles), layer.bytes_per_cycle, layer.compute_bound_batch]
    if config["trunks"] == "stream":
        header += ["trunk bytes in", "trunk bytes out"]
        for row, layer in zip(rows, layers, strict=True):
            row += [round(layer.trunk_bytes_in), round(layer.trunk_bytes_out)]
    return header, rows


def say_groups(out: Output, layers: Sequence[LayerReport]) -> None:
    """Prints a line for every layer whose channel groups were merged, and for every slow one."""
    for layer in layers:
        said = [f"{layer.merged_groups} channel groups computed as one"] if layer.merged_groups > 1 else []
        said += [f"slow: {layer.slow}"] if layer.slow else []
        if said:
            out.say(f"{layer.name}: utilization {layer.utilization:.3f}; {'; '.join(said)}")
