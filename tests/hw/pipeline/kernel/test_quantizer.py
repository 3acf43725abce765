# amaranth: UnusedElaboratable=no
"""Codes of sums: every value, thresholds compared and scaled, channels that come negated or fall."""

from types import SimpleNamespace

import numpy as np
import pytest

from dorefa.golden import lower, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.run.matmul import apply_thresholds
from dorefa.hw.pipeline.kernel.quantizer import ConstantQuantizer, cut_offsets
from dorefa.hw.pipeline.kernel.thresholds import at_least, count_reached

from ...support import simulate


def run(quantizer, words):
    """Words of codes of words of values."""
    found, latency = [], quantizer.latency

    async def testbench(ctx):
        for cycle in range(len(words) + latency):
            ctx.set(quantizer.values, words[min(cycle, len(words) - 1)])
            if cycle >= latency:
                found.append(ctx.get(quantizer.codes))
            await ctx.tick()

    simulate(quantizer, testbench, limit=len(words) + latency + 2)
    return found


def unpacked(words, channels, bits):
    return np.array([[word >> (bits * at) & ((1 << bits) - 1) for at in range(channels)] for word in words])


def check(layer, bits, negated, offsets, rng, most=700):
    """All values of so many bits, or random ones, against golden."""
    quantizer = ConstantQuantizer(layer, bits, negated, offsets)
    half, channels = 1 << (bits - 1), len(layer.thresholds)
    values = np.arange(-half, half)
    if len(values) > most:
        values = np.unique(
            np.concatenate([rng.choice(values, most), layer.thresholds.ravel(), [-half, half - 1]])
        )
        values = values[(values >= -half) & (values < half)]
    columns = np.stack([np.roll(values, channel) for channel in range(channels)], axis=1)
    words = [
        sum((int(value) & (2 * half - 1)) << (bits * at) for at, value in enumerate(row)) for row in columns
    ]
    codes = unpacked(run(quantizer, words), channels, layer.code_bits)
    true = np.where(negated, -columns, columns) - offsets
    inside = (true >= layer.value_min) & (true <= layer.value_max)
    expected = apply_thresholds(true, layer.thresholds, layer.inverted)
    assert (codes == expected)[inside].all()
    assert inside.any(axis=0).all()
    return quantizer


def layer_of(thresholds, low, high, inverted):
    levels = thresholds.shape[1]
    return SimpleNamespace(
        name="layer",
        thresholds=thresholds,
        inverted=np.array(inverted),
        code_bits=levels.bit_length(),
        value_min=low,
        value_max=high,
    )


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_compared(bits, rng):
    low, high, channels = -40, 55, 6
    thresholds = np.sort(rng.integers(low, high + 2, (channels, (1 << bits) - 1)), axis=1)
    thresholds[0], thresholds[1] = low, high + 1  # always, never
    layer = layer_of(thresholds, low, high, rng.integers(0, 2, channels).astype(bool))
    negated = rng.integers(0, 2, channels).astype(bool)
    quantizer = check(layer, 8, negated, rng.integers(-20, 20, channels), rng)
    assert quantizer.affine is None and quantizer.latency == 1


@pytest.mark.parametrize("seed", range(8))
def test_many_levels(seed, rng):
    """Layers of random networks, of which some have no affine form."""
    network = lower(random_network(seed, a_bits=5 + seed % 4, max_macs=20_000, conv_layers=1))
    layer = network.layers[0]
    bits = max(-layer.value_min, layer.value_max).bit_length() + 2
    negated = rng.integers(0, 2, layer.out_channels).astype(bool)
    check(layer, bits, negated, rng.integers(-9, 9, layer.out_channels), rng, most=200)


class Ramp:
    """A layer of 32 levels whose affine form is ``(m * value + b) >> f``; tie, of an m of 1: odd levels
    begin one later."""

    def __init__(self, m, b, f, tie=0):
        levels, self.name, self.code_bits, self.out_channels = 31, "ramp", 5, 2
        self.value_min, self.value_max = -200, 200
        row = [-((b - (level << f)) // m) + (tie & level) for level in range(1, levels + 1)]
        self.thresholds = np.clip(np.array([row, row]), -200, 201)
        self.inverted = np.array([False, True])
        self.slope = self.offset = None


@pytest.mark.parametrize(
    "m, b, f", [(3, 0, 2), (1, 0, 0), (5, 0, 4), (11, 0, 5), (1, 7, 3), (1, 8, 3), (4, 4, 2), (6, 2, 3)]
)
def test_forms_of_few_terms(m, b, f, rng):
    """However many terms a product and its offset have, and where there is no offset at all."""
    layer = Ramp(m, b, f)
    for offsets in ([0, 0], [13, -9]):
        quantizer = check(layer, 9, np.array([False, True]), np.array(offsets), rng)
        assert quantizer.affine is not None


@pytest.mark.parametrize(
    "m, b, f, tie, cycles",
    [(1, 0, 4, 0, 0), (1, 37, 4, 0, 0), (1, -9, 3, 1, 0), (4, 7, 5, 0, 0), (4, -6, 2, 0, 0), (0, 40, 3, 0, 0)]
    + [(3, 5, 4, 0, None), (8, 1, 2, 0, None)],
)
def test_values_of_which_bits_are_the_codes(m, b, f, tie, cycles, rng):
    """Greater by what the form of a layer adds, they are only clipped, in no cycle; None of forms that no
    constant leaves at that."""
    layer = Ramp(max(m, 1), b, f, tie)
    if not m:
        layer.thresholds[:] = -200
    offsets = cut_offsets(layer)
    assert (offsets is None) == (cycles is None)
    if offsets is not None:
        quantizer = check(layer, 10, np.array([False, False]), offsets, rng)
        assert quantizer.latency == cycles


@pytest.mark.parametrize("b, f", [(0, 3), (5, 2), (-9, 1)])
def test_ties_to_even(b, f, rng):
    layer = Ramp(1, b, f, tie=1)
    for offsets in ([0, 0], [13, -9]):
        quantizer = check(layer, 9, np.array([False, True]), np.array(offsets), rng)
        assert quantizer.affine is not None and quantizer.affine.tie.all()


def test_constants_below_and_above_all_values():
    bits = [1, 0, 1]
    assert [at_least(bits, number).value for number in (-5, 0, 8, 100)] == [1, 1, 0, 0]


def test_counts_of_conditions(rng):
    """Every count of seven conditions, as constants."""
    from amaranth import Const, Module, Signal
    from amaranth.sim import Simulator

    counts = [Signal(3) for _ in range(8)]
    m = Module()
    for number, count in enumerate(counts):
        m.d.comb += count.eq(count_reached([Const(int(at < number), 1) for at in range(7)]))

    async def testbench(ctx):
        assert [ctx.get(count) for count in counts] == list(range(8))

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()


def test_a_layer_without_codes():
    layer = SimpleNamespace(name="fc", thresholds=None, code_bits=None)
    with pytest.raises(InputError, match="layer fc: has no codes; accepted: a layer with thresholds"):
        ConstantQuantizer(layer, 8, np.zeros(1, bool), np.zeros(1, int))
