"""Training a DoReFa-Net from a seed: Algorithm 1 with Adam, ending in integer accuracy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import InputError
from ..lowering.lower import lower
from ..network.network import Network
from ..run.integer import logits, run_integer
from ..zoo.architecture import Architecture
from .backend import Backend
from .layers import softmax_cross_entropy
from .matrix_backend import MatrixBackend
from .network import TrainNetwork
from .optimizer import Adam, cosine_rate
from .recipe import DEFAULT_RATE, Recipe

# Images per evaluation batch: bounds the memory, changes no result.
_EVALUATION_BATCH = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """A trained network, how it got there, and how well it does.

    network: None where it has no stored form, see Recipe.check_storable. history: one dictionary per epoch
    with `epoch` (from 1), `loss` and `train_accuracy` (means over the epoch's batches while they train) and,
    with a test set, `test_accuracy` (float32, with running statistics). losses: of every step. accuracy:
    share of the test set that the lowered integer model classifies correctly, or the training network where
    there is none; None without a test set. parameters_sha256: see TrainNetwork.
    """

    network: Network | None
    history: list[dict[str, float]]
    losses: list[float]
    accuracy: float | None
    parameters_sha256: str


def train(
    architecture: Architecture,
    recipe: Recipe,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    test: tuple[np.ndarray, np.ndarray] | None = None,
    backend: Backend | None = None,
    steps: int | None = None,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> TrainingResult:
    """Trains `architecture` on images uint8 (N, H, W, C) with labels (N,), Algorithm 1.

    test: (images, labels). backend: what computes the layers in integers, by default a MatrixBackend with the
    recipe's `stream_seed`. steps: ends after that many in all, at most the recipe's. progress(step, steps,
    measures) is called after every batch, with the running `epoch`, `loss` and `train_accuracy`. The same
    arguments give the same bits on one machine with one NumPy, on any backend; another BLAS, or another
    number of its threads, adds up batch normalization's sums in another order.
    Raises InputError for arguments that do not fit, and where a number grows beyond the floats on the way.
    """
    _check_trainable(architecture)
    _check_set(architecture, images, labels, "training set")
    if test is not None:
        _check_set(architecture, *test, "test set")
    backend = MatrixBackend(recipe.stream_seed) if backend is None else backend
    network = TrainNetwork(architecture, recipe, backend)
    optimizer = Adam(network.parameters)
    batch, batches = recipe.batch, -(-len(images) // recipe.batch)
    schedule = recipe.epochs * batches
    last = schedule if steps is None else min(schedule, checks.integer(steps, "train: steps", 1))
    history: list[dict[str, float]] = []
    losses: list[float] = []
    for epoch in range(-(-last // batches)):
        order = epoch_order(recipe.seed, epoch, len(images))
        loss_sum, correct, seen = 0.0, 0, 0
        for step in range(epoch * batches, min(last, (epoch + 1) * batches)):
            chosen = order[step % batches * batch :][:batch]
            rate = cosine_rate(recipe.rate, step, schedule)
            with _growing(recipe.rate, f"epoch {epoch + 1}, step {step + 1} of {schedule}"):
                loss, hits = train_step(network, optimizer, images[chosen], labels[chosen], rate, step)
                _check_finite(network, loss)
            losses.append(loss)
            loss_sum += loss * len(chosen)
            correct += hits
            seen += len(chosen)
            measures: dict[str, float] = {
                "epoch": epoch + 1,
                "loss": loss_sum / seen,
                "train_accuracy": correct / seen,
            }
            if progress is not None:
                progress(step + 1, last, measures)
        if test is not None:
            with _growing(recipe.rate, f"test behind epoch {epoch + 1}"):
                measures["test_accuracy"] = accuracy(network.forward, *test)
        history.append(measures)
    frozen = network.freeze() if _storable(recipe, architecture) else None
    final = history[-1].get("test_accuracy")
    if frozen is not None and test is not None:
        final = network_accuracy(frozen, *test)
    return TrainingResult(
        network=frozen,
        history=history,
        losses=losses,
        accuracy=final,
        parameters_sha256=network.parameters_sha256,
    )


def _storable(recipe: Recipe, architecture: Architecture) -> bool:
    try:
        recipe.check_storable(architecture)
    except InputError:
        return False
    return True


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of `count` images in an epoch, from 0: a permutation from PCG64 seeded with (seed, epoch)."""
    return np.random.Generator(np.random.PCG64((seed, epoch))).permutation(count)


@contextmanager
def _growing(rate: float, where: str) -> Iterator[None]:
    """Names the learning rate `rate` as the cause of what is not finite inside the block, at `where`: all
    arguments were checked, so nothing else makes parameters grow without end."""
    try:
        # Infinities say where they began soon enough, in one line instead of a warning for each.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield
    except InputError as error:
        problem = str(error).split(";")[0]
        raise InputError(
            f"train: {where}: {problem}, because the learning rate is too high: rate is {rate:g}; "
            f"accepted: a lower one, as {min(DEFAULT_RATE, rate / 10):g}"
        ) from error


def _check_finite(network: TrainNetwork, loss: float) -> None:
    """Refuses NaN and infinity in the loss, the parameters and the running statistics."""
    for layer in network.layers:
        for name, value in (layer.parameters | layer.statistics).items():
            checks.finite(value, f"layer {layer.spec.name}: {name}")
    checks.finite(np.asarray(loss), "the loss")


def train_step(
    network: TrainNetwork,
    optimizer: Adam,
    images: np.ndarray,
    labels: np.ndarray,
    rate: float,
    step: int,
) -> tuple[float, int]:
    """One batch of Algorithm 1, step `step` from 0: forward, backward, update. Returns (mean loss, correct
    answers)."""
    scores = network.forward(images, step)
    loss, gradient = softmax_cross_entropy(scores, labels)
    optimizer.step(network.backward(gradient, step), rate)
    return loss, int(np.sum(scores.argmax(axis=1) == labels))


def network_accuracy(network: Network, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images (uint8 NHWC) that the lowered integer model of `network` gets right."""
    integers = lower(network)
    last = integers.layers[-1].name
    return accuracy(lambda batch: logits(integers, run_integer(integers, batch)[last]), images, labels)


def accuracy(classify: Callable[[np.ndarray], np.ndarray], images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images whose largest logit, in classify(images) (N, classes), is their label."""
    correct = 0
    for start in range(0, len(images), _EVALUATION_BATCH):
        part = slice(start, start + _EVALUATION_BATCH)
        scores = classify(images[part])
        checks.finite(scores, "a score")
        correct += int(np.sum(scores.argmax(axis=1) == labels[part]))
    return correct / len(images)


def _check_trainable(architecture: Architecture) -> None:
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


def _check_set(architecture: Architecture, images: np.ndarray, labels: np.ndarray, where: str) -> None:
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
