"""Maps of layers that are cut into passes: zero channels fill up the blocks of every channel group."""

import pytest

from dorefa.golden import Network, lower, random_images
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.random.draws import RawDraws
from dorefa.golden.random.layers import Options, draw_layer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate


def grouped(seed, groups, channels):
    """A layer of so many groups of channels, and two that read all of them."""
    options = Options(RawDraws(seed), [Encoding.BIPOLAR], False, False, 70)
    shapes = [(groups * channels, 1, 1, 2), (3, 1, 1, groups * channels), (4, 1, 1, 12)]
    geometries = [{"kind": "conv", "shape": shape} for shape in shapes]
    geometries[0]["groups"], geometries[2]["kind"] = groups, "fc"
    layers = [
        draw_layer(options, f"layer{number}", geometry, 2, 3, 2 if number < 2 else None)
        for number, geometry in enumerate(geometries)
    ]
    return lower(Network(name="grouped", input_shape=(2, 2, 2 * groups), input_bits=2, layers=tuple(layers)))


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_zero_channels_of_every_group(groups, seed):
    network = grouped(seed, groups, 5)
    config = fit(network, lanes=24, rows=2, quant=1, weights="stream", weight_depth=8)
    compiled = compile_network(network, config)
    # Three channels a pass: the last one of each group has two, and a zero.
    layout = compiled.schedule.maps[0]
    assert (layout.blocks, layout.channels) == (2 * groups, 3)
    report = simulate(network, config=config, images=random_images(network, 2, 1), simulator="verilator")
    assert report.bit_exact, report.mismatches[:1]
    assert [layer.cycles for layer in report.layers] == [layer.cycles for layer in compiled.layers]
