"""The files of a network: a host that knows nothing else gets golden's results out of the engine."""

import struct

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.network_files import network_parts
from dorefa.hw.interface.streams import beats_per_address

from ..engine.output.test_trunk_streams import residual


@pytest.fixture(params=["onchip", "stream"])
def compiled(request, seed):
    network = lower(random_network(seed, a_bits=2, conv_layers=2, max_macs=20_000, max_size=6))
    return compile_network(network, fit(network, lanes=16, rows=3, port_bytes=2, weights=request.param))


def test_load_holds_the_host_writes(compiled):
    files, _ = network_parts(compiled, preloaded=False)
    pairs = list(struct.iter_unpack("<II", files["load.bin"]))
    assert [(address // 4, word) for address, word in pairs] == list(compiled.host_writes())
    assert all(address % 4 == 0 for address, _ in pairs)


def test_weight_packets_end_to_end(compiled):
    files, description = network_parts(compiled, preloaded=True)
    assert "load.bin" not in files
    assert set(description["files"]) == set(files)
    sizes = description["weight_packet_bytes"]
    if compiled.config.weights == "onchip":
        assert sizes == [] and "weights.bin" not in files
        return
    expected = [
        part.geometry.weight_words * beats_per_address(compiled.config) * compiled.config.port_bytes
        for part in compiled.schedule.passes
    ]
    assert sizes == expected
    assert len(files["weights.bin"]) == sum(sizes)


def test_logits_follow_from_the_description(compiled):
    from dorefa.golden import logits, run_integer

    _, description = network_parts(compiled, preloaded=True)
    network = compiled.network
    assert description["input_shape"] == network.input_shape
    assert description["classes"] == network.classes
    outputs = run_integer(network, random_images(network, 3, 1))[network.layers[-1].name]
    own = outputs * np.array(description["logit_scale"]) + np.array(description["logit_bias"])
    assert (own == logits(network, outputs)).all()


def test_trunk_packets(rng):
    """Of streamed residual trunks the host reads how long they are and which comes back when."""
    integer = residual(rng, adds="third")
    _, plain = network_parts(compile_network(integer, fit(integer)), preloaded=True)
    assert plain["trunk_packet_bytes"] == plain["trunk_packets_in"] == []
    compiled = compile_network(integer, fit(integer, lanes=16, rows=4, quant=2, trunks="stream"))
    _, description = network_parts(compiled, preloaded=True)
    # Twenty pixels of three groups of two integers, 24 bits each; kept by the first pass and the third.
    assert description["trunk_packet_bytes"] == [20 * 3 * 3] * 2
    assert description["trunk_packets_in"] == [0, 1]
