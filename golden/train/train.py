"""Training a DoReFa-Net from a seed: Algorithm 1 with Adam or SGD, ending in integer accuracy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import InputError
from ..files import PathName
from ..lowering.lower import lower
from ..network.network import Network
from ..run.integer import logits, run_integer
from ..zoo.architecture import Architecture
from .backend import Backend
from .checkpoint import Progress, images_sha256, load, save
from .layers import softmax_cross_entropy
from .matrix_backend import MatrixBackend
from .network import TrainNetwork
from .optimizer import Optimizer, cosine_rate, optimizer_of
from .recipe import DEFAULT_RATE, Recipe
from .sets import check_set

# Images per evaluation batch: bounds the memory, changes no result.
_EVALUATION_BATCH = 500
# Between two checkpoints within an epoch.
_SAVE_SECONDS = 60.0

# show(step, steps, measures), see `train`.
Show = Callable[[int, int, dict[str, float]], None]


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
    checkpoint: PathName | None = None,
    resume: PathName | None = None,
    progress: Show | None = None,
) -> TrainingResult:
    """Trains `architecture` on images uint8 (N, H, W, C) with labels (N,), Algorithm 1.

    test: (images, labels). backend: what computes the layers in integers, by default a MatrixBackend with the
    recipe's `stream_seed`. steps: ends after that many in all, at most the recipe's. checkpoint: a file that
    is written after every epoch, at the end, and at most a minute apart; resume: one to go on from, see
    :mod:`.checkpoint`. progress(step, steps, measures) is called after every batch, with the running `epoch`,
    `loss` and `train_accuracy`. The same arguments give the same bits on one machine with one NumPy, on any
    backend, interrupted or not; another BLAS, or another number of its threads, adds up batch normalization's
    sums in another order.
    Raises InputError for arguments that do not fit, and where a number grows beyond the floats on the way.
    """
    outline = recipe.outline(architecture)
    check_set(outline, images, labels, "training set")
    if test is not None:
        check_set(outline, *test, "test set")
    network = TrainNetwork(architecture, recipe, backend or MatrixBackend(recipe.stream_seed))
    training = _Training(network, images, labels, test, checkpoint, resume)
    history = training.run(steps, progress)
    frozen = network.freeze() if _storable(recipe, architecture) else None
    final = history[-1].get("test_accuracy")
    if frozen is not None and test is not None:
        final = network_accuracy(frozen, *test)
    return TrainingResult(
        network=frozen,
        history=history,
        losses=training.progress.losses,
        accuracy=final,
        parameters_sha256=network.parameters_sha256,
    )


class _Training:
    """A training between two steps, from the beginning or from a checkpoint; see :func:`train`."""

    def __init__(
        self,
        network: TrainNetwork,
        images: np.ndarray,
        labels: np.ndarray,
        test: tuple[np.ndarray, np.ndarray] | None,
        path: PathName | None,
        resume: PathName | None,
    ):
        self.network, self.recipe = network, network.recipe
        self.images, self.labels, self.test = images, labels, test
        self.optimizer = optimizer_of(self.recipe, network.parameters)
        self.batches = -(-len(images) // self.recipe.batch)
        self.schedule = self.recipe.epochs * self.batches
        self.progress = Progress()
        self.path, self.saved = path, time.monotonic()
        if path is not None or resume is not None:
            self.identity = images_sha256(images, labels)
        if resume is not None:
            self.progress = load(resume, network, self.optimizer, self.identity, self.batches)

    def run(self, steps: int | None, show: Show | None) -> list[dict[str, float]]:
        """Trains until `steps` steps are done in all; returns the history."""
        progress, done = self.progress, len(self.progress.losses)
        last = self.schedule
        if steps is not None:
            last = min(last, checks.integer(steps, "train: steps", max(1, done)))
        history = progress.history
        while len(history) * self.batches < last:
            epoch = len(history)
            end = (epoch + 1) * self.batches
            measures = self._epoch(epoch, min(last, end), last, show)
            if self.test is not None:
                with _growing(self.recipe.rate, f"test behind epoch {epoch + 1}"):
                    measures["test_accuracy"] = accuracy(self.network.forward, *self.test)
            history = [*history, measures]
            if len(progress.losses) == end:
                progress.history, progress.correct = history, 0
            self._save()
        return history

    def _epoch(self, epoch: int, stop: int, last: int, show: Show | None) -> dict[str, float]:
        """Trains up to step `stop`, at most to the end of `epoch`; returns the measures of that epoch."""
        progress, batch = self.progress, self.recipe.batch
        order = epoch_order(self.recipe.seed, epoch, len(self.images))
        loss_sum, seen = 0.0, 0
        for loss in progress.losses[epoch * self.batches :]:
            loss_sum += loss * batch
            seen += batch
        for step in range(len(progress.losses), stop):
            chosen = order[step % self.batches * batch :][:batch]
            loss, hits = self._step(step, chosen, f"epoch {epoch + 1}, step {step + 1} of {self.schedule}")
            loss_sum += loss * len(chosen)
            seen += len(chosen)
            progress.losses.append(loss)
            progress.correct += hits
            if show is not None:
                show(step + 1, last, _measures(epoch, loss_sum, progress.correct, seen))
            if time.monotonic() - self.saved > _SAVE_SECONDS:
                self._save()
        return _measures(epoch, loss_sum, progress.correct, seen)

    def _step(self, step: int, chosen: np.ndarray, where: str) -> tuple[float, int]:
        rate = cosine_rate(self.recipe.rate, step, self.schedule)
        with _growing(self.recipe.rate, where):
            images, labels = self.images[chosen], self.labels[chosen]
            loss, hits = train_step(self.network, self.optimizer, images, labels, rate, step)
            _check_finite(self.network, loss)
        return loss, hits

    def _save(self) -> None:
        if self.path is not None:
            save(self.path, self.network, self.optimizer, self.progress, self.identity)
            self.saved = time.monotonic()


def _measures(epoch: int, loss_sum: float, correct: int, seen: int) -> dict[str, float]:
    return {"epoch": epoch + 1, "loss": loss_sum / seen, "train_accuracy": correct / seen}


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
    optimizer: Optimizer,
    images: np.ndarray,
    labels: np.ndarray,
    rate: float,
    step: int,
) -> tuple[float, int]:
    """One batch of Algorithm 1, step `step` from 0: forward, backward, update. Returns (mean loss, correct
    answers)."""
    scores = network.forward(images, step)
    loss, gradient = softmax_cross_entropy(scores, labels)
    optimizer.step(network.backward(gradient, step), rate, step)
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
