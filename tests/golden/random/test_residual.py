"""Random residual networks: reproducible, within their limits, varied, and with codes that spread."""

import hashlib

import numpy as np
import pytest

from dorefa.golden import affine_form, lower, random_images, random_network, run_integer
from dorefa.golden.network.encoding import Encoding

OPTIONS = {"residual": True, "encodings": tuple(Encoding), "allow_average": True, "allow_pool_padding": True}


def test_a_seed_gives_the_same_bits_everywhere():
    digest = hashlib.sha256()
    for layer in random_network(21, conv_layers=4, residual=True).layers:
        digest.update(layer.codes.tobytes())
        if layer.rescale is not None:
            digest.update(layer.rescale.m.tobytes() + layer.rescale.b.tobytes())
            digest.update(layer.rescale.scale.tobytes())
        if layer.norm is not None:
            digest.update(layer.norm.mean.tobytes() + layer.norm.var.tobytes())
    assert digest.hexdigest()[:16] == "22b42c9e44d83495"


def test_everything_occurs():
    networks = [random_network(draw, **OPTIONS) for draw in range(150)]
    pairs = [
        (layer, links)
        for network in networks
        for layer, links in zip(network.layers, network.links, strict=True)
    ]
    sums = [(layer, links) for layer, links in pairs if links.add is not None]
    pooled = [layer for layer, _ in pairs if layer.pool is not None and layer.rescale is not None]
    assert {layer.pool.kind for layer in pooled} == {"max", "average", "average_codes"}
    assert any(any(layer.pool.padding) for layer in pooled)
    assert any(layer.pool.stride < layer.pool.kernel for layer in pooled)
    assert any(links.trunk and layer.a_bits for layer, links in pairs)
    assert any(links.trunk and not layer.a_bits for layer, links in pairs)
    assert any(layer.a_bits is None for layer, _ in sums)
    assert any(layer.norm is None and layer.a_bits for layer, _ in sums)
    assert any(layer.source is None for layer, _ in sums)
    rescales = [layer.rescale for layer, _ in pairs if layer.rescale is not None]
    assert {np.sign(m) for rescale in rescales for m in rescale.m} == {-1, 0, 1}
    assert len({rescale.f for rescale in rescales}) > 5
    assert any(np.frexp(rescale.scale)[0] != 0.5 for rescale in rescales)
    shortcuts = [layer for layer, _ in pairs if layer.name.endswith("_shortcut")]
    assert {layer.codes.shape[1:3] == (1, 1) for layer in shortcuts} == {True, False}
    blocks = {
        (network.name, layer.name.split("_")[0])
        for network in networks
        for layer in network.layers
        if layer.name.startswith("block")
    }
    # The other blocks add the trunk of the block before.
    assert len(shortcuts) < len(blocks) < len(sums)


def test_codes_are_spread(seed):
    constant = layers = few = 0
    for draw in range(seed, seed + 60):
        network = lower(random_network(draw, **OPTIONS))
        results = run_integer(network, random_images(network, 8, draw))
        for layer in network.layers[:-1]:
            codes = results[layer.name]
            layers += 1
            constant += codes.min() == codes.max()
            if layer.code_bits is not None:
                few += len(np.unique(codes)) < min(1 << layer.code_bits, codes.size) / 4
    assert layers > 150
    assert constant <= layers * 0.06
    assert few <= layers * 0.15


@pytest.mark.parametrize("max_macs", [20_000, 300_000])
def test_limits(max_macs):
    for draw in range(60):
        network = random_network(draw, residual=True, max_macs=max_macs, w_bits=3, a_bits=2, max_channels=20)
        lowered = lower(network)
        assert sum(layer.macs for layer in lowered.layers) <= max_macs
        for layer in lowered.layers:
            assert layer.w_bits == 3 and layer.encoding == "bipolar"
            assert layer.code_bits in (2, None) and layer.codes.shape[0] <= 20
            assert layer.pool is None or not any(layer.pool.padding)


def test_every_staircase_has_an_affine_form(seed):
    for draw in range(seed, seed + 40):
        for layer in lower(random_network(draw, **OPTIONS)).layers:
            if layer.thresholds is not None:
                assert affine_form(layer, 62).m.shape == (len(layer.codes),)
