"""What the campaign is run on: small networks on engines with every kind of stream."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.errors import InputError
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.compiler.compile import CompiledNetwork, compile_network
from dorefa.hw.compiler.packets import weight_packet
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.interface.registers import REGISTERS
from dorefa.hw.interface.trunk_stores import trunk_store
from dorefa.sim.job.beats import beats, image_packet
from dorefa.synth.flow.netlist import make_netlist
from dorefa.synth.flow.units import make_unit

from .player import Delayed, Player, player

IMAGES = 4
# Cycles in which nothing may move, and those of a pause that is none of the engine's business.
WATCHDOG, SILENCE = 12_000, 10_000
STREAMS: dict[str, dict[str, str | int]] = {
    "onchip": {"port_bytes": 4},
    "weights": {"weights": "stream", "port_bytes": 2},
    "trunks": {"trunks": "stream"},
    "both": {"weights": "stream", "trunks": "stream", "port_bytes": 4, "results": "wide"},
}


NETLIST_TARGET = "ice40"


@dataclass(frozen=True)
class Program:
    """A network as the engine gets it: `compiled`, its `images`, uint8 (IMAGES, H, W, C), and the packets of
    results that are right, one per image."""

    compiled: CompiledNetwork
    images: np.ndarray
    answers: Sequence[bytes]

    @classmethod
    def of(cls, compiled: CompiledNetwork) -> Program:
        images = random_images(compiled.network, IMAGES, 1)
        results = run_integer(compiled.network, images)[compiled.network.layers[-1].name]
        size = compiled.config.result_bits // 8
        return cls(compiled, images, [row.ravel().astype(f"<i{size}").tobytes() for row in results])

    def image(self, number: int) -> list[Delayed]:
        """The beats of an image."""
        width = self.compiled.config.port_bytes
        return [Delayed(beat) for beat in beats(image_packet(self.images[number]), width)]

    @cached_property
    def weights(self) -> list[list[Delayed]]:
        """The packets of weights of an image, each as its beats."""
        config = self.compiled.config
        return [
            [Delayed(beat) for beat in beats(weight_packet(words, config), config.port_bytes, number)]
            for number, words in enumerate(self.compiled.weight_packets)
        ]

    @cached_property
    def writes(self) -> list[tuple[int, int]]:
        """(word address, word) of a whole load, with a watchdog that does not wait for long."""
        watchdog = REGISTERS["watchdog"].address
        return [
            (address, WATCHDOG if address == watchdog else word)
            for address, word in self.compiled.host_writes()
        ]


@dataclass(frozen=True)
class Subject:
    """An engine `name` as Verilog, with a program and another one, of another image size."""

    name: str
    program: Program
    other: Program
    verilog: str

    @property
    def trunk_plan(self) -> list[int]:
        """Packets of trunks that come back, of an image of the program."""
        compiled = self.program.compiled
        return trunk_store(compiled.config).packets(compiled.schedule)[1]

    @contextmanager
    def player(self, seed: int, *, cycles: int = 0) -> Iterator[Player]:
        """Its ports, after reset; arguments as of :func:`.player.player`."""
        port_bytes = self.program.compiled.config.port_bytes
        with player(self.verilog, port_bytes, seed=seed, cycles=cycles) as opened:
            opened.plan(self.trunk_plan)
            yield opened


def _candidates(streams: str, seed: int) -> Iterator[tuple[CompiledNetwork, CompiledNetwork]]:
    """Pairs of networks that one engine runs."""
    residual = "trunks" in STREAMS[streams]
    for attempt in itertools.count(1000 * seed):
        networks = [
            lower(
                random_network(
                    2 * attempt + number,
                    residual=residual,
                    conv_layers=3 if residual else 2,
                    a_bits=2,
                    max_macs=20_000,
                    max_size=6,
                    max_channels=8,
                )
            )
            for number in range(2)
        ]
        try:
            configs = [fit(network, lanes=16, rows=4, **STREAMS[streams]) for network in networks]
            larger = {
                name: max(getattr(config, name) for config in configs)
                for name, value in configs[0].as_dict().items()
                if isinstance(value, int)
            }
            config = configs[0].replace(**larger)
            first, second = (compile_network(network, config) for network in networks)
        except InputError:
            continue
        if residual and not trunk_store(config).packets(first.schedule)[1]:
            continue
        if first.memories["registers"]["image_bytes"] != second.memories["registers"]["image_bytes"]:
            yield first, second


@lru_cache
def subject(streams: str, seed: int = 1, checks: str = "full") -> Subject:
    """The engine with these streams (a key of STREAMS) and networks drawn from `seed`."""
    first, second = next(_candidates(streams, seed))
    if checks != "full":
        config = first.config.replace(checks=checks)
        first, second = (compile_network(one.network, config) for one in (first, second))
    verilog = engine_files(first.config)["engine.v"]
    return Subject(streams, Program.of(first), Program.of(second), verilog)


@lru_cache
def netlist_subject(seed: int = 1) -> Subject:
    """The engine of :func:`subject` with streamed weights, after synthesis for NETLIST_TARGET."""
    own = subject("weights", seed)
    with scratch_folder() as folder:
        unit = make_unit("engine", own.program.compiled.config, NETLIST_TARGET)
        netlist = make_netlist(unit, NETLIST_TARGET, folder=folder)
    return replace(own, name="netlist", verilog=netlist.text)
