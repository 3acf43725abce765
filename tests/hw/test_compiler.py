"""Programs and memory images: decoded again, they say what the network says."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering import lower
from dorefa.golden.random_network import random_images, random_network
from dorefa.hw.affine_quantizer import AffineQuantizer
from dorefa.hw.compiler import compile_network
from dorefa.hw.geometry import PassGeometry
from dorefa.hw.images import reordered_codes
from dorefa.hw.layout import MapLayout
from dorefa.hw.memory_map import REGISTERS, MemoryMap
from dorefa.hw.problems import find_problems, raw_range, summed_pixels, xnor_constants
from dorefa.hw.sizing import fit

from .engine_bench import Bench, beats_of, compare
from .support import decode, draw_layer, layer, network


def signed(word, bits):
    word &= (1 << bits) - 1
    return word - (word >> (bits - 1) << bits)


def draw_compiled(rng, **sizes):
    """A random network on a random engine that can run it."""
    while True:
        encodings = [("bipolar",), ("twos_complement", "unsigned")][rng.integers(2)]
        integer = lower(
            random_network(
                int(rng.integers(1 << 31)), max_macs=20_000, max_size=6, encodings=encodings,
                residual=bool(rng.integers(2)), allow_average=True,
            )
        )  # fmt: skip
        drawn = {
            "lanes": int(rng.integers(8, 40)), "rows": 2 * int(rng.integers(1, 4)),
            "quant": int(rng.integers(1, 3)), "engines": int(rng.integers(1, 4)),
            "weights": str(rng.choice(["onchip", "stream"])), "quantizer": "thresholds",
        }  # fmt: skip
        config = fit(integer, **drawn | sizes)
        if not find_problems(integer, config):
            return compile_network(integer, config)


def descriptors(compiled):
    """(Pass, its layer, decoded descriptor) of every pass."""
    program = compiled.memories["program"]
    passes = compiled.schedule.passes
    size = len(program) // len(passes)
    for number, part in enumerate(passes):
        words = program[number * size : (number + 1) * size]
        yield part, compiled.network.layers[part.layer], decode(compiled.config, words)


def channel_places(part, config):
    """(channel, tile of the pass, row of all engines) of the channels that exist.

    Channels of a tile go to the engines in turn, `quant` at a time.
    """
    geometry, channels = part.geometry, list(part.output_channels())
    for at, channel in enumerate(channels):
        group, within = divmod(at, geometry.channels)
        tile, place = divmod(within, geometry.rows)
        turn, place = divmod(place, config.total_quant)
        engine, lane = divmod(place, config.quant)
        if channel >= 0:
            yield channel, group * geometry.tiles + tile, engine * config.rows + turn * config.quant + lane


def test_weights(rng):
    """Every bit of every weight lies where the descriptor and the row say; all else is zero, but for
    channels that fill up a block."""
    for _ in range(8):
        compiled = draw_compiled(rng)
        config, base = compiled.config, 0
        held = compiled.memories["weights"]
        seen = set()
        for number, (part, integer, values) in enumerate(descriptors(compiled)):
            geometry = part.geometry
            if config.weights == "stream":
                held, base = compiled.weight_packets[number], 0
                # The halves of the memory take turns.
                first_plane = number % 2 * (config.weight_depth // 2)
                assert values["weight_words"] == geometry.weight_words == len(held[0])
            else:
                first_plane = base
            assert values["weight_top"] == first_plane + (integer.w_bits - 1) * geometry.words
            for channel, tile, row in channel_places(part, config):
                codes = reordered_codes(geometry, [channel])[0]
                for plane in range(integer.w_bits):
                    first = base + (tile * integer.w_bits + plane) * geometry.words
                    words = held[row][first : first + geometry.words]
                    bits = sum(word << (n * config.lanes) for n, word in enumerate(words))
                    # Lanes beyond the reduction are zero.
                    assert bits == sum(int(code >> plane & 1) << n for n, code in enumerate(codes))
                    seen |= {(number, row, first + n) for n in range(geometry.words)}
            fills = -1 in part.output_channels()
            for row in range(0 if fills else config.total_rows):
                for address in range(base, base + geometry.weight_words):
                    assert (number, row, address) in seen or held[row][address] == 0
            base += geometry.weight_words
        if config.weights == "onchip":
            assert [len(words) for words in held] == [base] * config.total_rows


@pytest.mark.parametrize("encoding", ["fitting", "any"])
def test_thresholds(encoding, rng):
    """The binary search over the stored words counts the thresholds that a value reaches."""
    for _ in range(6):
        compiled = draw_compiled(rng, **({"encoding": "any"} if encoding == "any" else {}))
        config = compiled.config
        memories, stages = compiled.memories["params"], config.out_bits
        for part, integer, values in descriptors(compiled):
            geometry = part.geometry
            constants = np.zeros(len(integer.codes), int)
            if integer.rescale is None:
                constants = xnor_constants(integer, geometry, config) * summed_pixels(integer)
            for number, channels in enumerate(part.quantizer_groups()):
                param = values["param_base"] + number
                for lane, channel in enumerate(channels):
                    if channel < 0:
                        check_zero_channel(memories, lane, param, integer, geometry, config)
                        continue
                    word = memories[lane * stages][param]
                    if integer.thresholds is None:
                        assert signed(word, config.acc_bits) == constants[channel]
                        continue
                    assert word >> config.acc_bits == integer.inverted[channel]
                    thresholds = integer.thresholds[channel]
                    least, greatest = raw_range(integer, geometry, config)
                    for value in {integer.value_min, integer.value_max, 0, *thresholds[::9]}:
                        value = int(np.clip(value, integer.value_min, integer.value_max))
                        raw = value - int(constants[channel])
                        # Some are beyond what this channel's counts can reach.
                        if least <= raw <= greatest:
                            found = search(memories, lane, param, raw, config)
                            assert found == (value >= thresholds).sum()


def search(memories, lane, param, value, config):
    """What the threshold quantizer finds in its memories."""
    bits = 0
    for stage in range(config.out_bits):
        word = memories[lane * config.out_bits + stage][(param << stage) | bits]
        bits = bits << 1 | (value >= signed(word, config.acc_bits))
    return bits


def check_zero_channel(memories, lane, param, integer, geometry, config):
    """A channel that only fills up a block has code 0, whatever value arrives."""
    if integer.thresholds is not None:
        least, greatest = raw_range(integer, geometry, config)
        for value in (least, 0, greatest):
            assert search(memories, lane, param, value, config) == 0


def test_descriptors(rng):
    """Loop counts as the geometry has them, parameters one pass after another."""
    for _ in range(8):
        compiled = draw_compiled(rng)
        params, last = 0, compiled.network.layers[-1]
        for number, (part, integer, values) in enumerate(descriptors(compiled)):
            geometry = part.geometry
            assert values["param_base"] == params
            assert values["raw"] == (integer is last)
            assert values["ends_image"] == (number == len(compiled.schedule.passes) - 1)
            assert values["signed_weights"] == (integer.encoding == "twos_complement")
            codes = integer.code_bits
            assert values["code_mask"] == ((1 << codes) - 1 if codes else 0)
            assert (values["weight_planes"], values["activation_planes"]) == (
                integer.w_bits, integer.a_bits
            )  # fmt: skip
            assert (values["out_rows"], values["out_cols"]) == geometry.computed
            assert (values["sets"], values["tiles"], values["groups"], values["words"]) == (
                geometry.sets, geometry.tiles, geometry.groups, geometry.words
            )  # fmt: skip
            params += geometry.pixel_groups


def test_maps_that_are_read_later_do_not_overlap(rng):
    for _ in range(8):
        compiled = draw_compiled(rng)
        config, plan, layers = compiled.config, compiled.schedule, compiled.network.layers
        alive = {-1: (0, MapLayout.dense(compiled.network.input_shape).words(config.fetch_bits))}
        for index, integer in enumerate(layers):
            parts = [d for part, _, d in descriptors(compiled) if part.layer == index]
            if integer.out_bits is not None:
                block = plan.maps[index].block_words(config.fetch_bits)
                first = parts[0]["out_address"]
                assert [d["out_address"] for d in parts] == [first + n * block for n in range(len(parts))]
                own = (first, first + plan.maps[index].words(config.fetch_bits))
                assert own[1] <= config.feature_depth
                for begin, end in alive.values():
                    assert end <= own[0] or own[1] <= begin
                alive[index] = own
            # What no later layer reads may be overwritten.
            needed = {later.source for later in layers[index + 1 :]}
            alive = {number: place for number, place in alive.items() if number in needed}


def test_report_of_the_layers(rng):
    compiled = draw_compiled(rng)
    for made, integer in zip(compiled.layers, compiled.network.layers, strict=True):
        assert (made.name, made.out_shape, made.out_bits) == (
            integer.name, integer.out_shape, integer.out_bits
        )  # fmt: skip
        assert made.binary_ops == integer.macs * integer.w_bits * integer.a_bits
        assert 0 < made.bound <= made.cycles
    passes = [number for made in compiled.layers for number in made.passes]
    assert passes == list(range(len(compiled.schedule.passes)))
    assert compiled.cycles == sum(made.cycles for made in compiled.layers)


@pytest.mark.parametrize("weights", ["onchip", "stream"])
def test_host_writes(weights, rng):
    """They fill every word of the images once, registers last and the enabling bit at the end."""
    compiled = draw_compiled(rng, weights=weights)
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
        memory_map.params: compiled.memories["params"],
    }
    if weights == "onchip":
        images[memory_map.weights] = compiled.memories["weights"]
    if memory_map.rescale is not None:
        images[memory_map.rescale] = compiled.memories["rescale"]
    for window, memories in images.items():
        for number, words in enumerate(memories):
            for address, word in enumerate(words):
                pieces = [
                    held.pop(memory_map.address(window, number, address, piece))
                    for piece in range(window.pieces)
                ]
                assert sum(p << (32 * n) for n, p in enumerate(pieces)) == word
    assert len(held) == 3
    weight_words = sum(map(len, compiled.memories["weights"]))
    if compiled.config.weights == "stream":
        # Two halves, each with the longest packet of every row.
        longest = max(len(words[0]) for words in compiled.weight_packets)
        weight_words = 2 * longest * compiled.config.total_rows
    assert compiled.memory_bits == {
        "program": 32 * len(compiled.memories["program"]),
        "weights": compiled.config.lanes * weight_words,
        "params": memory_map.params.width * sum(map(len, compiled.memories["params"])),
        **({"rescale": memory_map.rescale.width * sum(map(len, compiled.memories["rescale"]))}
           if memory_map.rescale else {}),
    }


def constants_of(integer, config):
    """XNOR constants of the last layer, one per class."""
    last = integer.layers[-1]
    return [int(value) for value in xnor_constants(last, PassGeometry.of(last, config), config)]


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
