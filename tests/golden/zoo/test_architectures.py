"""The paper's networks: operations as published, shapes, and codes that spread."""

import numpy as np
import pytest

from dorefa.golden import InputError, lower, random_images, run_float, run_integer
from dorefa.golden.network.shapes import macs
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.architectures import find

# By hand, layer by layer: K x outputs x pixels.
SVHN_A = {
    "conv0": 75 * 48 * 36**2,
    "conv1": 432 * 64 * 18**2,
    "conv2": 576 * 64 * 18**2,
    "conv3": 576 * 128 * 7**2,
    "conv4": 1152 * 128 * 7**2,
    "conv5": 1152 * 128 * 5**2,
    "conv6": 3200 * 512,
    "fc1": 512 * 10,
}
ALEXNET_FC = {"fc0": 9216 * 4096, "fc1": 4096**2, "fct": 4096 * 1000}
ALEXNET = {
    "conv0": 432 * 96 * 54**2,
    "conv1": 1200 * 256 * 54**2,
    "conv2": 2304 * 384 * 27**2,
    "conv3": 1728 * 384 * 14**2,
    # Pooling 3x3 with stride 2 reads 13 of 14 rows and columns.
    "conv4": 1728 * 256 * 13**2,
} | ALEXNET_FC
RESNET18 = (
    {"conv1": 147 * 64 * 112**2}
    | {
        f"conv{group}_{name}": taps * inputs * outputs * pixels**2
        for group, before, outputs, pixels in (
            (2, 64, 64, 56),
            (3, 64, 128, 28),
            (4, 128, 256, 14),
            (5, 256, 512, 7),
        )
        for name, taps, inputs in (
            ("1_shortcut", 1, before),
            ("1_a", 9, before),
            ("1_b", 9, outputs),
            ("2_a", 9, outputs),
            ("2_b", 9, outputs),
        )
    }
    | {"fct": 512 * 1000}
)


def counted(name):
    network = catalog.outline(name)
    return {
        layer.name: macs(layer, shapes.conv_shape, shapes.out_shape, links.trunk)
        for layer, shapes, links in zip(network.layers, network.shapes, network.links, strict=True)
    }


