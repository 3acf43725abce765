"""The file of a drawn graph, in the forms that exporters give it."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .drawing import BREVITAS, CHANNELS_LAST, CHANNELS_LAST_VERSION, GENERAL

# From this version of the format on, initializers need not be inputs too.
_FREE_INITIALIZERS = 4


def model_of(d, outputs):
    """The ModelProto of a Drawing with these outputs; onnx's checker has accepted it."""
    ir_version = 3 if d.opset < 9 and d.maybe(0.3) else 8
    listed = d.initializers if ir_version < _FREE_INITIALIZERS or d.maybe(0.08) else []
    graph = helper.make_graph(
        _named(d),
        "net",
        [_value(d, name) for name in ("x", *listed)],
        [_value(d, name, sized=d.maybe(0.8)) for name in outputs],
        [_tensor(d, name) for name in d.initializers],
    )
    if d.annotation:
        entry = graph.quantization_annotation.add(tensor_name="x")
        entry.quant_parameter_tensor_names.add(key="finn_datatype", value=d.annotation)
    onnx_domain = d.pick({"": 19, "ai.onnx": 1})
    versions = {
        onnx_domain: d.opset,
        GENERAL: d.general,
        BREVITAS: d.general,
        CHANNELS_LAST: CHANNELS_LAST_VERSION,
    }
    others = {node.domain for node in d.nodes} - {""}
    if d.maybe(0.9):
        versions = {name: versions[name] for name in (onnx_domain, *sorted(others))}
    opsets = [helper.make_opsetid(name, version) for name, version in versions.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
    # Shapes behind operators of other domains cannot be inferred.
    onnx.checker.check_model(model, full_check=not others)
    return model


def _value(d, name, sized=True):
    array = d.context[name]
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape if sized else [None] * array.ndim
    )


def _named(d):
    """The nodes, all of them with a name of their own or not."""
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in d.nodes]
    form = d.pick({"own": 8, "none": 1, "same": 1})
    for node in nodes if form != "own" else ():
        node.name = "" if form == "none" else "node"
    return nodes


def _tensor(d, name):
    """An initializer, its numbers as raw bytes or as a list of their type."""
    array = d.context[name]
    if d.maybe(0.9) or array.dtype == np.float16:
        return numpy_helper.from_array(array, name)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, kind, array.shape, array.ravel().tolist())
