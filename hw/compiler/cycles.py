"""Cycles of every pass, predicted without simulating.

The recurrences below follow the engine's own conditions for waiting, so that the prediction equals
the simulated count whenever no port stalls. Cycles of a pass count from the end of the pass before
it; the clock of a program starts with the first beat of the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dorefa.golden.lowering.integer_network import IntegerNetwork

from ..config.engine import EngineConfig
from ..engine.output.plane_packer import PlanePacker, image_waits
from ..engine.output.residual import Residual
from ..engine.output.wide_results import WideResults
from ..engine.slice import pipeline_latency, tile_latency
from ..interface import program
from ..interface.result_ports import ResultPort, result_port
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .geometry import PassGeometry
from .pass_front import PassFront
from .passes import Pass
from .schedule import Schedule
from .trunk_cycles import TrunkCycles

FETCH = 3  # cycles around the words of a descriptor, from what asks for it to its start
END_TO_START = 2  # from the end of a pass to the start of the next
START_TO_READ = 3  # from start to the window reader's first step
COLUMN_ORDER = 4
LOADED_TO_READY = 3  # from a packet's last beat to the first computing step
IMAGE_TO_PACKER = 1  # from a beat of an image to its codes in the packer


@dataclass(frozen=True, kw_only=True)
class PassCycles:
    """Prediction for one pass: `cycles`, the tiling's `bound`, what binds it (``array``, ``window
    reader``, ``drain`` or ``transfer``), the cycles of its weights on the port (`transfer`), those that
    it would take if everything that streams in were there (`computing`), and what it takes for them in its
    steady state (`steady`), which is less than `transfer` where that binds."""

    name: str
    cycles: int
    bound: int
    bound_by: str
    transfer: int
    computing: int
    steady: int


def predict(network: IntegerNetwork, plan: Schedule, config: EngineConfig) -> list[PassCycles]:
    """One :class:`PassCycles` per pass of the Schedule `plan` of an integer network."""
    result: list[PassCycles] = []
    ends: list[int] = []
    now = _image_end(network, config)
    loaded = 0
    fetch = program.words_per_layer(config) + FETCH
    fetched = _first_fetched(config)
    source = weight_source(config)
    trunks = TrunkCycles(config) if trunk_store(config).streams else None
    for number, part in enumerate(plan.passes):
        geometry = part.geometry
        transfer, ready = source.transfer(geometry.weight_words, config), 0
        if source.streams:
            # A packet starts when the half before it is full and the pass that used its own is over.
            loaded = max(loaded, ends[number - 2] if number >= 2 else 0) + transfer
            ready = loaded + LOADED_TO_READY - now
        start = max(END_TO_START, fetched - now)
        layer = network.layers[part.layer]
        raw = layer.is_result
        waits = trunks if layer.trunk or layer.add is not None else None
        if waits:
            waits.begin(number, layer, plan.trunk_sources[number])
        cycles = _pass_cycles(network, part, config, start, ready, raw, now, waits)
        unhindered = cycles
        if ready > 0 or waits:
            unhindered = _pass_cycles(network, part, config, start, 0, raw)
        fetched = now + fetch + (start if config.prefetch else cycles)
        now += cycles
        ends.append(now - 1)
        limit, limit_cycles = steady(geometry, raw, result_port(config))
        # The first layer's count starts with its first read.
        first = start + START_TO_READ if number == 0 else 0
        result.append(
            PassCycles(
                name=geometry.layer.name,
                cycles=cycles - first,
                bound=geometry.bound,
                bound_by="transfer" if transfer > limit_cycles else limit,
                transfer=transfer,
                computing=unhindered - first,
                steady=limit_cycles,
            )
        )
    return result


def before_first_read(network: IntegerNetwork, config: EngineConfig) -> int:
    """Cycles from the first beat of an image to its first feature read, where no beat is late."""
    end = _image_end(network, config)
    return max(end + END_TO_START, _first_fetched(config)) + START_TO_READ


def _first_fetched(config: EngineConfig) -> int:
    """Cycles from the first beat of an image until the first descriptor is there."""
    return program.words_per_layer(config) + FETCH + 1


def image_load(network: IntegerNetwork, config: EngineConfig) -> int:
    """Cycles in which the beats of an image are taken, from the first to the last one, where none is late."""
    beats = -(-math.prod(network.input_shape) // config.port_bytes)
    # A beat is taken when the one before it goes to the packer.
    return 1 + (_packed(beats - 2, config) if beats > 1 else 0)


def _packed(beat: int, config: EngineConfig) -> int:
    """Cycles from the first beat of an image until the packer has this one."""
    return IMAGE_TO_PACKER + beat + beat * config.port_bytes // config.fetch_bits * image_waits(config)


def _image_end(network: IntegerNetwork, config: EngineConfig) -> int:
    """Cycles from the first beat of an image to the end that its first layer counts from."""
    count, groups = math.prod(network.input_shape), config.plane_groups
    words, rest = divmod(count, config.fetch_bits)

    def packed(codes: int) -> int:
        """When the packer has the beat that ends with, or after, so many codes."""
        return _packed(-(-codes // config.port_bytes) - 1, config)

    done = packed(count) + 2
    if groups > 1:
        # The rest of an image, or its end without one, waits for the groups of the word before.
        done = max(done, packed(words * config.fetch_bits) + 1 + groups) if words else done
        done += groups if rest else 1
    return done + 1


def _pass_cycles(
    network: IntegerNetwork,
    part: Pass,
    config: EngineConfig,
    start: int,
    weights_ready: int,
    raw: bool,
    now: int = 0,
    trunks: TrunkCycles | None = None,
) -> int:
    """Cycles from the end of the pass before, at `now`, to this one's, which starts at `start`; `trunks`:
    the TrunkCycles that its tiles wait for."""
    geometry = part.geometry
    layer = network.layers[part.layer]
    read_to_ready = geometry.reader.read_to_ready
    last_cols = geometry.pixels - (geometry.sets - 1) * config.cols
    to_drain = tile_latency(config)
    whole_groups = result_port(config).whole_groups
    to_store = pipeline_latency(config)
    emitted = _emitted(geometry)

    front = PassFront(
        read_end=start + START_TO_READ - 1,
        issued=max(weights_ready - 1, -1),
        released=[-1] * config.patch_slots,
    )
    order_end, patch = -1, 0
    while patch < geometry.patches:
        number = patch // geometry.groups
        columns = config.cols if number < geometry.sets - 1 else last_cols
        steps, cleared = geometry.set_steps(number)
        front.read_end = max(front.read_end, front.released[0]) + steps
        front.read_end += cleared if patch < config.patch_slots else 0
        front.issued = max(front.read_end + read_to_ready - 1, front.issued)
        for tile in range(geometry.tiles):
            ends = tile == geometry.tiles - 1
            issued = max(front.issued + geometry.tile_cycles, front.drain_free)
            if trunks:
                groups = geometry.last_groups if ends else geometry.full_groups
                issued = max(issued, trunks.earliest_end(groups) - now)
                trunks.ends(now + issued, now + issued + to_drain, groups)
            if raw and not whole_groups:
                issued = max(issued, front.drained + 1)
                rows = [geometry.last_rows if ends else geometry.rows] * columns
                front.drained, front.results_free = _send(
                    issued + to_drain, rows, front.results_free, geometry.quant
                )
            front.issued = issued
            front.drain_free = issued + (geometry.last_drain if ends else geometry.full_drain)
        front.released = [*front.released[1:], front.issued]
        if config.cols > 1 and (patch + 1) % geometry.groups == 0 and emitted[number]:
            stored = front.issued + to_drain + columns * geometry.last_groups - 1 + to_store
            order_end = max(stored + COLUMN_ORDER - 1, order_end)
            order_end += emitted[number] * geometry.pixel_groups
        if config.cols == 1 and not trunks and patch >= config.patch_slots:
            patch += front.repeated(patch, geometry.patches)
        patch += 1

    drained_last = front.issued + to_drain + last_cols * geometry.last_groups - 1
    if raw:
        end = drained_last + WideResults.latency(config) if whole_groups else front.results_free - 1
    elif layer.code_bits is None:
        end = drained_last + Residual.latency
    else:
        end = order_end if config.cols > 1 else drained_last + to_store
        end += PlanePacker.latency(config)
    return end


def _emitted(geometry: PassGeometry) -> list[int]:
    """Pixels that each set leaves after pooling."""
    layer = geometry.layer
    pool = layer.pool
    ends = []
    for axis in (0, 1):
        size = geometry.computed[axis]
        if pool is None:
            ends.append([True] * size)
            continue
        closing = {
            min(window * pool.stride[axis] - pool.padding[axis] + pool.kernel[axis] - 1, size - 1)
            for window in range(layer.pooled_shape[axis])
        }
        ends.append([place in closing for place in range(size)])
    pixels = [row and column for row in ends[0] for column in ends[1]]
    cols = geometry.cols
    return [sum(pixels[first : first + cols]) for first in range(0, len(pixels), cols)]


def _send(offered: int, rows: Sequence[int], free: int, quant: int) -> tuple[int, int]:
    """Cycles in which a raw tile's last group leaves the drain, and in which the next could be
    taken; the first is `offered`, results are `free` to take it. rows: of each column.

    A group is taken, then its offsets, then its results are sent one by one; it leaves a cycle later.
    """
    for group in (min(quant, count - first) for count in rows for first in range(0, count, quant)):
        # The next group is offered before the results of this one are gone.
        taken = max(offered, free)
        free = taken + 2 + group
    return taken + 1, free


def steady(geometry: PassGeometry, raw: bool, port: ResultPort) -> tuple[str, int]:
    """What a pass's steady state waits for, and the cycles of all its patches then; `raw`: whether its
    accumulators leave the engine, through `port`."""
    patches = geometry.patches
    drain = (geometry.tiles - 1) * geometry.full_drain + geometry.last_drain
    if raw:
        drain = port.drain(drain, geometry.cols * geometry.channels)
    candidates = {
        "array": geometry.tile_cycles * geometry.tiles * patches,
        "window reader": geometry.read_steps,
        "drain": drain * patches,
    }
    slowest = max(candidates, key=candidates.__getitem__)
    return slowest, candidates[slowest]
