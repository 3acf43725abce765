"""What a graph means in exact arithmetic: every operator by its definition, on fractions.

Tensors are arrays of Python integers and Fractions. What does not depend on the image is taken from the
executors, as float32 or integers, but a quantized constant is its integer times its scale. Two operations
are rounded because they are so by definition: the square root of a normalization to float64, and Cast to
float16.
"""

import numpy as np

from .exact_node import ExactNode, Undefined
from .values import fractions, mapped, typed

# Quantizers of the qonnx package, and what may follow them on constants.
_QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant")
_EXACT = ("Mul", "Identity", "Dropout", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")


def evaluate(drawing, context, given):
    """Name -> exact array of the tensors that depend on the image, as far as they can be evaluated.

    context: name -> array of the executors for the same batch; given: tensors that are known already.
    """
    known = {"x": fractions(context["x"])} | given
    for executable in drawing.executables:
        node, name = executable.node, executable.node.output[0]
        if name in given or not _is_exact(node, drawing, context, known):
            continue
        try:
            if drawing.moving.isdisjoint(node.input) and node.op_type in _QUANTIZERS:
                known[name] = _on_grid(node, context)
            else:
                known[name] = typed(ExactNode(node, context, drawing).run(known), context[name].dtype)
            if node.op_type == "Dropout":
                # A mask that is not random is the same for all images.
                known |= {mask: fractions(context[mask]) for mask in node.output[1:]}
        # A scale of 0 is one that no quantizer has.
        except (Undefined, ZeroDivisionError):
            continue
    return known


def _is_exact(node, drawing, context, known):
    """Whether a node is evaluated here: it depends on the image, or on a quantized constant exactly."""
    moving = drawing.moving.intersection(node.input)
    if moving:
        return moving <= known.keys()
    if node.op_type in _QUANTIZERS:
        return True
    wide = node.op_type == "Cast" and context[node.output[0]].dtype in (np.float32, np.float64)
    return (wide or node.op_type in _EXACT) and not known.keys().isdisjoint(node.input)


def _on_grid(node, context):
    """A constant that a quantizer made: the executor's integers times the scale."""
    value, scale = (fractions(context[name]) for name in (node.output[0], node.input[1]))
    zero = 0 if node.op_type == "BipolarQuant" else fractions(context[node.input[2]])
    return (mapped(round, value / scale + zero) - zero) * scale
