"""Programs and memory images: decoded again, they say what the network says."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering import lower
from dorefa.golden.random_network import random_images, random_network
from dorefa.hw.affine_quantizer import AffineQuantizer
from dorefa.hw.compiler import compile_network
from dorefa.hw.geometry import LayerGeometry
from dorefa.hw.memory_map import REGISTERS, MemoryMap
from dorefa.hw.problems import raw_range, xnor_constants
from dorefa.hw.sizing import fit

from .engine_bench import Bench, beats_of, compare
from .support import draw_layer, layer, network
from .test_program import decode


def signed(word, bits):
    word &= (1 << bits) - 1
    return word - (word >> (bits - 1) << bits)


def draw_compiled(rng, **sizes):
    encodings = [("bipolar",), ("twos_complement", "unsigned")][rng.integers(2)]
    integer = lower(
        random_network(
            int(rng.integers(1 << 31)), max_macs=20_000, max_size=6, encodings=encodings
        )
    )
    drawn = {
        "lanes": int(rng.integers(8, 40)), "rows": int(rng.integers(2, 7)),
        "quant": int(rng.integers(1, 3)), "quantizer": "thresholds",
    }  # fmt: skip
    return compile_network(integer, fit(integer, **drawn | sizes))


def channel_places(geometry):
    """(channel, tile place) in the order of the weight memory: group, tile, row."""
    for channel in range(len(geometry.layer.codes)):
        group, within = divmod(channel, geometry.group_channels)
        yield channel, group * geometry.tiles + within // geometry.rows, within % geometry.rows


def test_weights(rng):
    for _ in range(8):
        compiled = draw_compiled(rng)
        lanes, base = compiled.config.lanes, 0
        used = [[False] * len(words) for words in compiled.memories["weights"]]
        for integer in compiled.network.layers:
            geometry = LayerGeometry.of(integer, compiled.config)
            for channel, tile, row in channel_places(geometry):
                codes = integer.codes[channel].reshape(-1)
                for plane in range(integer.w_bits):
                    first = base + (tile * integer.w_bits + plane) * geometry.words
                    words = compiled.memories["weights"][row][first : first + geometry.words]
                    bits = sum(word << (n * lanes) for n, word in enumerate(words))
                    # Lanes beyond the reduction are zero.
                    want = sum(int(code >> plane & 1) << n for n, code in enumerate(codes))
                    assert bits == want
                    for n in range(geometry.words):
                        used[row][first + n] = True
            base += geometry.weight_words
        for row, words in enumerate(compiled.memories["weights"]):
            assert len(words) == base
            assert all(seen or word == 0 for seen, word in zip(used[row], words, strict=True))


@pytest.mark.parametrize("encoding", ["fitting", "any"])
def test_thresholds(encoding, rng):
    """The binary search over the stored words counts the thresholds that a sum reaches."""
    for _ in range(6):
        compiled = draw_compiled(rng, **({"encoding": "any"} if encoding == "any" else {}))
        config, base = compiled.config, 0
        memories, stages = compiled.memories["params"], compiled.config.out_bits
        for integer in compiled.network.layers:
            geometry = LayerGeometry.of(integer, config)
            constants = np.zeros(len(integer.codes), int)
            if config.xnor:
                constants = xnor_constants(integer, geometry)
            for channel, tile, row in channel_places(geometry):
                group, tile = divmod(tile, geometry.tiles)
                per_group = geometry.pixel_groups // integer.groups
                param = base + group * per_group + tile * geometry.full_groups + row // config.quant
                lane = (row % config.quant) * stages
                word = memories[lane][param]
                if integer.out_bits is None:
                    assert signed(word, config.acc_bits) == constants[channel]
                    continue
                assert word >> config.acc_bits == integer.inverted[channel]
                thresholds = integer.thresholds[channel]
                for value in {integer.acc_min, integer.acc_max, 0, *thresholds[::9]}:
                    value = int(np.clip(value, integer.acc_min, integer.acc_max))
                    raw = value - int(constants[channel])
                    least, greatest = raw_range(integer, geometry, config)
                    if not least <= raw <= greatest:
                        continue  # beyond what this channel's counts can reach
                    bits = 0
                    for stage in range(stages):
                        stored = signed(
                            memories[lane + stage][(param << stage) | bits], config.acc_bits
                        )
                        bits = bits << 1 | (raw >= stored)
                    assert bits == (value >= thresholds).sum()
            base += geometry.pixel_groups


def test_descriptors(rng):
    """Loop counts as the geometry has them, bases one after another, maps that do not overlap."""
    for _ in range(8):
        compiled = draw_compiled(rng)
        config, network_ = compiled.config, compiled.network
        per_layer = len(compiled.memories["program"]) // len(network_.layers)
        weights = params = 0
        in_words, in_address = -(-int(np.prod(network_.input_shape)) // config.fetch_bits), 0
        for number, integer in enumerate(network_.layers):
            words = compiled.memories["program"][number * per_layer : (number + 1) * per_layer]
            values = decode(config, words)
            geometry = LayerGeometry.of(integer, config)
            last = integer.out_bits is None
            assert values["weight_top"] == weights + (integer.w_bits - 1) * geometry.words
            assert values["param_base"] == params
            assert values["raw"] == last
            assert values["signed_weights"] == (integer.encoding == "twos_complement")
            assert values["code_mask"] == (0 if last else (1 << integer.out_bits) - 1)
            assert (values["weight_planes"], values["activation_planes"]) == (
                integer.w_bits, integer.a_bits
            )  # fmt: skip
            weights += geometry.weight_words
            params += geometry.pixel_groups
            if not last:
                out_words = -(-int(np.prod(integer.out_shape)) // config.fetch_bits)
                out_address = values["out_address"]
                assert compiled.layers[number].out_address == out_address
                assert out_address + out_words <= config.feature_depth
                assert out_address >= in_address + in_words or out_address + out_words <= in_address
                in_words, in_address = out_words, out_address


def test_report_of_the_layers(rng):
    compiled = draw_compiled(rng)
    for made, integer in zip(compiled.layers, compiled.network.layers, strict=True):
        assert (made.name, made.out_shape, made.out_bits) == (
            integer.name, integer.out_shape, integer.out_bits
        )  # fmt: skip
        assert made.binary_ops == integer.macs * integer.w_bits * integer.a_bits
        assert 0 < made.bound <= made.cycles
    assert compiled.cycles == sum(made.cycles for made in compiled.layers)


def test_host_writes(rng):
    """They fill every word of the images once, registers last and the enabling bit at the end."""
    compiled = draw_compiled(rng)
    memory_map = MemoryMap.of(compiled.config)
    writes = list(compiled.host_writes())
    assert len({address for address, _ in writes}) == len(writes)
    assert all(0 <= word < 1 << 32 for _, word in writes)
    registers = compiled.memories["registers"]
    assert writes[-3:] == [
        (REGISTERS["layers"][0], registers["layers"]),
        (REGISTERS["image_bytes"][0], registers["image_bytes"]),
        (REGISTERS["control"][0], 1),
    ]
    held = dict(writes)
    images = {
        memory_map.program: [compiled.memories["program"]],
        memory_map.weights: compiled.memories["weights"],
        memory_map.params: compiled.memories["params"],
    }
    for window, memories in images.items():
        for number, words in enumerate(memories):
            for address, word in enumerate(words):
                pieces = [
                    held.pop(memory_map.address(window, number, address, piece))
                    for piece in range(window.pieces)
                ]
                assert sum(p << (32 * n) for n, p in enumerate(pieces)) == word
    assert len(held) == 3
    assert compiled.memory_bits == {
        "program": 32 * len(compiled.memories["program"]),
        "weights": compiled.config.lanes * sum(map(len, compiled.memories["weights"])),
        "params": memory_map.params.width * sum(map(len, compiled.memories["params"])),
    }


def constants_of(integer, config):
    """XNOR constants of the last layer, one per class."""
    last = integer.layers[-1]
    return [int(value) for value in xnor_constants(last, LayerGeometry.of(last, config))]


def one_class(rng, inputs, **fields):
    return draw_layer(rng, "fc", (1, 1, 1, inputs), a_bits=None, kind="fc", **fields)


def test_unreachable_thresholds_do_not_wrap(rng):
    """A channel of only negative weights next to one of positive: its thresholds lie at the end of
    the layer's range, beyond all that its own XNOR counts can reach, and beyond the width."""
    codes = np.zeros((2, 1, 1, 62), np.uint8)
    codes[1] = 1
    body = layer("conv", codes, a_bits=1, scale=0.02, bias=np.float32([-5, 0.2]))
    integer = lower(network((2, 1, 62), 1, body, one_class(rng, 4)))
    config = fit(integer, lanes=62, rows=2, quant=2, fetch_bits=32)
    assert config.acc_bits == 7
    compiled = compile_network(integer, config)
    images = np.concatenate([random_images(integer, 1, 3), np.zeros((1, 2, 1, 62), np.uint8)])
    outcome = Bench(compiled, rng).run([beats_of(image, 1) for image in images], 2)
    compare(compiled, images, outcome)


