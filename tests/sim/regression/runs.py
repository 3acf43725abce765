"""How a random network is run on its engine, and what is wrong with it then."""

import math
from dataclasses import asdict, dataclass

from dorefa.golden import random_images
from dorefa.hw.compiler.compile import compile_network
from dorefa.sim import simulate
from dorefa.sim.job.errors import SimulationError

IMAGES = 2


@dataclass(frozen=True, kw_only=True)
class Run:
    """Options of a run, as :func:`dorefa.sim.simulate` takes them."""

    stalls: int = 0
    latency: int = 0
    reset_after: int = 0
    through_port: bool = False

    @property
    def plain(self):
        """Whether nothing waits, so that cycles are those predicted."""
        return not self.stalls and not self.latency


def load_cycles(compiled):
    """Cycles that an image takes to come in, without stalls."""
    return -(-math.prod(compiled.network.input_shape) // compiled.config.port_bytes)


def random_runs(draws, compiled):
    """Two runs: one without stalls, in which cycles count, and one in which every port waits.

    Once in three a reset ends an attempt, once in six everything is loaded through AXI4-Lite.
    """
    made = []
    for stalls in (0, draws.pick((5, 30, 30, 60, 85))):
        reset = draws.integer(1, load_cycles(compiled) + compiled.cycles) if draws.chance(3) else 0
        latency = draws.pick((0, 3, 50)) if stalls else 0
        through = draws.chance(6)
        made.append(Run(stalls=stalls, latency=latency, reset_after=reset, through_port=through))
    return made


def fault(network, config, run, *, seed, text):
    """What is wrong with `network` on the engine `config`, whose Verilog is `text`, in one line.

    None if every bit of every layer is golden's and, in a plain run, every cycle is as predicted.
    """
    compiled = compile_network(network, config)
    try:
        report = simulate(
            network,
            config=config,
            images=random_images(network, IMAGES, seed),
            simulator="verilator",
            seed=seed,
            verilog_text=text,
            **asdict(run),
        )
    except SimulationError as error:
        return f"{run}: {error}"
    if not report.bit_exact:
        return f"{run}: {report.mismatch_count} values differ, first: {report.mismatches[0]}"
    found, expected = ([layer.cycles for layer in layers] for layers in (report.layers, compiled.layers))
    if run.plain and found != expected:
        return f"{run}: layers took {found} cycles, predicted are {expected}"
    times = ("interval", "latency")
    found, expected = (
        [getattr(report, f"{kind}{name}_cycles") for name in times] for kind in ("measured_", "")
    )
    if run.plain and found != expected:
        return f"{run}: interval and latency are {found} cycles, predicted are {expected}"
    return None
