"""Every network of the zoo takes steps at a small size and ends as an integer network."""

from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network import npz
from dorefa.golden.train.train import network_accuracy, train
from dorefa.golden.zoo.architectures import ARCHITECTURES, find

from .support import recipe_of

# The least or a small size of each.
SIZES = {
    "digits": (28, 28),
    "digits-small": (28, 28),
    "svhn-a": (40, 40),
    "svhn-b": (40, 40),
    "svhn-c": (40, 40),
    "svhn-d": (40, 40),
    "alexnet": (56, 48),
    "alexnet-fc": (2, 1),
    "resnet18": (32, 40),
}
WIDE = ("svhn-a", "alexnet", "alexnet-fc", "resnet18")


def narrow(architecture, divisor):
    """With fewer channels, but in the image and the scores: for time, nothing else differs."""
    specs = [replace(spec, channels=spec.channels // divisor) for spec in architecture.layers[:-1]]
    return replace(architecture, layers=(*specs, replace(architecture.layers[-1], channels=10)))


def take_steps(architecture, tmp_path, steps=1, batch=2):
    rng = np.random.default_rng(1)
    recipe = recipe_of(batch=batch)
    shape = (batch * steps, *architecture.input_shape)
    images = rng.integers(0, 1 << architecture.image_bits(recipe.a_bits), shape, np.uint8)
    labels = rng.integers(0, 10, len(images))
    result = train(architecture, recipe, images, labels, test=(images, labels))
    assert len(result.losses) == steps and np.isfinite(result.losses).all()
    npz.save(result.network, tmp_path / "network.npz")
    stored = npz.load(tmp_path / "network.npz")
    assert network_accuracy(stored, images, labels) == result.accuracy
    assert [layer.trunk for layer in lower(stored).layers] == [link.trunk for link in stored.links]
    return result


def test_all_are_here():
    assert SIZES.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize("name", SIZES)
def test_every_network_takes_a_step(name, tmp_path):
    """Those of many channels with an eighth of them."""
    architecture = find(name).sized(SIZES[name])[0]
    if name in WIDE:
        architecture = narrow(architecture, 8)
    take_steps(architecture, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDE)
def test_wide_networks_take_steps(name, tmp_path):
    take_steps(find(name).sized(SIZES[name])[0], tmp_path, steps=2, batch=4)


def test_global_pools_have_codes_whose_sum_fits():
    architecture = find("resnet18").sized((288, 288))[0]
    bits = recipe_of(a_bits=4).layer_bits(architecture)
    # 9x9 pixels of 2 bits: up to 243.
    assert bits[-2].yields == 2 and bits[-1].reads == 8
    assert recipe_of(a_bits=32).layer_bits(architecture)[-1].reads == 32


@pytest.mark.parametrize(
    "changed, message",
    [
        (
            {"source": "conv9"},
            "resnet18 on 224x224 images: layer conv2_1_a: source is 'conv9', no layer before it; "
            "accepted: input, conv1, conv2_1_shortcut",
        ),
        (
            {"source": "conv2_1_shortcut"},
            "layer conv2_1_a: source is 'conv2_1_shortcut', whose a_bits is None; "
            "accepted: a layer with codes (a_bits 1..8)",
        ),
        (
            {"trunk": True, "add": "conv1"},
            "layer conv2_1_a: add is 'conv1', which has no rescale; accepted: a layer with a trunk",
        ),
    ],
)
def test_what_is_no_network_is_refused(changed, message):
    architecture = find("resnet18")
    layers = list(architecture.layers)
    layers[2] = replace(layers[2], **changed)
    with pytest.raises(InputError) as error:
        train(
            replace(architecture, layers=tuple(layers)),
            recipe_of(),
            np.zeros((1, 224, 224, 3), np.uint8),
            np.zeros(1, np.uint8),
        )
    assert str(error.value) == message


def test_images_as_wide_as_float_activations_are_refused():
    with pytest.raises(InputError) as error:
        train(find("alexnet-fc"), recipe_of(a_bits=32), np.zeros((1, 6, 6, 256), np.uint8), np.zeros(1, int))
    assert str(error.value) == "network alexnet-fc: input_bits is 32; accepted: an integer in 1..8"
