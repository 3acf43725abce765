"""A drawn graph imported and run, against the executors; exact arithmetic has the last word."""

from typing import NamedTuple

import numpy as np
import onnx

from dorefa.golden import InputError, run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.values.tensors import feature_order
from dorefa.golden.run.integer import real_arrays

from .exact import evaluate
from .file import model_of
from .values import fits

_BATCHES = 6


class Outcome(NamedTuple):
    """What came of one graph.

    refused: the message, "" for an accepted graph; codes, scores: how many were compared; decided: those
    where the executors' float32 is rounded to something else than exact arithmetic, which is ours;
    different: what is wrong, "" where nothing is; undefined: the executors differ behind a Cast of floats
    that the integer type does not hold, of which ONNX says nothing.
    """

    refused: str = ""
    codes: int = 0
    scores: int = 0
    decided: int = 0
    different: str = ""
    undefined: bool = False


def compare(drawn, path):
    """The Outcome of a Drawn whose file is written to `path`."""
    d = drawn.drawing
    onnx.save(model_of(d, drawn.outputs), path)
    try:
        found = importer.load_import(path)
    except InputError as error:
        return Outcome(refused=str(error).removeprefix(f"{path}: "))
    # A traceback is neither a result nor a refusal.
    except Exception as error:
        return Outcome(different=f"the import raises {type(error).__name__}: {error}")
    image = next(name for name, tensor in found.tensors.items() if tensor.source < 0)
    contexts = [d.run(d.draw_images()) for _ in range(_BATCHES)]
    images = np.concatenate([_codes_of(found.tensors[image], context[image]) for context in contexts])
    network = found.network
    results = run_integer(network, (images & ((1 << network.input_bits) - 1)).astype(np.uint8))
    ours = {
        name: _real(tensor, images if tensor.source < 0 else results[network.layers[tensor.source].name])
        for name, tensor in found.tensors.items()
    }
    # In the order of the file, whatever its name.
    (ours[drawn.scores],) = real_arrays(network, results).values()
    codes = sum(ours[name].size for name in found.tensors)
    outcome = Outcome(codes=codes, scores=ours[drawn.scores].size)
    batches = []
    for number, context in enumerate(contexts):
        rows = slice(number * d.batch, (number + 1) * d.batch)
        batches.append((context, {name: values[rows] for name, values in ours.items()}))
    for context, own in batches:
        outcome = _add(outcome, drawn, image, context, own)
        if outcome.different or outcome.undefined:
            break
    return outcome


def _affine(tensor):
    """(scale, offset) per channel, float64."""
    return (np.array([float(number) for number in part]) for part in (tensor.scale, tensor.offset))


def _codes_of(tensor, values):
    """int64 (batch, H, W, C): the integers that the executor's values of the image stand for."""
    scale, offset = _affine(tensor)
    flat = values.reshape(len(values), -1)[:, feature_order(tensor)]
    maps = flat.reshape(len(values), *tensor.shape).astype(np.float64)
    return np.rint((maps - offset) / scale).astype(np.int64)


def _real(tensor, codes):
    """float64 (batch, features) in the file's order: what codes (batch, H, W, C) mean."""
    scale, offset = _affine(tensor)
    flat = (codes.reshape(len(codes), *tensor.shape) * scale + offset).reshape(len(codes), -1)
    result = np.empty_like(flat)
    result[:, feature_order(tensor)] = flat
    return result


def _add(outcome, drawn, image, context, own):
    """The outcome with one batch."""
    wrong = [name for name, values in own.items() if not _same(values, context[name])]
    if image in wrong:
        return outcome._replace(different=f"image {image}: its codes do not mean the executor's values")
    if wrong and _casts_outside(drawn.drawing, context):
        return outcome._replace(undefined=True)
    if text := _classes(drawn, context[drawn.scores], context):
        return outcome._replace(different=text)
    if not wrong:
        return outcome
    d = drawn.drawing
    values = np.array(own[image].tolist(), object).reshape(context[image].shape)
    exact = evaluate(d, context, {image: values})
    for name in wrong:
        if name not in exact:
            return outcome._replace(
                different=f"tensor {name}: not evaluated in exact arithmetic, differs from the executor"
            )
        meant = np.array([float(value) for value in exact[name].ravel()]).reshape(own[name].shape)
        if not _same(own[name], meant):
            place = tuple(np.argwhere(~_close(own[name], meant))[0].tolist())
            seen = context[name].reshape(own[name].shape)[place]
            return outcome._replace(
                different=f"tensor {name}{list(place)}: ours {own[name][place]:g}, "
                f"executor {seen:g}, exact {meant[place]:g}"
            )
        shown = context[name].reshape(own[name].shape)
        outcome = outcome._replace(
            decided=outcome.decided + int((own[name].astype(np.float32) != shown).sum())
        )
    return outcome


def _casts_outside(d, context):
    """Whether a Cast of floats to integers leaves the range of their type."""
    casts = (node for node in d.nodes if node.op_type == "Cast" and context[node.input[0]].dtype.kind == "f")
    return not all(fits(context[node.input[0]], context[node.output[0]].dtype) for node in casts)


def _close(ours, others):
    """Where float64 numbers are the same but for the rounding of a scale times an integer."""
    return np.isclose(ours, others, rtol=1e-12, atol=1e-13)


def _same(ours, others):
    """Whether an array of another shape and type holds our numbers."""
    if others.size != ours.size or others.shape[:1] != ours.shape[:1]:
        return False
    others = others.reshape(ours.shape)
    if others.dtype == np.float32:
        return np.array_equal(ours.astype(np.float32), others)
    return bool(_close(ours, others.astype(np.float64)).all())


def _classes(drawn, scores, context):
    """What is wrong with the answer behind the scores, "" if it is the one that they give per image."""
    answer, tail = context[drawn.outputs[0]], drawn.tail
    images, classes = scores.shape
    if not tail:
        return ""
    if tail.startswith("TopK values"):
        expected = -np.sort(-scores, axis=1)[:, : answer.shape[-1]].astype(answer.dtype)
        given = answer
    elif tail.startswith(("ArgMax", "TopK")):
        count = answer.size // images
        if answer.shape[0] != images or answer.size % images or tail == "ArgMax" and count != 1:
            return f"{tail}: gives {answer.shape} of {scores.shape} scores"
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        given = answer.reshape(images, -1)
    else:
        # Softmax, LogSoftmax and Sigmoid in float32 are not quite monotone.
        given = np.take_along_axis(answer, scores.argmax(axis=1)[:, None], axis=1)[:, 0]
        expected = np.where(np.isclose(given, answer.max(axis=1), rtol=1e-5), given, answer.max(axis=1))
    if tail.endswith("any order") and given.shape == expected.shape:
        given, expected = np.sort(given, axis=1), np.sort(expected, axis=1)
    if given.shape != expected.shape or not (given == expected).all():
        return f"{tail}: gives {given.tolist()[:4]}, from the scores {expected.tolist()[:4]}"
    return ""
