"""What keeps a network from an engine: every reason, with its numbers."""

import dataclasses
import re

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool
from dorefa.golden.network.shapes import layer_shapes
from dorefa.golden.random.network import random_images, random_network
from dorefa.golden.run.matmul import convolve
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.needs import accumulator_bits, needs, xnor_constants
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.interface.encodings import ACCEPTED_ENCODINGS

from ..support import draw_layer, layer, network


def example(rng, **fields):
    """A convolution of 2 x 6 channels with pooling, and a fully connected layer."""
    fields = {"w_bits": 2, "a_bits": 2} | fields
    fields.setdefault("pool", Pool(kind="max", kernel=(2, 2), stride=(2, 2)))
    body = draw_layer(rng, "conv", (6, 3, 3, 2), padding=(1, 1, 1, 1), **fields)
    last = draw_layer(
        rng,
        "fc",
        (3, 1, 1, 24),
        a_bits=None,
        kind="fc",
        encoding=fields.get("encoding", "bipolar"),
    )
    return lower(network((4, 4, 2), 4, body, last))


SIZES = {"lanes": 16, "rows": 4, "quant": 2, "fetch_bits": 8, "plane_groups": 1}
# What the layer that needs the most needs of what layers add up to.
SHARES = {
    "weight_depth": 2 * 2 * 2,
    "feature_depth": 4 + 3,
    "param_depth": 3,
    "layer_depth": 1,
}
LEAST = {
    "weight_depth": 2 * 2 * 2 + 1 * 1 * 2,  # tiles x planes x words
    "feature_depth": 4 + 3,
    "image_depth": 4,
    "patch_depth": 2,
    "image_patch_depth": 2,
    "param_depth": 3 + 2,
    "pool_depth": 3,
    "line_depth": 2 * 3,
    "layer_depth": 2,
}
MEMORIES = {
    "weight_depth": ("weight memory", "words per row"),
    "feature_depth": ("feature memory", "words per plane"),
    "image_depth": ("image planes of the feature memory", "words per plane"),
    "patch_depth": ("patch buffer", "words per patch"),
    "image_patch_depth": ("image planes of the patch buffer", "words per patch"),
    "param_depth": ("quantizer parameter memory", "channel groups"),
    "pool_depth": ("pooling memory", "channel groups per pixel"),
    "line_depth": ("line memory of pooling", "channel groups per row of pooled pixels"),
    "layer_depth": ("program memory", "passes"),
}


def needs_of(integer, config):
    needed = needs(integer, config, schedule(integer, config))
    return {name: need.least for name, need in needed.items()}


def test_what_the_example_needs(rng):
    integer = example(rng)
    config = fit(integer, **SIZES)
    found = needs_of(integer, config)
    assert {name: found[name] for name in LEAST} == LEAST
    assert (found["w_bits"], found["a_bits"], found["out_bits"]) == (2, 4, 2)
    assert (found["pool_slots"], found["sum_values"], found["sum_codes"]) == (1, 0, 0)
    assert found["trunk_bits"] == 0
    assert find_problems(integer, config) == []


@pytest.mark.parametrize("name", MEMORIES)
def test_memory_too_small(name, rng):
    integer = example(rng)
    least = LEAST[name]
    config = fit(integer, **SIZES).replace(**{name: least - 1})
    memory, unit = MEMORIES[name]
    needed = f"layer conv: {memory}: it needs {least} {unit}"
    if name in SHARES:
        needed = f"{memory}: the network needs {least} {unit}, {SHARES[name]} for layer conv"
    expected = (
        f"{needed}, the engine has {name} = {least - 1}, 1 too few; accepted: {name} of at least {least}"
    )
    assert find_problems(integer, config) == [expected]
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        compile_network(integer, config)


@pytest.mark.parametrize("name, least", [("w_bits", 2), ("a_bits", 4), ("out_bits", 2)])
def test_operands_too_narrow(name, least, rng):
    integer = example(rng)
    config = fit(integer, **SIZES).replace(**{name: least - 1})
    expected = f"layer conv: {name} is {least - 1}; accepted: at least {least}, which it needs"
    assert expected in find_problems(integer, config)


def test_accumulator_too_narrow(rng):
    integer = example(rng)
    config = fit(integer, **SIZES)
    narrow = config.replace(acc_bits=config.acc_bits - 1)
    assert find_problems(integer, narrow) == [
        f"layer conv: acc_bits is {narrow.acc_bits}; accepted: at least {config.acc_bits}, which it needs"
    ]


