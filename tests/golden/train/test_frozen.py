"""Trunks of frozen networks: one unit for what adds up, the least with which no sum leaves 16 bits."""

import numpy as np

from dorefa.golden.lowering.lower import lower

from .support import tiny_network
from .test_graph import PIECES, architecture_of


def frozen_trunks(rng, spread):
    """Lowered trunk layers, and their rescales, of a network whose shortcut has a bias around `spread`."""
    network, *_ = tiny_network(rng, architecture=architecture_of(*PIECES["trunk"]), w_bits=2)
    network.layers[1].parameters["bias"] *= spread
    frozen = network.freeze()
    layers = [layer for layer in lower(frozen).layers if layer.rescale is not None]
    return layers, [layer.rescale for layer in frozen.layers if layer.rescale is not None]


def test_sums_use_16_bits_and_do_not_leave_them(rng):
    """Lowering refuses a trunk that any input could make larger."""
    for spread in (0, 1, 1e4):
        layers, rescales = frozen_trunks(rng, spread)
        assert len(rescales) == 3 and len({float(rescale.scale) for rescale in rescales}) == 1
        reached = max(max(-layer.value_min, layer.value_max) for layer in layers if layer.pool is None)
        last = layers[-1]
        reached = max(reached, max(-last.value_min, last.value_max) // last.pool.area)
        assert 31_990 <= reached <= 32_010


def test_a_trunk_of_zeros_has_a_unit(rng):
    network, images, _ = tiny_network(rng, architecture=architecture_of(*PIECES["two readers"]), w_bits=1)
    for layer in network.layers[1:3]:
        layer.parameters["weight"][:] = 0
    frozen = network.freeze()
    assert [float(layer.rescale.scale) for layer in frozen.layers[1:3]] == [1, 1]
    np.testing.assert_array_equal(frozen.layers[2].rescale.m, 0)
