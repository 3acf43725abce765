"""What the reports say of bipolar activations: as which planes they are computed, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .output import Output

if TYPE_CHECKING:
    from dorefa.golden.lowering.integer_network import IntegerNetwork
    from dorefa.sim.report import LayerReport


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