@pytest.mark.parametrize("engine", ACCEPTED_ENCODINGS)
@pytest.mark.parametrize("weights", ["bipolar", "twos_complement", "unsigned"])
def test_encodings(engine, weights, rng):
    integer = example(rng, encoding=weights)
    problems = find_problems(integer, fit(integer, encoding=engine, acc_bits=20, **SIZES))
    accepted = ACCEPTED_ENCODINGS[engine]
    expected = [
        f"layer {name}: weights are {weights}; an engine of encoding {engine} accepts "
        f"{', '.join(accepted)}; encoding any accepts all"
        for name in ("conv", "fc")
    ]
    assert problems == ([] if weights in accepted else expected)


@pytest.mark.parametrize(
    "pool, name, least",
    [
        (Pool(kind="average", kernel=(2, 2), stride=(2, 2)), "sum_values", 1),
        (Pool(kind="average_codes", kernel=(2, 2), stride=(2, 2)), "sum_codes", 1),
        (Pool(kind="max", kernel=(3, 3), stride=(2, 2), padding=(1, 1, 0, 0)), "pool_slots", 2),
        (Pool(kind="max", kernel=(2, 4), stride=(2, 1), padding=(0, 3, 0, 0)), "pool_slots", 4),
    ],
)
def test_pooling(pool, name, least, rng):
    """What a kind of pooling needs, and that an engine without it is refused by name."""
    body = draw_layer(rng, "conv", (6, 3, 3, 2), padding=(1, 1, 1, 1), w_bits=2, a_bits=2, pool=pool)
    size = int(np.prod(layer_shapes(body, (4, 4, 2)).out_shape))
    last = draw_layer(rng, "fc", (3, 1, 1, size), kind="fc", a_bits=None)
    integer = lower(network((4, 4, 2), 4, body, last))
    config = fit(integer, **SIZES)
    assert needs_of(integer, config)[name] == least == getattr(config, name)
    assert find_problems(integer, config) == []
    assert find_problems(integer, config.replace(**{name: least - 1})) == [
        f"layer conv: {name} is {least - 1}; accepted: at least {least}, which it needs"
    ]


def test_windows_that_end_together(rng):
    """Padding behind the map as large as the stride: two windows end at the last pixel."""
    for axis, what in enumerate(("rows", "columns")):
        padding = [0, 0, 0, 0]
        padding[axis + 2] = 1
        stride = (1, 3) if axis == 0 else (3, 1)
        pool = Pool(kind="max", kernel=(2, 2), stride=stride, padding=tuple(padding))
        body = draw_layer(rng, "conv", (6, 1, 1, 2), pool=pool)
        size = int(np.prod(layer_shapes(body, (4, 4, 2)).out_shape))
        last = draw_layer(rng, "fc", (3, 1, 1, size), kind="fc", a_bits=None)
        integer = lower(network((4, 4, 2), 4, body, last))
        assert find_problems(integer, fit(integer, **SIZES)) == [
            f"layer conv: pooling padding 1 behind the {what} with stride 1 ends two windows at the last of "
            f"4 {what}; accepted: padding of less than the stride there"
        ]


def test_no_results(rng):
    """A network whose last layer stores codes answers nothing."""
    integer = example(rng)
    cut = dataclasses.replace(integer, layers=integer.layers[:1], results=())
    message = "layer conv: no layer gives results; accepted: a last layer without codes"
    assert message in find_problems(cut, fit(integer, **SIZES))


def test_large_pooling_window(rng):
    body = draw_layer(rng, "conv", (1, 1, 1, 1), pool=Pool(kind="max", kernel=(64, 1), stride=(64, 1)))
    last = draw_layer(rng, "fc", (1, 1, 1, 1), a_bits=None, kind="fc")
    assert_too_narrow(lower(network((64, 1, 1), 1, body, last)), "kernel_bits", 6)


def test_large_maps(rng):
    body = draw_layer(rng, "conv", (1, 1, 1, 1))
    last = draw_layer(rng, "fc", (1, 1, 1, 1024), a_bits=None, kind="fc")
    assert_too_narrow(lower(network((1, 1024, 1), 1, body, last)), "size_bits", 10)


def test_padded_rows(rng):
    body = draw_layer(rng, "conv", (1, 1, 1, 1), padding=(0, 0, 2047, 0), stride=(8, 1))
    last = draw_layer(rng, "fc", (1, 1, 1, 256), a_bits=None, kind="fc")
    assert_too_narrow(lower(network((1, 1, 1), 1, body, last)), "size_bits", 10)


def assert_too_narrow(integer, name, bits):
    """An engine with as many bits as by default is too small, that of `fit` has one more."""
    config = fit(integer)
    assert getattr(config, name) == bits + 1 and find_problems(integer, config) == []
    assert find_problems(integer, config.replace(**{name: bits})) == [
        f"layer conv: {name} is {bits}; accepted: at least {bits + 1}, which it needs"
    ]


