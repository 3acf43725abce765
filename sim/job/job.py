"""One run of a compiled network on a simulator, and what comes back, for every back end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dorefa.hw.compiler.compile import CompiledLayer, CompiledNetwork
from dorefa.hw.compiler.packets import result_count, weight_packet
from dorefa.hw.interface.streams import trunk_bytes
from dorefa.hw.interface.trunk_stores import trunk_store
from dorefa.hw.verilog.export import MODULE

from .errors import SimulationError

# A layer may take this many times its predicted cycles before the watchdog calls it stuck.
PATIENCE = 4


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to simulate.

    compiled: CompiledNetwork; images: uint8 (packets, H, W, C), what compiled.network takes; stalls:
    chance in percent that a port waits in a cycle, on either side; latency: cycles that the memory
    behind the ports of weights and residual trunks takes before each packet; seed: of the stalls and of
    uninitialized memory; through_port: whether the network is loaded through AXI4-Lite instead of
    directly; preloaded: whether the Verilog holds the network already, so that nothing is loaded;
    ports_only: whether the Verilog is a netlist, of which nothing but the ports is known; reset_after: cycles
    of the last packet after which a reset ends it, and the job begins, without loading memories again
    (0: none); module: the Verilog's top; waveform: the path of a VCD file that is
    written, if any; progress: called with (images done, images).
    """

    compiled: CompiledNetwork
    images: np.ndarray
    stalls: int = 0
    latency: int = 0
    seed: int = 1
    through_port: bool = False
    preloaded: bool = False
    ports_only: bool = False
    reset_after: int = 0
    module: str = MODULE
    waveform: Path | None = None
    progress: Callable[[int, int], None] | None = None

    @property
    def result_count(self) -> int:
        """Results per packet."""
        return result_count(self.compiled.network)

    @property
    def image_bytes(self) -> int:
        """Bytes of an image packet."""
        return int(np.prod(self.images.shape[1:]))

    @property
    def slowdown(self) -> float:
        """How much longer stalls may make a transfer."""
        return 100 / (100 - self.stalls)

    @property
    def weight_packets(self) -> list[bytes]:
        """What streams in for every image, one packet per pass; none where weights are on chip."""
        config = self.compiled.config
        return [weight_packet(words, config) for words in self.compiled.weight_packets]

    @property
    def trunk_packets(self) -> tuple[list[int], list[int]]:
        """:meth:`dorefa.hw.interface.trunk_stores.TrunkStore.packets` of every image."""
        return trunk_store(self.compiled.config).packets(self.compiled.schedule)

    @property
    def image_limit(self) -> int:
        """Cycles after which an image counts as stuck."""
        weights = sum(map(len, self.weight_packets)) / self.compiled.config.port_bytes
        sizes, plan = self.trunk_packets
        trunks = sum(sizes) + sum(sizes[number] for number in plan)
        port = 2 * (self.image_bytes + self.result_count + weights + trunks) * self.slowdown
        waits = self.latency * (len(self.compiled.weight_packets) + len(plan))
        return int(PATIENCE * (self.compiled.cycles + port + waits)) + 10_000

    @property
    def load_limit(self) -> int:
        """Cycles after which loading counts as stuck."""
        writes = sum(1 for _ in self.compiled.host_writes()) if self.through_port else 8
        return int(PATIENCE * 4 * writes * self.slowdown) + 10_000

    def tick(self, done: int) -> None:
        """Tells the caller how many images of so many packets are done."""
        if self.progress is not None:
            batch = self.compiled.config.batch
            self.progress(done * batch, len(self.images) * batch)


@dataclass(kw_only=True)
class Trace:
    """What one packet of images left behind.

    Cycle stamps count from reset: `first_in`, `last_in` (image beats), `first_read` (first feature
    read), `ends` (per pass, the cycle after its last write), `first_out`, `last_out` (results).
    `values`: codes and trunks by golden's names, (H, W, C). `results`: int64 (:attr:`Job.result_count`,).

    Of a netlist, `first_read` is 0, `ends` and `values` are empty, and `cycles` is what the engine's own
    register of that name says (None elsewhere).
    """

    first_in: int
    last_in: int
    first_read: int
    ends: list[int]
    first_out: int
    last_out: int
    results: np.ndarray
    values: dict[str, np.ndarray] = field(default_factory=dict)
    cycles: int | None = None

    def layer_cycles(self, layers: Sequence[CompiledLayer]) -> list[int]:
        """Cycles of each CompiledLayer: from the last write of the one before it (the first layer: from
        its first read) to its own last write."""
        stamps = [self.first_read, *self.ends]
        return [stamps[layer.passes.stop] - stamps[layer.passes.start] for layer in layers]


def stuck(job: Job, image: int, number: int) -> SimulationError:
    """The watchdog fired in pass `number`, counted from 1; 0 is before the first read, or unknown."""
    place = "in the netlist" if job.ports_only else "before its first layer"
    if number:
        passes = job.compiled.schedule.passes
        part = passes[min(number, len(passes)) - 1]
        place = f"in layer {job.compiled.layers[part.layer].name}"
    return SimulationError(
        f"image {image}: no result after {job.image_limit} cycles, stopped {place}; "
        f"predicted are {job.compiled.cycles} cycles"
    )


def check_trunks(job: Job, packets: Sequence[bytes]) -> None:
    """Raises :class:`SimulationError` unless the packets of residual trunks have their lengths."""
    size = trunk_bytes(job.compiled.config)
    found, expected = [len(packet) // size for packet in packets], job.trunk_packets[0]
    if found != expected:
        raise SimulationError(f"packets of m_axis_trunks have {found} beats; expected are {expected}")
