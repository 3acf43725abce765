"""Which layer needs the most of an engine, and that messages name it."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool
from dorefa.hw.compiler.plan import Plan, find_problems
from dorefa.hw.compiler.sizing import fit

from ..support import draw_layer, layer, network

SIZES = {"lanes": 8, "rows": 2, "quant": 1, "fetch_bits": 8, "quantizer": "thresholds"}


def example(rng):
    """Three convolutions and a fully connected layer, of which the second, `big`, has the most of all."""
    pool = Pool(kind="average", kernel=(3, 3), stride=(1, 1))
    codes = Pool(kind="average_codes", kernel=(2, 2), stride=(2, 2))
    return lower(
        network(
            (5, 5, 2),
            2,
            draw_layer(rng, "small", (2, 1, 1, 2)),
            draw_layer(rng, "big", (8, 3, 3, 2), padding=1, w_bits=3, a_bits=3, pool=pool, scale=0.02),
            draw_layer(rng, "sums", (3, 2, 2, 8), pool=Pool(kind="max", kernel=(2, 2), stride=(2, 2))),
            draw_layer(rng, "codes", (2, 1, 1, 3), padding=(0, 0, 1, 1), a_bits=2, pool=codes),
            layer("fc", rng.integers(0, 2, (2, 1, 1, 2)), a_bits=None, kind="fc"),
        )
    )


def test_the_layer_that_needs_most(rng):
    integer = example(rng)
    needs = Plan.of(integer, fit(integer, **SIZES)).needs
    of_others = {
        "sum_codes": "codes",
        "patch_depth": "sums",
        "image_depth": "small",
        "image_patch_depth": "small",
    }
    of_others |= {"signed_codes": "small", "trunk_bits": "small", "layer_depth": "small", "a_bits": "codes"}
    of_others |= {"size_bits": "small", "row_steps": "small"}
    for name, need in needs.items():
        assert need.layer == of_others.get(name, "big"), (name, need)


def test_more_slots_than_any_engine_has(rng):
    """Windows that overlap nine times; with eight slots asked for the message is the same."""
    pool = Pool(kind="max", kernel=(1, 9), stride=(1, 1))
    body = draw_layer(rng, "conv", (2, 1, 1, 1), pool=pool)
    last = draw_layer(rng, "fc", (1, 1, 1, 2 * 9), a_bits=None, kind="fc")
    integer = lower(network((1, 17, 1), 1, body, last))
    message = (
        "layer conv: it needs pool_slots of 9 (pooling windows of one axis that overlap); accepted: at most 8"
    )
    with pytest.raises(InputError) as caught:
        fit(integer)
    assert str(caught.value) == message
    assert find_problems(integer, fit(integer, pool_slots=8)) == [message]


def test_more_weights_than_any_engine_has(rng):
    """What layers add up to names the one with the most of it."""
    body = draw_layer(rng, "conv", (8, 1, 1, 8), a_bits=1)
    last = draw_layer(rng, "fc", (1025, 1, 1, 8192), a_bits=None, kind="fc")
    integer = lower(network((32, 32, 8), 1, body, last))
    with pytest.raises(InputError) as caught:
        fit(integer, lanes=8, rows=1)
    assert str(caught.value) == (
        "the network needs weight_depth of 1049608 (words of `lanes` bits per row), 1049600 for layer fc; "
        "accepted: at most 1048576"
    )


@pytest.mark.parametrize("slots, widest", [(1, 255), (2, 127)])
def test_windows_too_far_apart(slots, widest, rng):
    """Two windows on an axis may be so far apart; of one alone the stride says nothing."""
    for stride in (widest, widest + 1):
        pool = Pool(kind="max", kernel=(1, 1), stride=(1, stride))
        body = draw_layer(rng, "conv", (1, 1, 1, 1), pool=pool)
        last = draw_layer(rng, "fc", (1, 1, 1, 2), a_bits=None, kind="fc")
        integer = lower(network((1, stride + 1, 1), 1, body, last))
        problem = (
            f"layer conv: pooling windows are {stride} columns apart; accepted: at most {widest} with "
            f"pool_slots {slots}"
        )
        assert find_problems(integer, fit(integer, pool_slots=slots)) == [problem] * (stride > widest)
