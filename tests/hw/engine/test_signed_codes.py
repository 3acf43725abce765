"""Two's complement activations on the engine: networks whose codes were made signed at random."""

import dataclasses

import numpy as np
import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.sizing import fit

from ..signed_codes import bounds, make_signed
from ..support import draw_layer
from ..support import network as float_network
from .engine_bench import Bench, beats_of, check_cycles, compare


@pytest.mark.parametrize(
    "encodings", [("bipolar",), ("twos_complement",), ("bipolar", "unsigned", "twos_complement")]
)
@pytest.mark.parametrize("a_bits", [1, 3])
def test_signed_codes(encodings, a_bits, rng):
    """Bits and cycles, with every kind of weights; padding is the value 0 in all of them."""
    drawn = random_network(
        int(rng.integers(1 << 31)),
        encodings=encodings,
        a_bits=a_bits,
        max_macs=20_000,
        max_size=6,
        max_channels=8,
    )
    network = make_signed(lower(drawn), rng)
    print(drawn.name, [(layer.a_signed, layer.code_step, layer.code_offset) for layer in network.layers])
    sizes = {
        "lanes": int(rng.choice([8, 19, 33])),
        "rows": int(rng.integers(1, 6)),
        "cols": int(rng.integers(1, 3)),
    }
    compiled = compile_network(network, fit(network, **sizes))
    images = random_images(network, 1, int(rng.integers(1 << 31)))
    outcome = Bench(compiled, rng).run([beats_of(images[0], 1)], 1)
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)


def test_codes_too_far_apart(rng):
    network = lower(random_network(3, a_bits=2, conv_layers=1, max_macs=20_000))
    layer = dataclasses.replace(network.layers[0], code_step=3, out_bits=4)
    reader = dataclasses.replace(network.layers[1], a_bits=4)
    network = dataclasses.replace(network, layers=(layer, reader))
    assert f"layer {layer.name}: codes are 3 apart; accepted: 1 or 2" in find_problems(network, fit(network))


def test_engine_for_unsigned_codes_refuses_signed_ones(rng):
    network = make_signed(
        lower(random_network(4, a_bits=2, conv_layers=2, max_macs=20_000)), np.random.default_rng(1)
    )
    config = fit(network)
    assert config.signed_codes == 1
    problems = find_problems(network, config.replace(signed_codes=0))
    assert any("signed_codes is 0; accepted: at least 1, which it needs" in problem for problem in problems)


@pytest.mark.parametrize("quantizer", ["thresholds", "affine"])
def test_channels_that_fill_a_block_have_value_zero(quantizer, rng):
    """Five channels in two passes of three: the sixth must not count, whatever its neighbours hold."""
    body = draw_layer(
        rng, "body", (5, 3, 3, 4), a_bits=3, padding=(1, 1, 1, 1), scale=0.2, bias=np.full(5, 0.5, np.float32)
    )
    reader = draw_layer(rng, "reader", (3, 3, 3, 5), a_bits=2, scale=0.2, bias=np.full(3, 0.5, np.float32))
    last = draw_layer(rng, "fc", (2, 1, 1, 12), a_bits=None, kind="fc")
    network = lower(float_network((4, 4, 4), 2, body, reader, last))
    network = signed_output(network, 0)
    config = fit(network, lanes=56, rows=3, weights="stream", quantizer=quantizer)
    compiled = compile_network(network, config)
    assert compiled.schedule.maps[0].channels == 3 and compiled.schedule.maps[0].blocks == 2
    images = random_images(network, 1, int(rng.integers(1 << 31)))
    outcome = Bench(compiled, rng).run([beats_of(images[0], 1)], 1)
    compare(compiled, images, outcome)


def signed_output(network, index):
    """`network` with the codes of one layer two's complement, and the bounds of its reader."""
    layers = list(network.layers)
    layers[index] = dataclasses.replace(layers[index], code_offset=-(1 << (layers[index].code_bits - 1)))
    reader = layers[index + 1]
    least, greatest = bounds(reader, reader.a_bits, True)
    thresholds = reader.thresholds.clip(least, greatest + 1)
    layers[index + 1] = dataclasses.replace(
        reader,
        a_signed=True,
        acc_min=least,
        acc_max=greatest,
        value_min=least,
        value_max=greatest,
        thresholds=thresholds,
    )
    return dataclasses.replace(network, layers=tuple(layers))
