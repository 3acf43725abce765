"""The host's address map: disjoint windows, pieces of wide words."""

import itertools

import numpy as np
import pytest

from dorefa.golden.quantizers.gradient import reciprocals
from dorefa.golden.quantizers.weight_thresholds import weight_thresholds
from dorefa.hw.config.engine import PRESETS, EngineConfig
from dorefa.hw.interface.memory_map import MemoryMap, bits_for
from dorefa.hw.interface.registers import REGISTERS

LEAST = EngineConfig(
    lanes=8,
    rows=1,
    quant=1,
    fetch_bits=8,
    weight_depth=1,
    feature_depth=2,
    image_depth=2,
    patch_depth=1,
    param_depth=1,
    pool_depth=1,
    layer_depth=1,
    out_bits=1,
)
ODD = EngineConfig(
    lanes=97,
    rows=3,
    quant=3,
    weight_depth=5,
    param_depth=3,
    layer_depth=3,
    out_bits=3,
    encoding="any",
    acc_bits=40,
)
AFFINE = ODD.replace(quantizer="affine", bias_bits=64)
# Rescaling parameters of two engines in a window of their own.
TRUNKS = ODD.replace(trunk_bits=20, trunk_depth=9, trunk_bias_bits=50, engines=2)
STREAM = TRUNKS.replace(weights="stream", engines=1)
# Tables of the quantizers of gradients and weights.
TRAINS = LEAST.replace(results="wide", port_bytes=4, training=1)
CONFIGS = {
    **PRESETS,
    "least": LEAST,
    "odd": ODD,
    "affine": AFFINE,
    "trunks": TRUNKS,
    "stream": STREAM,
    "trains": TRAINS,
}


@pytest.mark.parametrize("name", ["least", "odd", "affine", "tiny", "trunks", "stream", "trains"])
def test_every_piece_has_its_own_address(name):
    memory_map = MemoryMap.of(CONFIGS[name])
    seen = {register.address for register in REGISTERS.values()}
    for window in memory_map.windows:
        for place in itertools.product(range(window.memories), range(window.depth), range(window.pieces)):
            address = memory_map.address(window, *place)
            assert address not in seen
            assert address >> memory_map.select_shift == window.select
            assert address < 1 << memory_map.address_bits
            seen.add(address)


@pytest.mark.parametrize("name", CONFIGS)
def test_greatest_addresses(name):
    memory_map = MemoryMap.of(CONFIGS[name])
    assert max(register.address for register in REGISTERS.values()) < 1 << memory_map.select_shift
    for window in memory_map.windows:
        top = window.offset(window.memories - 1, window.depth - 1, window.pieces - 1)
        assert top < 1 << window.offset_bits <= 1 << memory_map.select_shift


def test_pieces_of_a_word():
    memory_map = MemoryMap.of(ODD)
    window = memory_map.weights
    assert (window.pieces, window.piece_bits, window.depth_bits) == (4, 2, 3)
    word = (1 << 96) | (3 << 64) | (0xDEADBEEF << 32) | 7
    base = memory_map.address(window, 2, 4)
    assert base == (window.select << memory_map.select_shift) | (2 << 5) | (4 << 2)
    assert (window.memory_stride, window.word_stride) == (1 << 5, 1 << 2)
    assert list(memory_map.writes(window, 2, 4, word)) == [
        (base, 7),
        (base + 1, 0xDEADBEEF),
        (base + 2, 3),
        (base + 3, 1),
    ]


def test_parameter_memories():
    """One memory per lane and stage of the binary search; one per lane of the affine form."""
    assert (MemoryMap.of(ODD).params.memories, MemoryMap.of(ODD).params.depth) == (9, 12)
    assert MemoryMap.of(ODD).params.width == 41
    assert (MemoryMap.of(AFFINE).params.memories, MemoryMap.of(AFFINE).params.depth) == (3, 3)


def test_windows_exist_where_something_is_to_be_written():
    names = {name: [window.name for window in MemoryMap.of(CONFIGS[name]).windows] for name in CONFIGS}
    assert names["odd"] == ["program", "weights", "params"]
    assert names["trunks"] == ["program", "weights", "params", "rescale"]
    assert names["stream"] == ["program", "params", "rescale"]
    assert names["trains"] == ["program", "weights", "params", "reciprocals", "thresholds"]


def test_tables_of_quantizers_hold_what_golden_makes():
    memory_map = MemoryMap.of(TRAINS)
    assert memory_map.reciprocals.depth == len(reciprocals(8))
    assert max(int(word) for word in reciprocals(8)).bit_length() <= memory_map.reciprocals.width
    assert memory_map.thresholds.depth == 1 + len(weight_thresholds(np.float32(1), 8))


def test_memories_of_several_engines():
    """Rows and lanes of all engines; a component of one engine addresses its own part."""
    memory_map = MemoryMap.of(TRUNKS)
    assert memory_map.weights.memories == 2 * 3
    assert memory_map.params.memories == 2 * 9
    assert (memory_map.rescale.memories, memory_map.rescale.depth) == (2 * 3, 3)
    assert memory_map.rescale.width == TRUNKS.trunk_mul_bits + 50
    assert memory_map.params.write_ports(2)["en"] == 9


def test_bits_for():
    assert [bits_for(count) for count in (1, 2, 3, 4, 5, 1024, 1025)] == [0, 1, 2, 2, 3, 10, 11]
