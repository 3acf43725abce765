"""Small QONNX graphs for the command."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


def model_of(nodes, constants, in_shape, classes):
    """The ModelProto of `nodes` from "x" (a batch of one, `in_shape`) to "y"; constants: {name: array}."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [value("x", TensorProto.FLOAT, [1, *in_shape])],
        [value("y", TensorProto.FLOAT, [1, classes])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in constants.items()],
    )
    return helper.make_model(graph)
