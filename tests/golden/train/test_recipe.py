"""What a recipe refuses, and the widths that it means."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.train.recipe import LayerBits
from dorefa.golden.zoo.architectures import DIGITS

from .support import recipe_of


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"a_bits": 9}, "train: a_bits is 9; accepted: 1 to 8, or 32 for float"),
        ({"a_bits": True}, "train: a_bits is True; accepted: 1 to 8, or 32 for float"),
        ({"g_bits": 33}, "train: g_bits (or 32 for float) is 33; accepted: an integer in 1..31"),
        ({"g_bits": 0}, "train: g_bits (or 32 for float) is 0; accepted: an integer in 1..31"),
        ({"first": "no"}, "train: first is 'no'; accepted: quantized, float"),
        ({"last": "float", "last_w": 8}, "train: last is float and last_w is 8; accepted: one of them"),
        ({"maximum": "layer"}, "train: maximum is 'layer'; accepted: sample, exact, batch"),
        ({"epochs": 0}, "train: epochs is 0; accepted: an integer >= 1"),
        ({"batch": 0}, "train: batch is 0; accepted: an integer >= 1"),
        ({"seed": -1}, "train: seed is -1; accepted: an integer >= 0"),
        ({"noise_seed": -1}, "train: noise_seed is -1; accepted: an integer >= 0"),
        ({"optimizer": "rms"}, "train: optimizer is 'rms'; accepted: adam, sgd"),
        ({"momentum": 1.0}, "train: momentum is 1.0; accepted: 0 or more, below 1"),
        ({"weight_decay": -0.1}, "train: weight_decay is -0.1; accepted: 0 or more, below 1 / rate"),
        ({"weight_decay": float("inf")}, "train: weight_decay is inf; accepted: 0 or more, below 1 / rate"),
        ({"rate": float("nan")}, "train: rate is nan; accepted: a finite number above 0"),
    ],
)
def test_bad_fields_are_refused(changed, message):
    with pytest.raises(InputError) as error:
        recipe_of(**changed)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"w_bits": 9}, "train: weight bits of layer conv1 is 9; accepted: 1 to 8, or 32 for float"),
        ({"last_w": 0}, "train: weight bits of layer fc1 is 0; accepted: 1 to 8, or 32 for float"),
    ],
)
def test_bad_weight_widths_name_their_layer(changed, message):
    with pytest.raises(InputError) as error:
        recipe_of(**changed).layer_bits(DIGITS)
    assert str(error.value) == message


def test_layer_bits():
    middle = [LayerBits(1, 2, 2, 6)] * 4
    assert recipe_of().layer_bits(DIGITS) == [LayerBits(1, 8, 2, 6), *middle, LayerBits(8, 2, None, 6)]
    ends = recipe_of(first="float", last="float", w_bits=3).layer_bits(DIGITS)
    assert ends[0] == LayerBits(32, 8, 2, 32) and ends[1] == LayerBits(3, 2, 2, 6)
    assert ends[-2:] == [LayerBits(3, 2, 32, 6), LayerBits(32, 32, None, 32)]


@pytest.mark.parametrize(
    "changed, integers",
    [
        ({}, [True] * 6),
        ({"g_bits": 9}, [False] * 6),
        ({"maximum": "exact"}, [False] * 6),
        ({"a_bits": 32}, [True] + [False] * 5),
        ({"first": "float", "last": "float"}, [False, True, True, True, True, False]),
        ({"w_bits": 32, "first_w": 1}, [True, False, False, False, False, True]),
    ],
)
def test_which_layers_are_in_integers(changed, integers):
    recipe = recipe_of(**changed)
    assert [recipe.in_integers(bits) for bits in recipe.layer_bits(DIGITS)] == integers


def test_noise_has_a_seed_of_its_own():
    assert recipe_of(seed=3).stream_seed == 3
    assert recipe_of(seed=3, noise_seed=4).stream_seed == 4
    assert recipe_of(seed=3, noise_seed=4, noise=False).stream_seed is None


@pytest.mark.parametrize(
    "changed, layer, what",
    [
        ({"first": "float"}, "conv0", "weights"),
        ({"last": "float"}, "conv4", "activations"),
        ({"a_bits": 32}, "conv0", "activations"),
        ({"w_bits": 32}, "conv1", "weights"),
    ],
)
def test_what_no_file_holds_is_refused_by_name(changed, layer, what):
    with pytest.raises(InputError) as error:
        recipe_of(**changed).check_storable(DIGITS)
    assert str(error.value) == (
        f"train: layer {layer} has float {what}, which no network file holds; accepted: 1 to 8 bits, or a "
        "training without one"
    )
    recipe_of(g_bits=32, maximum="exact").check_storable(DIGITS)
