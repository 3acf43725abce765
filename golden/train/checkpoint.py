"""A training between two steps, in a file: going on from it gives the bits of never having stopped.

An archive (:mod:`dorefa.golden.archive`) of everything that the next step depends on: parameters, running
statistics, what the optimizer remembers, and the number of steps; order and noise need only seeds beside
that. Its header holds the recipe and a hash of the training set, so that only the same training goes on.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .. import archive, checks
from ..errors import InputError
from ..files import PathName, write_file
from ..reading import shown
from .network import TrainNetwork
from .optimizer import Optimizer
from .recipe import Recipe

FORMAT = "dorefa checkpoint"
VERSION = 1

_WHAT = "a checkpoint"
_KEYS = ("format", "version", "network", "recipe", "images_sha256", "history", "correct")
_MEASURES = ("epoch", "loss", "train_accuracy", "test_accuracy")
# What no square root is taken of where it is negative.
_SQUARES = ("var", "second")


@dataclass
class Progress:
    """How far a training is: the loss of every step, the measures of every finished epoch, and how many
    answers of the present one were correct."""

    losses: list[float] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    correct: int = 0


def images_sha256(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of a training set: shape in decimal, images, labels as little-endian int64."""
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(np.ascontiguousarray(images).data)
    digest.update(labels.astype("<i8").data)
    return digest.hexdigest()


def save(
    path: PathName, network: TrainNetwork, optimizer: Optimizer, progress: Progress, images: str
) -> None:
    """Writes a checkpoint: complete or not at all. `images`: see :func:`images_sha256`."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        **_identity(network, images),
        "history": progress.history,
        "correct": progress.correct,
    }
    arrays = {"losses": np.array(progress.losses, np.float32), **_state(network, optimizer)}
    write_file(path, archive.packed(header, arrays))


def load(path: PathName, network: TrainNetwork, optimizer: Optimizer, images: str, batches: int) -> Progress:
    """Puts `network` and `optimizer` where the checkpoint at `path` was, and returns how far that is; an
    epoch has `batches` steps.

    InputError in one line for a file that is no checkpoint, or one of another training.
    """
    arrays = archive.load(path, _WHAT)
    try:
        header = archive.header_of(arrays.pop("header"), _WHAT, FORMAT, VERSION)
        archive.check_keys(header, "header", _KEYS)
        _check_identity(header, _identity(network, images))
        progress = _progress(header, archive.take(arrays, "losses"), batches, network.recipe)
        _restore(arrays, _state(network, optimizer))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return progress


def _identity(network: TrainNetwork, images: str) -> dict[str, Any]:
    """What must be the same in a training that goes on."""
    recipe = asdict(network.recipe)
    return {"network": network.architecture.name, "recipe": recipe, "images_sha256": images}


def _check_identity(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    archive.check_keys(found["recipe"], "header recipe", wanted["recipe"])
    pairs = [(name, found[name], wanted[name]) for name in ("network", "images_sha256")]
    pairs += [(name, found["recipe"][name], value) for name, value in wanted["recipe"].items()]
    for name, there, here in pairs:
        if there != here:
            raise InputError(f"{name} was {shown(there)} and is {shown(here)}; accepted: the same training")


def _progress(header: dict[str, Any], losses: np.ndarray, batches: int, recipe: Recipe) -> Progress:
    losses = checks.array(losses, "losses", "float32")
    if losses.ndim != 1:
        raise InputError(f"losses has shape {losses.shape}; accepted: one of every step")
    schedule = batches * recipe.epochs
    if len(losses) > schedule:
        raise InputError(f"losses has {len(losses)} steps; accepted: at most {schedule}")
    epochs, further = divmod(len(losses), batches)
    correct = checks.integer(header["correct"], "header correct", 0, further * recipe.batch)
    history = header["history"]
    if not isinstance(history, list) or len(history) != epochs:
        raise InputError(f"header history is {shown(history)}; accepted: a list of the {epochs} epochs")
    for entry in history:
        if not isinstance(entry, dict) or not set(_MEASURES[:3]) <= set(entry) <= set(_MEASURES):
            raise InputError(f"header history has {shown(entry)}; accepted: {', '.join(_MEASURES)}")
        for name, value in entry.items():
            if type(value) not in (int, float):
                raise InputError(f"header history: {name} is {shown(value)}; accepted: numbers")
    return Progress(losses.tolist(), history, correct)


def _state(network: TrainNetwork, optimizer: Optimizer) -> dict[str, np.ndarray]:
    """Every array that changes from step to step, under its name in the file; the arrays themselves."""
    return network.parameters | network.statistics | optimizer.state


def _restore(arrays: dict[str, np.ndarray], state: dict[str, np.ndarray]) -> None:
    checked = {}
    for name, value in state.items():
        found = checks.array(archive.take(arrays, name), name, value.dtype.name, value.shape)
        if set(name.split(".")) & set(_SQUARES) and found.min(initial=0) < 0:
            raise InputError(f"{name} has the value {found.min()}; accepted: 0 or more")
        checked[name] = found
    if arrays:
        raise InputError(f"array {shown(min(arrays))[1:-1]} is unknown; accepted: those of the network")
    for name, found in checked.items():
        state[name][...] = found
