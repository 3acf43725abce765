"""dorefa.sim.job.snapshot: what the memories hold is read back as golden's codes and trunks."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network, run_integer
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim.job.snapshot import regions, values


class Memories:
    """Memories of an engine by name, one bit at a time, random where nothing was written."""

    def __init__(self, rng, widths):
        self._rng, self._widths, self._rows = rng, widths, {}

    def set(self, name, row, bit, value):
        """Writes one bit."""
        self._row(name, row)[bit] = value

    def copy(self, region):
        """The words of a region: uint8 (rows, bytes)."""
        rows = [
            np.packbits(self._row(region.memory, region.first + at), bitorder="little")
            for at in range(region.rows)
        ]
        size = -(-self._widths(region.memory) // 8)
        return np.array(rows, np.uint8).reshape(region.rows, size)

    def _row(self, name, row):
        if (name, row) not in self._rows:
            width = self._widths(name)
            self._rows[name, row] = self._rng.integers(0, 2, width).astype(np.uint8)
        return self._rows[name, row]


def store_codes(memories, compiled, part, codes):
    """A pass's codes (H, W, C of the layer) where the engine's definition puts them."""
    config, plan = compiled.config, compiled.schedule
    layout = plan.maps[part.layer]
    first = plan.addresses[part.layer + 1] + part.part * layout.block_words(config.fetch_bits)
    height, width, _ = layout.shape
    for y in range(height):
        for x in range(width):
            for at, channel in enumerate(part.output_channels()):
                element = (y * width + x) * layout.channels + at
                word, bit = first + element // config.fetch_bits, element % config.fetch_bits
                code = int(codes[y, x, channel]) if channel >= 0 else 0
                for plane in range(config.fetch_planes):
                    upper = plane >= config.out_bits
                    name = f"core.slice0.feature.{'image_' if upper else ''}bank{word % 2}"
                    at_plane = plane - config.out_bits if upper else plane
                    place = at_plane * config.fetch_bits + bit
                    memories.set(name, word // 2, place, code >> plane & 1)


def store_trunk(memories, compiled, index, trunk):
    """A layer's trunk (H, W, C): groups of `quant` channels per engine, pixel after pixel."""
    config, plan = compiled.config, compiled.schedule
    groups = [group for part in plan.of_layer(index) for group in part.quantizer_groups()]
    for pixel, row in enumerate(trunk.reshape(-1, trunk.shape[2]).tolist()):
        for number, group in enumerate(groups):
            address = plan.trunk_addresses[index] + pixel * len(groups) + number
            for lane, channel in enumerate(group):
                engine, own = divmod(lane, config.quant)
                name = f"core.slice{engine}.residual.trunk"
                for bit in range(config.trunk_bits):
                    value = row[channel] >> bit & 1 if channel >= 0 else 0
                    memories.set(name, address, own * config.trunk_bits + bit, value)


def first_that_fits(seed, residual, options):
    """A random network and its compilation: not every trunk can be added on every number of rows."""
    for number in range(100 * seed, 100 * seed + 100):
        network = lower(
            random_network(number, residual=residual, allow_average=True, max_macs=20_000, max_size=6)
        )
        try:
            return network, compile_network(network, fit(network, **options))
        except InputError:
            continue
    raise AssertionError(f"none of 100 networks fits {options}")


@pytest.mark.parametrize(
    "options",
    [
        {"rows": 4},
        {"rows": 3, "fetch_bits": 8, "quantizer": "affine"},
        {"rows": 2, "weights": "stream"},
        {"rows": 4, "engines": 2, "quant": 2},
        {"rows": 2, "engines": 3, "quant": 1, "weights": "stream"},
    ],
)
@pytest.mark.parametrize("residual", [False, True])
def test_codes_and_trunks_are_golden_s(options, residual, rng, seed):
    network, compiled = first_that_fits(seed, residual, {"lanes": 16} | options)
    config = compiled.config
    images = random_images(network, 1, seed)
    expected = {name: array[0] for name, array in run_integer(network, images).items()}

    def width(name):
        if name.endswith("trunk"):
            return config.quant * config.trunk_bits
        return config.fetch_bits * (config.image_planes if "image_" in name else config.out_bits)

    memories, copied = Memories(rng, width), []
    for part, own in zip(compiled.schedule.passes, regions(compiled), strict=True):
        layer = network.layers[part.layer]
        if layer.out_bits is not None:
            store_codes(memories, compiled, part, expected[layer.name])
        if layer.trunk and part.part == part.parts - 1:
            name = layer.name if layer.out_bits is None else f"{layer.name}.trunk"
            store_trunk(memories, compiled, part.layer, expected[name])
        copied.append([memories.copy(region) for region in own])
    found = values(compiled, copied)
    del expected[network.layers[-1].name]
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
