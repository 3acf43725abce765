"""What `check` and `simulate` print of layers: the table, why some are slow, what bipolar inputs cost; and of
an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .output import Output

if TYPE_CHECKING:
    from dorefa.golden.lowering.integer_network import IntegerNetwork
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


def say_times(out: Output, interval: float, latency: int) -> None:
    """Prints how far images are apart, and how long one takes, in cycles without waits."""
    out.say(
        f"an image every {interval:,.0f} cycles with loading, {latency:,} from its first byte to its last "
        "result"
    )


def bipolar_inputs(network: IntegerNetwork, layers: Sequence[LayerReport]) -> list[dict]:
    """One entry per layer of `network` (integer) that reads the codes -1 and 1 of another layer.

    layers: its LayerReports. The codes are two's complement of 2 bits, so that padding has a code, 0:
    `planes` 2 where XNOR of bare signs would take 1; `cycles`: what the second one costs per image.
    """
    from dorefa.golden.network.encoding import Encoding

    entries = []
    for layer, report in zip(network.layers, layers, strict=True):
        if layer.source < 0:
            continue
        source = network.layers[layer.source]
        if (source.code_step, source.code_offset, source.out_bits) == (2, -1, 2):
            entries.append(
                {
                    "layer": layer.name,
                    "encoding": Encoding.plain(layer.a_signed),
                    "planes": layer.a_bits,
                    "padded": any(layer.padding),
                    "cycles": report.bound * (layer.a_bits - 1) / layer.a_bits,
                }
            )
    return entries


def say_bipolar(out: Output, entries: list[dict]) -> None:
    """Prints the entries of `bipolar_inputs`, a line each."""
    for entry in entries:
        out.say(
            f"{entry['layer']}: reads {'padded ' if entry['padded'] else ''}bipolar activations as "
            f"two's complement, {entry['planes']} planes instead of 1; that takes "
            f"{entry['cycles']:,.0f} of its cycles"
        )
