"""What the hardware tests share: simulation with a watchdog, streams with stalls, layers."""

import os
from pathlib import Path

import numpy as np
from amaranth import Module, Shape, Signal
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from dorefa.golden.network.layer import Layer
from dorefa.golden.network.network import Network
from dorefa.hw.compiler.descriptor import descriptor
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.interface import program
from dorefa.hw.lib.amaranth_private import find_memories
from dorefa.hw.lib.lfsr_counter import loop_code


def simulate(component, *testbenches, limit, monitors=()):
    """Runs the testbenches to their end; fails after `limit` cycles.

    With the variable DOREFA_WAVES set to a folder, writes a waveform there, the last one being that
    of the failure under `pytest -x`.
    """
    top = Module()
    top.submodules.dut = component
    # A combinational component alone would leave the clock without anything to drive.
    top.d.sync += Signal(name="clocked").eq(1)
    simulator = Simulator(top)
    simulator.add_clock(1e-6)

    async def watchdog(ctx):
        # No repeat() or until() in what may be left waiting: their generators warn when dropped.
        for _ in range(limit):
            await ctx.tick()
        raise AssertionError(f"the simulation has not ended after {limit} cycles")

    for process in (watchdog, *monitors):
        simulator.add_testbench(process, background=True)
    for process in testbenches:
        simulator.add_testbench(process)
    waves = waves_of(component)
    if waves:
        with simulator.write_vcd(str(waves)):
            simulator.run()
    else:
        simulator.run()


def waves_of(component):
    """Where a waveform of this component goes, None where DOREFA_WAVES is not set."""
    folder = os.environ.get("DOREFA_WAVES")
    return Path(folder) / f"{type(component).__name__}.vcd" if folder else None


def memories_of(component):
    """(fragment, {path: memory data}): simulate the fragment to reach into its memories."""
    fragment = Fragment.get(component, None)
    return fragment, find_memories(fragment)


def fill_memories(ctx, memories, rng, *, but=()):
    """Random words in all memories whose path begins with none of `but`, as after power-on."""
    for path, memory in memories.items():
        if any(path.startswith(prefix) for prefix in but):
            continue
        width = Shape.cast(memory.shape).width
        for address in range(memory.depth):
            word = int.from_bytes(rng.bytes(width // 8 + 1), "little") & ((1 << width) - 1)
            plain = isinstance(memory.shape, Shape | int)
            ctx.set(memory[address], word if plain else memory.shape.from_bits(word))


async def receive(ctx, stream, enough, rng, *, stalls):
    """Takes payloads, refusing in a cycle with probability `stalls`, until `enough(taken)`.

    Checks that a payload which waits stays as it is. Returns (payloads, the cycles they came in).
    """
    taken, stamps, waiting, cycle = [], [], None, 0
    while not enough(taken):
        ready = rng.random() >= stalls
        ctx.set(stream.ready, ready)
        _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        if waiting is not None:
            assert valid and payload == waiting, f"payload changed while it waited: {waiting}"
        waiting = payload if valid and not ready else None
        if valid and ready:
            taken.append(payload)
            stamps.append(cycle)
        cycle += 1
    ctx.set(stream.ready, 0)
    return taken, stamps


def flat(words, width):
    """Integers side by side, the first lowest: an int."""
    return sum((int(word) & ((1 << width) - 1)) << (width * n) for n, word in enumerate(words))


def fields_of(value, width, count):
    """The inverse of :func:`flat`: `count` unsigned fields of `width` bits."""
    return [(value >> (width * n)) & ((1 << width) - 1) for n in range(count)]


def bits_of(codes, plane):
    """Bit `plane` of every code, in order, as one int, the first code lowest."""
    codes = np.asarray(codes).reshape(-1)
    return flat((codes.astype(np.int64) >> plane) & 1, 1)


def layer(name, codes, *, w_bits=1, a_bits=2, scale=1.0, **fields):
    """A float layer with the given codes; `a_bits` None makes it the last."""
    kind = fields.pop("kind", "conv")
    return Layer(
        name=name,
        kind=kind,
        codes=np.asarray(codes, np.uint8),
        w_bits=w_bits,
        a_bits=a_bits,
        scale=np.float32(scale),
        **fields,
    )


def draw_layer(rng, name, shape, *, w_bits=1, **fields):
    """A float layer with uniform random codes of `shape`."""
    return layer(name, rng.integers(0, 1 << w_bits, shape), w_bits=w_bits, **fields)


def network(input_shape, input_bits, *layers):
    """A float network of these layers."""
    return Network(name="test", input_shape=input_shape, input_bits=input_bits, layers=layers)


def decode(config, words):
    """Field values of a descriptor from the words of a program."""
    values = {}
    for name, (word, bit) in program.placement(config).items():
        shape = program.shapes(config)[name]
        value = (words[word] >> bit) & ((1 << shape.width) - 1)
        values[name] = value - (shape.signed and value >> (shape.width - 1)) * (1 << shape.width)
    return values


def stored(config, values):
    """What :func:`decode` finds of `values` that were encoded."""
    shapes = program.shapes(config)
    codes = {name: loop_code(values[name], shapes[name].width - 1) for name in program.loops(config)}
    return values | codes


def program_values(integer, config, number=0):
    """(Pass, descriptor) of a pass, the descriptor as it comes out of its words in the program."""
    plan = schedule(integer, config)
    values = descriptor(plan, number, config, integer, weight_base=0, param_base=0)
    words = program.encode(config, integer.layers[plan.passes[number].layer].name, values)
    return plan.passes[number], decode(config, words)
