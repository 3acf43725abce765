"""A compiled network as files for a host: what it writes into an engine, and what it streams."""

from __future__ import annotations

import struct

from ..compiler.compile import CompiledNetwork
from ..compiler.packets import described, outputs, weight_packet
from ..interface.streams import trunk_bytes
from ..interface.trunk_stores import trunk_store

FORMATS = {
    "load.bin": "pairs of little-endian 32-bit words, byte address and data, to be written in order through "
    "AXI4-Lite; the last one makes the engine accept images",
    "weights.bin": "beats of s_axis_weights, one packet per pass; for every image all packets, in order",
}


def network_parts(
    compiled: CompiledNetwork, *, preloaded: bool
) -> tuple[dict[str, bytes], dict[str, object]]:
    """(files of a network, {name: content}: ``load.bin`` unless the Verilog holds the network,
    ``weights.bin`` where weights stream in; what describes them, ready for JSON)."""
    config = compiled.config
    files = {}
    if not preloaded:
        files["load.bin"] = b"".join(
            struct.pack("<II", 4 * address, word) for address, word in compiled.host_writes()
        )
    packets = [weight_packet(words, config) for words in compiled.weight_packets]
    if packets:
        files["weights.bin"] = b"".join(packets)
    trunks, trunks_in = trunk_store(config).packets(compiled.schedule)
    network = compiled.network
    results = described(network, compiled.schedule)
    last = len(network.layers) - 1
    description: dict[str, object] = {
        "network": network.name,
        "input_shape": network.input_shape,
        "input_bits": network.input_bits,
        "classes": network.classes,
        "batch": config.batch,
        "columns": config.cols,
        "result_channels": [list(part.output_channels()) for part in compiled.schedule.of_layer(last)],
        "results": results,
        "outputs": outputs(network),
        "cycles_estimate": compiled.cycles,
        "load_crc32": compiled.load_crc,
        "layers": [
            {"name": layer.name, "passes": len(layer.passes), "cycles": layer.cycles}
            for layer in compiled.layers
        ],
        "logit_scale": results[-1]["scale"],
        "logit_bias": results[-1]["bias"],
        "weight_packet_bytes": [len(packet) for packet in packets],
        "trunk_packet_bytes": [beats * trunk_bytes(config) for beats in trunks],
        "trunk_packets_in": trunks_in,
        "files": {name: FORMATS[name] for name in files},
    }
    return files, description
