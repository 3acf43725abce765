"""The images and labels that a network can train on: refusals before it begins."""

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.quantized_network import QuantizedNetwork


def check_set(network: QuantizedNetwork, images: np.ndarray, labels: np.ndarray, where: str) -> None:
    """Refuses images and labels, those of `where`, that do not fit `network`."""
    shape = network.input_shape
    if images.dtype != np.uint8 or images.shape[1:] != shape or len(images) == 0:
        raise InputError(
            f"{where}: images are {images.dtype} {images.shape}; "
            f"accepted: uint8 (N, {', '.join(map(str, shape))}), N at least 1"
        )
    checks.codes(images, f"{where}: images", network.input_bits)
    classes = network.classes
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise InputError(
            f"{where}: labels are {labels.dtype} {labels.shape}; "
            f"accepted: integers ({len(images)},), one per image"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(f"{where}: labels from {labels.min()} to {labels.max()}; accepted: 0..{classes - 1}")
