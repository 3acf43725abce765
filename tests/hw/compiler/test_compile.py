"""Programs and memory images: decoded again, they say what the network says."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_images
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.map_layout import MapLayout
from dorefa.hw.compiler.needs import xnor_constants
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.interface.load_check import load_crc
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.parameters import affine_layout
from dorefa.hw.interface.registers import REGISTERS

from ..engine.compiled_networks import descriptors, draw_compiled
from ..engine.engine_bench import Bench, beats_of, compare
from ..support import draw_layer, layer, network


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
            assert (values["weight_planes"], values["activation_planes"]) == (integer.w_bits, integer.a_bits)
            assert (values["out_rows"], values["out_cols"]) == geometry.computed
            assert (values["tiles"], values["groups"], values["words"]) == (
                geometry.tiles,
                geometry.groups,
                geometry.words,
            )
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
            integer.name,
            integer.out_shape,
            integer.out_bits,
        )
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
    # All that goes into memories lies between the marks of a load, and has its checksum.
    names = {register.address: name for name, register in REGISTERS.items()}
    ends = len(writes) - 5
    assert [names.get(address) for address, _ in writes[:1] + writes[ends:]] == [
        "load_begin",
        "load_check",
        "layers",
        "image_bytes",
        "watchdog",
        "control",
    ]
    assert writes[ends][1] == load_crc(writes[1:ends]) == compiled.load_crc
    assert all(0 <= word < 1 << 32 for _, word in writes)
    registers = compiled.memories["registers"]
    assert [word for _, word in writes[ends + 1 :]] == [
        *(registers[name] for name in ("layers", "image_bytes", "watchdog")),
        1,
    ]
    assert registers["watchdog"] == 2 * compiled.cycles + 65_536
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
    assert len(held) == 6
    # Of streamed weights, both halves as far as the longest pass fills them.
    weight_words = sum(map(len, compiled.memories["weights"]))
    if weights == "stream":
        longest = max(len(words[0]) for words in compiled.weight_packets)
        weight_words = 2 * longest * compiled.config.total_rows
    assert compiled.memory_bits == {
        "program": 32 * len(compiled.memories["program"]),
        "weights": compiled.config.lanes * weight_words,
        "params": memory_map.params.width * sum(map(len, compiled.memories["params"])),
        **(
            {"rescale": memory_map.rescale.width * sum(map(len, compiled.memories["rescale"]))}
            if memory_map.rescale
            else {}
        ),
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
        rng,
        "conv",
        (2, 1, 1, 8),
        w_bits=4,
        encoding="twos_complement",
        a_bits=4,
        scale=0.0391,
        bias=np.float32([0.53, 0.47]),
    )
    last = one_class(rng, 2, encoding="twos_complement", w_bits=2)
    integer = lower(network((1, 1, 8), 3, body, last))
    config = fit(integer, lanes=8, rows=2, quantizer="affine")
    compiled = compile_network(integer, config)
    words = [affine_layout(config).from_bits(image[0]) for image in compiled.memories["params"]]
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
        rng,
        "conv",
        (1, 1, 1, 16),
        padding=(0, 0, 0, 40),
        stride=(1, 2),
        scale=0.2,
        bias=np.float32([0.4]),
    )
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
