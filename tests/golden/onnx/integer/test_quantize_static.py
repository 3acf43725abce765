"""Files of ONNX Runtime's static quantization: every code is the runtime's."""

import numpy as np
import pytest

from dorefa.golden.network.layer import MAX_BITS

from ..support import assert_refused
from .float_models import NETWORKS, NOT_FUSED, quantized, round_scales, shape_of
from .runtime import compare, compare_layers

# Unsigned activations and signed weights in fused operators are saturated by the runtime on processors
# without instructions for them: those are compared as QDQ only.
FORMS = [
    ("QDQ", "QUInt8", True, False),
    ("QDQ", "QInt8", False, False),
    ("QDQ", "QUInt8", False, True),
    ("QOperator", "QInt8", True, False),
    ("QOperator", "QInt8", False, True),
]

FILES = [
    (name, *options)
    for name in NETWORKS
    for options in FORMS
    if (options[0], name in NOT_FUSED) != ("QOperator", True)
]


@pytest.mark.parametrize(("name", "form", "activations", "per_channel", "symmetric"), FILES)
def test_codes(name, form, activations, per_channel, symmetric, tmp_path):
    """With scales that are powers of two every code is the same; with those that the runtime chose, every
    code of a layer but at boundaries that float32 moves."""
    options = {"activations": activations, "per_channel": per_channel, "symmetric": symmetric}
    path = quantized(tmp_path, name, 1, form=form, **options)
    images = np.random.default_rng(2).random((20, *shape_of(name))).astype(np.float32)
    compared, different = compare_layers(path, images)
    assert different <= compared / 1000
    round_scales(path)
    found, compared, _ = compare(path, images)
    assert compared > 2000
    wide = [layer.out_bits for layer in found.network.layers if (layer.out_bits or 0) > MAX_BITS]
    # Zero points other than 0 and the middle take a ninth bit where a convolution pads.
    assert wide == [9] * (2 if name in ("leaky", "yolo") and not symmetric else 0)


def test_weights_that_the_runtime_leaves_as_they_are(tmp_path):
    path = quantized(tmp_path, "unet", 1, form="QOperator", activations="QInt8", per_channel=True)
    assert_refused(
        path, r"node ConvTranspose11 \(Conv\): the weights constant\d+ are not quantized; accepted: "
    )