def test_all_problems_at_once(rng):
    integer = example(rng)
    config = fit(integer, **SIZES).replace(encoding="unsigned", weight_depth=1, layer_depth=1, w_bits=1)
    problems = find_problems(integer, config)
    assert len(problems) == 5
    assert all("\n" not in problem and "accept" in problem for problem in problems)
    with pytest.raises(InputError) as caught:
        compile_network(integer, config)
    assert str(caught.value) == problems[0]


XNOR = EngineConfig(lanes=11, rows=3, quant=1, fetch_bits=8)


def test_xnor_constants(rng):
    """sum_ij 2^(i+j) popcount(w_i XNOR a_j) over all lanes plus the constant is sum v a."""
    for _ in range(8):
        integer = lower(random_network(int(rng.integers(1 << 31)), max_macs=20_000, max_size=6))
        first = integer.layers[0]
        geometry = PassGeometry.of(first, XNOR)
        lanes = geometry.words * geometry.lanes
        weights = np.zeros((len(first.codes), lanes), np.int64)
        weights[:, : geometry.reduction] = first.codes.reshape(len(first.codes), -1)
        codes = random_images(integer, 1, 3)
        patch = np.zeros(lanes, np.int64)
        window = np.pad(codes[0], (*zip(first.padding[:2], first.padding[2:], strict=True), (0, 0)))
        _, height, width, depth = first.codes.shape
        down, across = first.dilation
        rows, columns = (height - 1) * down + 1, (width - 1) * across + 1
        patch[: geometry.reduction] = window[:rows:down, :columns:across, :depth].reshape(-1)
        count = np.zeros(len(first.codes), np.int64)
        for i in range(first.w_bits):
            for j in range(first.a_bits):
                same = (weights >> i) & 1 == (patch >> j) & 1
                count += same.sum(axis=1) << (i + j)
        exact = convolve(
            codes,
            first.values,
            stride=first.stride,
            padding=first.padding,
            dilation=first.dilation,
            groups=first.groups,
        )[0, 0, 0]
        group = slice(0, geometry.channels)
        assert (count + xnor_constants(first, geometry, XNOR) == exact)[group].all()
        # AND products lack nothing.
        assert not xnor_constants(first, geometry, XNOR.replace(encoding="any")).any()


@pytest.mark.parametrize("products, bits", [(14, 5), (15, 6), (16, 6)])
def test_a_threshold_that_nothing_reaches_counts(products, bits):
    """One more than the greatest sum, which 15 products of one bit take to the next width."""
    only = layer("fc", np.ones((1, 1, 1, products)), encoding="unsigned", a_bits=None, kind="fc")
    integer = lower(network((1, 1, products), 1, only))
    assert integer.layers[0].acc_max == products
    config = fit(integer, lanes=8, rows=1)
    geometry = PassGeometry.of(integer.layers[0], config)
    assert accumulator_bits(integer.layers[0], geometry, config) == bits


@pytest.mark.parametrize("encoding", ["bipolar", "any"])
def test_accumulator_holds_everything(encoding, rng):
    """Sums, thresholds as stored, and results: all within the signed width."""
    for _ in range(10):
        integer = lower(random_network(int(rng.integers(1 << 31)), max_macs=20_000, max_size=6))
        config = fit(integer, lanes=8, rows=2, encoding=encoding)
        for made in integer.layers:
            geometry = PassGeometry.of(made, config)
            half = 1 << (accumulator_bits(made, geometry, config) - 1)
            assert -half <= made.acc_min and made.acc_max + 1 < half
            if encoding == "bipolar":
                top = geometry.words * 8 * (2**made.w_bits - 1) * (2**made.a_bits - 1)
                assert top + 1 < half
                assert (np.abs(xnor_constants(made, geometry, config)) <= half).all()


def test_kernel_and_affine_form_are_reported_together(rng):
    tall = draw_layer(rng, "tall", (2, 64, 1, 1), w_bits=1, a_bits=2, padding=(0, 0, 0, 1), scale=0.1)
    last = draw_layer(rng, "fc", (3, 1, 1, 3 * 3 * 2), a_bits=None, kind="fc")
    integer = lower(network((66, 2, 1), 4, tall, last))
    config = fit(integer, quantizer="thresholds", **SIZES).replace(
        quantizer="affine", mul_bits=1, kernel_bits=6
    )
    problems = find_problems(integer, config)
    assert problems[0] == "layer tall: kernel_bits is 6; accepted: at least 7, which it needs"
    assert "layer tall" in problems[1] and "mul_bits" in problems[1]
