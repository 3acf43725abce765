"""What the training step can train, and on what: refusals before it begins."""

import numpy as np

from ..errors import InputError
from ..zoo.architecture import Architecture


def check_trainable(architecture: Architecture) -> None:
    """Refuses what the training step has no backward pass for."""
    if architecture.input_bits is None:
        raise InputError(f"train: {architecture.name} reads codes of another network; accepted: images")
    plain = {
        "groups": 1,
        "dilation": (1, 1),
        "source": None,
        "add": None,
        "trunk": False,
        "global_pool": False,
    }
    for spec in architecture.layers:
        for name, value in plain.items():
            if getattr(spec, name) != value:
                raise InputError(
                    f"train: {architecture.name}: layer {spec.name}: {name} is "
                    f"{getattr(spec, name)!r}; accepted in training: {value!r}"
                )
        if spec.pool is not None and (spec.pool.kind != "max" or any(spec.pool.padding)):
            raise InputError(
                f"train: {architecture.name}: layer {spec.name}: pool is {spec.pool.kind} with "
                f"padding {spec.pool.padding}; accepted in training: max without padding"
            )


def check_set(architecture: Architecture, images: np.ndarray, labels: np.ndarray, where: str) -> None:
    """Refuses images and labels, those of `where`, that do not fit `architecture`."""
    shape = architecture.input_shape
    if images.dtype != np.uint8 or images.shape[1:] != shape or len(images) == 0:
        raise InputError(
            f"{where}: images are {images.dtype} {images.shape}; "
            f"accepted: uint8 (N, {', '.join(map(str, shape))}), N at least 1"
        )
    classes = architecture.layers[-1].channels
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise InputError(
            f"{where}: labels are {labels.dtype} {labels.shape}; "
            f"accepted: integers ({len(images)},), one per image"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(f"{where}: labels from {labels.min()} to {labels.max()}; accepted: 0..{classes - 1}")