def svhn(divisor):
    """Model A with 1 / divisor of the channels: but for both ends, of inputs and of outputs."""
    ends = ("conv0", "fc1")
    return {name: count // (divisor if name in ends else divisor**2) for name, count in SVHN_A.items()}


@pytest.mark.parametrize(
    "name, expected, total",
    [
        ("svhn-a", svhn(1), 41_735_424),
        ("svhn-b", svhn(2), 11_601_536),
        ("svhn-c", svhn(4), 3_484_224),
        ("svhn-d", svhn(8), 1_162_976),
        # Published with the whole map of conv4: 1,937,082,368.
        ("alexnet", ALEXNET, 1_937_082_368 - 1728 * 256 * (14**2 - 13**2)),
        ("alexnet-fc", ALEXNET_FC, 58_621_952),
        ("resnet18", RESNET18, 1_826_918_400),
    ],
)
def test_operations(name, expected, total):
    assert counted(name) == expected
    assert list(counted(name)) == [spec.name for spec in find(name).layers]
    assert sum(expected.values()) == total


def test_quantized_weights_of_svhn_a():
    sizes = [layer.codes.size for layer in catalog.outline("svhn-a").layers]
    assert sum(sizes[1:-1]) == 2_071_552


SMALL = [
    ("svhn-d", None),
    ("svhn-b", None),
    ("alexnet", (96, 96)),
    ("alexnet-fc", (1, 2)),
    ("resnet18", (64, 64)),
]


@pytest.mark.parametrize("name, size", SMALL)
def test_every_code_occurs(name, size, seed):
    network = lower(catalog.load(name, seed=seed, size=size))
    results = run_integer(network, random_images(network, 4, seed))
    for layer in network.layers[:-1]:
        codes = results[layer.name]
        if layer.code_bits is None:
            assert codes.std() > 8, layer.name
        elif layer.out_bits != layer.code_bits:
            assert len(np.unique(codes)) > layer.levels, layer.name
        else:
            shares = np.bincount(codes.ravel(), minlength=4) / codes.size
            assert shares.min() >= 0.04, (layer.name, shares)
    assert len(np.unique(results[network.layers[-1].name], axis=0)) == 4


@pytest.mark.parametrize(
    "name, size, widths",
    [
        ("svhn-d", None, {}),
        ("svhn-d", None, {"net_w": 2, "net_a": 3, "first_w": 8}),
        ("resnet18", (32, 32), {}),
        ("resnet18", (32, 64), {"net_w": 3, "net_a": 4, "first_w": 2, "last_w": 1}),
    ],
)
def test_float_and_integer_golden_agree(name, size, widths, seed):
    network = catalog.load(name, seed=seed + 1, size=size, **widths)
    images = random_images(network, 1, seed)
    expected = run_integer(lower(network), images)
    real = run_float(network, images)
    assert list(real) == list(expected)
    for key, values in expected.items():
        assert np.array_equal(real[key], values), key


@pytest.mark.parametrize("name, size", [*SMALL, ("resnet18", None)])
def test_an_outline_is_the_network_without_weights(name, size):
    arguments = {"net_w": 2, "net_a": 3, "first_w": 4, "last_w": 5, "size": size, "seed": 2}
    outline, network = catalog.outline(name, **arguments), catalog.load(name, **arguments)
    for field in ("name", "input_shape", "input_bits", "shapes", "links"):
        assert getattr(outline, field) == getattr(network, field)
    for blank, layer in zip(outline.layers, network.layers, strict=True):
        for field in ("name", "w_bits", "a_bits", "out_bits", "pool", "padding", "groups"):
            assert getattr(blank, field) == getattr(layer, field)
        assert blank.codes.shape == layer.codes.shape and not blank.codes.any()
        assert (blank.rescale is None) == (layer.rescale is None)


def test_alexnet_fc_reads_what_conv4_leaves():
    whole, part = catalog.outline("alexnet", net_a=3), catalog.outline("alexnet-fc", net_a=3)
    assert part.input_shape == whole.shapes[4].out_shape == (6, 6, 256)
    assert part.input_bits == 3 and [layer.w_bits for layer in part.layers] == [1, 1, 8]
    assert part.shapes[1:] == whole.shapes[6:]


def test_resnet18_is_the_graph_of_the_original():
    network = catalog.outline("resnet18", net_w=2)
    by_name = {layer.name: layer for layer in network.layers}
    names = [layer.name for layer in network.layers]
    maps = {name: shapes.out_shape for name, shapes in zip(names, network.shapes, strict=True)}
    trunks = {name: shapes.conv_shape for name, shapes in zip(names, network.shapes, strict=True)}
    assert maps["conv1"] == (56, 56, 64)
    before = "conv1"
    for group, channels, size in ((2, 64, 56), (3, 128, 28), (4, 256, 14), (5, 512, 7)):
        first, second = f"conv{group}_1", f"conv{group}_2"
        sources = {name: names[network.links[names.index(name)].source] for name in names[1:]}
        assert sources[f"{first}_shortcut"] == sources[f"{first}_a"] == before
        assert sources[f"{first}_b"] == f"{first}_a"
        assert sources[f"{second}_a"] == f"{first}_b"
        assert sources[f"{second}_b"] == f"{second}_a"
        assert by_name[f"{first}_b"].add == f"{first}_shortcut"
        assert by_name[f"{second}_b"].add == f"{first}_b"
        assert trunks[f"{second}_b"] == (size, size, channels)
        before = f"{second}_b"
        kernel = (7, 7) if group == 5 else (2, 2)
        assert by_name[before].pool.kernel == kernel
        assert by_name[before].pool.kind == ("average_codes" if group == 5 else "average")
    assert maps[before] == (1, 1, 512)
    assert [layer.w_bits for layer in network.layers] == [1, *[2] * 20, 8]


@pytest.mark.parametrize(
    "net_a, size, bits, levels",
    [
        (2, None, 2, 147),
        (4, None, 2, 147),
        (1, None, 1, 49),
        (8, (64, 64), 6, 252),
        (8, (32, 32), 8, 255),
    ],
)
def test_the_global_average_takes_what_fits_8_bits(net_a, size, bits, levels):
    network = catalog.outline("resnet18", net_a=net_a, size=size)
    end = network.layers[-2]
    assert (end.name, end.a_bits, end.levels, end.out_bits) == (
        "conv5_2_b",
        bits,
        levels,
        levels.bit_length(),
    )
    assert network.links[-1].levels == levels
    assert {layer.a_bits for layer in network.layers[:-2]} == {net_a, None}


@pytest.mark.parametrize("net_w, net_a", [(1, 1), (1, 8), (8, 8), (5, 2)])
def test_trunks_fit_16_bits_and_use_them(net_w, net_a, seed):
    network = lower(catalog.load("resnet18", net_w=net_w, net_a=net_a, seed=seed, size=(32, 32)))
    trunks = [layer for layer in network.layers if layer.rescale is not None]
    assert len(trunks) == 12 and all(layer.rescale.bits == 16 for layer in trunks)
    units = {layer.name[:5]: layer.rescale.scale for layer in trunks}
    assert all(layer.rescale.scale == units[layer.name[:5]] for layer in trunks)
    for layer in trunks:
        if layer.code_bits is None or layer.trunk:
            continue
        # The last sum of a group: a quarter of the range at least.
        reach = max(-layer.value_min, layer.value_max) / (4 if layer.pool.kind == "average" else 1)
        assert 1 << 12 < reach < 1 << 15


def test_conv1_of_resnet18_has_no_negative_slope(seed):
    layers = catalog.load("resnet18", seed=seed, size=(32, 32)).layers
    assert (layers[0].norm.gamma > 0).all() and (layers[2].norm.gamma < 0).any()


def test_a_map_too_large_for_the_global_average():
    with pytest.raises(InputError) as error:
        catalog.load("resnet18", size=(512, 512))
    assert str(error.value) == (
        "resnet18 on 512x512 images: layer conv5_2_b: pool sums 256 codes of 1 bits to 256, "
        "9 bits; accepted: at most 8 bits"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_full_size(name, seed):
    network = catalog.load(name, seed=seed)
    images = random_images(network, 1, seed)
    lowered = lower(network)
    expected, planes = (run_integer(lowered, images, how) for how in ("matmul", "bitplanes"))
    real = run_float(network, images)
    for key, values in expected.items():
        assert np.array_equal(planes[key], values) and np.array_equal(real[key], values), key
