"""What a graph means in exact arithmetic: every operator by its definition, on fractions.

Tensors are arrays of Python integers and Fractions. What does not depend on the image is taken from the
executors, as float32 or integers, but a quantized constant is its integer times its scale. Two operations
are rounded because they are so by definition: the square root of a normalization to float64, and Cast to
float16.
"""

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
        node = executable.node
        if drawing.moving.isdisjoint(node.input):
            if node.op_type in _QUANTIZERS:
                known[node.output[0]] = _on_grid(node, context)
                continue
            if node.op_type not in _EXACT or known.keys().isdisjoint(node.input):
                continue
        if node.output[0] in given:
            continue
        if any(name in drawing.moving and name not in known for name in node.input):
            continue
        try:
            result = ExactNode(node, context, drawing).run(known)
        except Undefined:
            continue
        known[node.output[0]] = typed(result, context[node.output[0]].dtype)
    return known


def _on_grid(node, context):
    """A constant that a quantizer made: the executor's integers times the scale."""
    value, scale = (fractions(context[name]) for name in (node.output[0], node.input[1]))
    zero = 0 if node.op_type == "BipolarQuant" else fractions(context[node.input[2]])
    return (mapped(round, value / scale + zero) - zero) * scale
