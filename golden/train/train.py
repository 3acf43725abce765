"""Training a DoReFa-Net from a seed: Algorithm 1 with Adam, ending in integer accuracy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import InputError
from ..lowering.lower import lower
from ..network.layer import MAX_BITS
from ..network.network import Network
from ..run.integer import logits, run_integer
from ..zoo.architecture import Architecture
from .layers import softmax_cross_entropy
from .network import FLOAT, TrainNetwork
from .optimizer import Adam, cosine_rate

DEFAULT_RATE = 1e-3
# Images per evaluation batch: bounds the memory, changes no result.
_EVALUATION_BATCH = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """A trained network, how it got there, and how well its integer form does.

    history: one dictionary per epoch with `epoch` (from 1), `loss` and `train_accuracy` (means
    over the epoch's batches while they train) and, with a test set, `test_accuracy` (float32, with
    running statistics). accuracy: share of the test set that the lowered integer model classifies
    correctly, None without a test set.
    """

    network: Network
    history: list[dict[str, float]]
    accuracy: float | None


def train(
    architecture: Architecture,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    w_bits: int,
    a_bits: int,
    g_bits: int,
    epochs: int,
    seed: int,
    test: tuple[np.ndarray, np.ndarray] | None = None,
    first_w: int | None = None,
    last_w: int | None = None,
    batch: int = 64,
    rate: float = DEFAULT_RATE,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> TrainingResult:
    """Trains `architecture` on images uint8 (N, H, W, C) with labels (N,), Algorithm 1.

    w_bits, a_bits: 1..8; first_w, last_w: weight widths of the first and last layer (None: the
    architecture's); g_bits: 1..8 in every layer, or 32 for float gradients. Batches of `batch`
    images in an order drawn per epoch; Adam, learning rate half a cosine from `rate` to 0.
    test: (images, labels). progress(step, steps, measures) is called after every batch, with
    the running `epoch`, `loss` and `train_accuracy`. The same arguments give the same bits on one
    machine with one NumPy; another BLAS, or another number of its threads, sums in another order.
    Raises InputError for arguments that do not fit, and where a number grows beyond the floats on the way.
    """
    _check_trainable(architecture)
    _check_set(architecture, images, labels, "training set")
    if test is not None:
        _check_set(architecture, *test, "test set")
    widths = architecture.weight_bits(w_bits, first_w, last_w)
    for spec, width in zip(architecture.layers, widths, strict=True):
        checks.integer(width, f"train: weight bits of layer {spec.name}", 1, MAX_BITS)
    checks.integer(a_bits, "train: a_bits", 1, MAX_BITS)
    if g_bits != FLOAT:
        checks.integer(g_bits, "train: g_bits (or 32 for float)", 1, MAX_BITS)
    checks.integer(epochs, "train: epochs", 1)
    checks.integer(batch, "train: batch", 1)
    checks.integer(seed, "train: seed", 0)
    if not 0 < rate < np.inf:
        raise InputError(f"train: rate is {rate}; accepted: a finite number above 0")

    rng = np.random.Generator(np.random.PCG64(seed))
    network = TrainNetwork(architecture, widths, a_bits, g_bits, rng)
    optimizer = Adam(network.parameters)
    batches = -(-len(images) // batch)
    history = []
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        loss_sum, correct, seen = 0.0, 0, 0
        for index in range(batches):
            chosen = order[index * batch : (index + 1) * batch]
            step = epoch * batches + index
            step_rate = cosine_rate(rate, step, epochs * batches)
            with _growing(rate, f"epoch {epoch + 1}, step {step + 1} of {epochs * batches}"):
                loss, hits = train_step(network, optimizer, images[chosen], labels[chosen], step_rate, rng)
                _check_finite(network, loss)
            loss_sum += loss * len(chosen)
            correct += hits
            seen += len(chosen)
            measures: dict[str, float] = {
                "epoch": epoch + 1,
                "loss": loss_sum / seen,
                "train_accuracy": correct / seen,
            }
            if progress is not None:
                progress(step + 1, epochs * batches, measures)
        if test is not None:
            with _growing(rate, f"test behind epoch {epoch + 1}"):
                measures["test_accuracy"] = accuracy(network.forward, *test)
        history.append(measures)
    frozen = network.freeze()
    integer_accuracy = None if test is None else network_accuracy(frozen, *test)
    return TrainingResult(network=frozen, history=history, accuracy=integer_accuracy)


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
        statistics = {"mean": layer.mean, "var": layer.var} if layer.spec.norm else {}
        for name, value in (layer.parameters | statistics).items():
            checks.finite(value, f"layer {layer.spec.name}: {name}")
    checks.finite(np.asarray(loss), "the loss")


def train_step(
    network: TrainNetwork,
    optimizer: Adam,
    images: np.ndarray,
    labels: np.ndarray,
    rate: float,
    rng: np.random.Generator,
) -> tuple[float, int]:
    """One batch of Algorithm 1: forward, backward, update. Returns (mean loss, correct answers).

    rng: numpy Generator of the gradient quantizer's noise.
    """
    scores = network.forward(images, training=True)
    loss, gradient = softmax_cross_entropy(scores, labels)
    gradients = network.backward(gradient, lambda shape: rng.random(shape, dtype=np.float32))
    optimizer.step(gradients, rate)
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
