"""The architectures of the zoo: two for digits, the paper's SVHN models, AlexNet and ResNet-18."""

from typing import Any

from ..errors import InputError
from ..network.parts import Pool
from . import own
from .architecture import Architecture, LayerSpec

_HALVE = Pool(kind="max", kernel=(2, 2), stride=(2, 2))
_SAME = (1, 1, 1, 1)


def _three(padding: tuple[int, int, int, int]) -> Pool:
    """The max pooling 3x3 with stride 2 of AlexNet and ResNet-18."""
    return Pool(kind="max", kernel=(3, 3), stride=(2, 2), padding=padding)


def _conv(name: str, channels: int, kernel: int, **fields: Any) -> LayerSpec:
    return LayerSpec(name=name, kind="conv", channels=channels, kernel=(kernel, kernel), **fields)


def _fc(name: str, channels: int, **fields: Any) -> LayerSpec:
    return LayerSpec(name=name, kind="fc", channels=channels, **fields)


DIGITS = Architecture(
    name="digits",
    input_shape=(28, 28, 1),
    input_bits=8,
    layers=(
        _conv("conv0", 16, 5, pool=_HALVE),
        _conv("conv1", 32, 3, padding=_SAME),
        _conv("conv2", 32, 3, padding=_SAME, pool=_HALVE),
        _conv("conv3", 64, 3),
        _conv("conv4", 128, 4),
        _fc("fc1", 10, norm=False, bias=True),
    ),
    first_w=1,
    last_w=8,
)

# For small devices: 19,000 bits of weights instead of 219,000, and accumulators of 14 bits.
_DIGITS_SMALL = Architecture(
    name="digits-small",
    input_shape=(28, 28, 1),
    input_bits=8,
    layers=(
        _conv("conv0", 16, 5, pool=_HALVE),
        _conv("conv1", 32, 3, pool=_HALVE),
        _conv("conv2", 32, 3, padding=_SAME, pool=_HALVE),
        _fc("fc1", 10, norm=False, bias=True),
    ),
    first_w=1,
    last_w=4,
)


def _svhn(letter: str, divisor: int) -> Architecture:
    """SVHN model A to D: model A with 1 / divisor of the channels of every convolution."""

    def conv(name: str, channels: int, kernel: int, **fields: Any) -> LayerSpec:
        return _conv(name, channels // divisor, kernel, **fields)

    return Architecture(
        name=f"svhn-{letter}",
        input_shape=(40, 40, 3),
        input_bits=8,
        layers=(
            conv("conv0", 48, 5, norm=False, bias=True, pool=_HALVE),
            conv("conv1", 64, 3, padding=_SAME),
            conv("conv2", 64, 3, padding=_SAME, pool=_HALVE),
            conv("conv3", 128, 3),
            conv("conv4", 128, 3, padding=_SAME),
            conv("conv5", 128, 3),
            conv("conv6", 512, 5),
            _fc("fc1", 10, norm=False, bias=True),
        ),
        first_w=1,
        last_w=8,
    )


_ALEXNET_FC = (
    _fc("fc0", 4096, bias=True),
    _fc("fc1", 4096),
    _fc("fct", 1000, norm=False, bias=True),
)

_ALEXNET = Architecture(
    name="alexnet",
    input_shape=(224, 224, 3),
    input_bits=8,
    layers=(
        _conv("conv0", 96, 12, stride=(4, 4), norm=False, bias=True),
        _conv("conv1", 256, 5, padding=(2, 2, 2, 2), groups=2, pool=_three((0, 0, 1, 1))),
        _conv("conv2", 384, 3, padding=_SAME, pool=_three(_SAME)),
        _conv("conv3", 384, 3, padding=_SAME, groups=2),
        _conv("conv4", 256, 3, padding=_SAME, groups=2, pool=_three((0, 0, 0, 0))),
        *_ALEXNET_FC,
    ),
    first_w=1,
    last_w=8,
)

# The fully connected layers alone read the codes that conv4 leaves.
_ALEXNET_FC_ONLY = Architecture(
    name="alexnet-fc",
    input_shape=(6, 6, 256),
    input_bits=None,
    layers=_ALEXNET_FC,
    first_w=None,
    last_w=8,
)


def _group(name: str, channels: int, before: str, last: bool) -> tuple[LayerSpec, ...]:
    """Two pre-activation blocks of ResNet-18 on the codes of layer `before`.

    The batch normalization and activation in front of a block belong to the layer that makes the
    sum they read, and so does the 2x2 average in front of the next group.
    """
    first, second = f"{name}_1", f"{name}_2"
    conv = {"padding": _SAME}
    sums = {"trunk": True, **conv}
    end: dict[str, bool | Pool] = {"global_pool": True}
    if not last:
        end = {"pool": Pool(kind="average", kernel=(2, 2), stride=(2, 2))}
    return (
        _conv(f"{first}_shortcut", channels, 1, source=before, trunk=True, codes=False, norm=False),
        _conv(f"{first}_a", channels, 3, source=before, **conv),
        _conv(f"{first}_b", channels, 3, add=f"{first}_shortcut", **sums),
        _conv(f"{second}_a", channels, 3, **conv),
        _conv(f"{second}_b", channels, 3, add=f"{first}_b", **sums, **end),
    )


# The original adds the bias, pools and then normalizes; see LayerSpec.positive_slopes.
_RESNET18 = Architecture(
    name="resnet18",
    input_shape=(224, 224, 3),
    input_bits=8,
    layers=(
        _conv(
            "conv1",
            64,
            7,
            stride=(2, 2),
            padding=(3, 3, 2, 2),
            bias=True,
            pool=_three(_SAME),
            positive_slopes=True,
        ),
        *_group("conv2", 64, "conv1", False),
        *_group("conv3", 128, "conv2_2_b", False),
        *_group("conv4", 256, "conv3_2_b", False),
        *_group("conv5", 512, "conv4_2_b", True),
        _fc("fct", 1000, norm=False, bias=True),
    ),
    first_w=1,
    last_w=8,
)

ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        DIGITS,
        _DIGITS_SMALL,
        _svhn("a", 1),
        _svhn("b", 2),
        _svhn("c", 4),
        _svhn("d", 8),
        _ALEXNET,
        _ALEXNET_FC_ONLY,
        _RESNET18,
    )
}


def find(name: str) -> Architecture:
    """The architecture called `name`, or in the file of that name, TOML or Python, see :mod:`.own`.

    Raises InputError that lists the known names.
    """
    if own.is_file(name):
        return own.read(name)
    if name not in ARCHITECTURES:
        raise InputError(
            f"network {name!r} is not in the zoo; known: {', '.join(ARCHITECTURES)}, "
            f"or a file ending in {' or '.join(own.ENDINGS)}"
        )
    return ARCHITECTURES[name]
