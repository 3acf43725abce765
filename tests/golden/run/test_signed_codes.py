"""Signed codes: stored with step and offset, read as two's complement, in both implementations."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.run import bitplanes, matmul


def with_signed_codes(network, rng):
    """`network` (integer) with signed, bipolar or shifted codes in every layer that has codes."""
    layers = []
    for layer in network.layers:
        before = layers[layer.source] if layer.source >= 0 else None
        signed = network.input_bits > 1 if before is None else before.out_signed
        bits = layer.a_bits if before is None else before.out_bits
        fields = {"a_signed": signed, "a_bits": bits}
        if layer.code_bits == 1 and rng.random() < 0.7:
            fields |= {"code_step": 2, "code_offset": -1, "out_bits": 2}
        elif layer.code_bits is not None and layer.out_bits == layer.code_bits:
            offset = -(1 << (layer.code_bits - 1)) + int(rng.integers(0, 2))
            fields |= {"code_offset": int(rng.choice([offset, 0]))}
        layers.append(replace(layer, **fields))
    return replace(network, layers=tuple(layers), input_signed=network.input_bits > 1)


@pytest.mark.parametrize("draw", range(40))
def test_implementations_agree_and_codes_are_the_counts_shifted(draw, seed, rng):
    draw += 1000 * seed
    plain = lower(
        random_network(
            draw,
            residual=draw % 2 == 1,
            encodings=tuple(Encoding),
            allow_average=True,
            allow_pool_padding=True,
        )
    )
    network = with_signed_codes(plain, np.random.default_rng(draw))
    images = random_images(network, 3, draw)
    results = run_integer(network, images)
    planes = run_integer(network, images, "bitplanes")
    codes = {-1: matmul.signed_codes(images, network.input_bits) if network.input_signed else images}
    for index, layer in enumerate(network.layers):
        result = results[layer.name]
        assert np.array_equal(planes[layer.name], result)
        assert planes[layer.name].dtype == result.dtype
        codes[index] = result
        if layer.thresholds is None or layer.rescale is not None:
            continue
        assert result.dtype == (np.int8 if layer.code_offset < 0 else np.uint8)
        sums = matmul.convolve(
            codes[layer.source].astype(np.int64).reshape(3, *layer.in_shape),
            layer.values,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=layer.groups,
        )
        if layer.pool is None:
            counts = matmul.apply_thresholds(sums, layer.thresholds, layer.inverted)
            wide = layer.code_step * counts.astype(int) + layer.code_offset
            least = -(1 << (layer.out_bits - 1)) if layer.out_signed else 0
            assert np.array_equal(result, (wide - least) % (1 << layer.out_bits) + least)


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_signed_code_times_every_weight(bits, encoding):
    weights = np.arange(1 << bits, dtype=np.uint8).reshape(-1, 1, 1, 1)
    patterns = np.arange(1 << bits, dtype=np.uint8).reshape(1, 1, -1, 1)
    values = matmul.signed_codes(patterns, bits)
    assert values.dtype == np.int8
    # Of a layer of few bits on an engine whose codes take two bytes.
    np.testing.assert_array_equal(matmul.signed_codes(patterns.astype(np.uint16), bits), values)
    assert values.ravel().tolist() == [code - (code >> (bits - 1) << bits) for code in range(1 << bits)]
    expected = np.multiply.outer(
        values.ravel().astype(int), encoding.values(weights, bits).ravel().astype(int)
    )
    for codes in (patterns, values):
        result = bitplanes.convolve(
            codes, weights, a_bits=bits, w_bits=bits, encoding=encoding, a_signed=True
        )
        assert np.array_equal(result[0, 0], expected)


def test_the_most_negative_code_counts_for_the_exact_product():
    # 128 * 127 * 1025 is beyond 2^24, 127 * 127 * 1025 is not: the bound must see the minimum.
    codes = np.full((1, 1, 1, 1033), -128, np.int8)
    values = np.full((1, 1, 1, 1033), 127, np.int16)
    values[..., 0] = 126
    assert matmul.convolve(codes, values).item() == -128 * (127 * 1033 - 1)