def test_affine_offset_of_results(rng):
    """The constant that raw XNOR results lack is an affine offset: refused where it is too wide."""
    only = one_class(rng, 40)
    integer = lower(network((1, 1, 40), 1, only))
    config = fit(integer, lanes=32, rows=1, quantizer="affine")
    assert compile_network(integer, config)
    (constant,) = constants_of(integer, config)
    with pytest.raises(InputError) as caught:
        compile_network(integer, config.replace(bias_bits=4))
    assert str(caught.value) == (
        f"layer fc channel 0: affine offset b = {constant} and shift f = 0 do not fit "
        f"bias_bits = 4 and shift_bits = {config.shift_bits}; accepted: wider ones, or quantizer "
        "thresholds"
    )


def test_affine_parameters_that_do_not_fit(rng):
    body = draw_layer(
        rng, "conv", (2, 1, 1, 8), w_bits=4, encoding="twos_complement", a_bits=4, scale=0.0391,
        bias=np.float32([0.53, 0.47]),
    )  # fmt: skip
    last = one_class(rng, 2, encoding="twos_complement", w_bits=2)
    integer = lower(network((1, 1, 8), 3, body, last))
    config = fit(integer, lanes=8, rows=2, quantizer="affine")
    compiled = compile_network(integer, config)
    words = [
        AffineQuantizer.param_layout(config).from_bits(image[0])
        for image in compiled.memories["params"]
    ]
    b, f = words[0].b, words[0].f
    with pytest.raises(InputError) as caught:
        compile_network(integer, config.replace(shift_bits=1))
    assert str(caught.value) == (
        f"layer conv channel 0: affine offset b = {b} and shift f = {f} do not fit "
        f"bias_bits = {config.bias_bits} and shift_bits = 1; accepted: wider ones, or quantizer "
        "thresholds"
    )
    refused = r"^layer conv channel \d: the affine multiplier \d+ needs"
    with pytest.raises(InputError, match=refused):
        compile_network(integer, config.replace(mul_bits=1))


def test_wide_padding(rng):
    """Windows that start and end far outside of a small map: their offsets fit, or are refused."""
    body = draw_layer(
        rng, "conv", (1, 1, 1, 16), padding=(0, 0, 0, 40), stride=(1, 2), scale=0.2,
        bias=np.float32([0.4]),
    )  # fmt: skip
    integer = lower(network((1, 1, 16), 2, body, one_class(rng, 21)))
    compiled = compile_network(integer, fit(integer, lanes=16, rows=2))
    images = random_images(integer, 2, 4)
    outcome = Bench(compiled, rng).run([beats_of(image, 1) for image in images], 2)
    compare(compiled, images, outcome)


def test_kernel_wider_than_the_memory(rng):
    """A run is as long as the kernel, padding included."""
    body = draw_layer(
        rng, "conv", (2, 1, 15, 16), padding=(0, 7, 0, 7), scale=0.2, bias=np.float32([0.3, 0.6])
    )
    integer = lower(network((1, 1, 16), 2, body, one_class(rng, 2)))
    compiled = compile_network(integer, fit(integer, lanes=16, rows=2))
    images = random_images(integer, 2, 4)
    outcome = Bench(compiled, rng).run([beats_of(image, 1) for image in images], 2)
    compare(compiled, images, outcome)


def test_steps_beyond_a_single_pixel(rng):
    """A stride that leaves the memory's address space, where there is but one output pixel."""
    body = draw_layer(rng, "conv", (2, 1, 1, 3), stride=(200, 200), scale=0.5)
    integer = lower(network((2, 2, 3), 1, body, one_class(rng, 2)))
    assert compile_network(integer, fit(integer, lanes=8, rows=2))
