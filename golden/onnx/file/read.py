"""Reads an ONNX file into nodes and constants, trusting nothing in it.

Only what the file really holds is ever allocated: a tensor's claimed shape must match its data.
"""

import math
import os
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import InputError
from ...reading import opened, reason
from .external import ExternalData
from .graph import MAX_ELEMENTS, Graph, Node, needed_nodes
from .proto import PACKED, attribute_value, clean, tensor_array
from .wire import check_objects

# Bytes of a file: AlexNet with float weights has 250 million.
MAX_BYTES = 1 << 29
MAX_NODES = 10_000

_ACCEPTED = "a QONNX file (.onnx)"


def read_graph(path: str | os.PathLike[str]) -> Graph:
    """The Graph in the file at `path`; InputError says in one line what is wrong with the file."""
    onnx = import_onnx(path, "reading")
    with opened(path, _ACCEPTED, MAX_BYTES) as stream:
        content = stream.read()
    model = onnx.ModelProto()
    try:
        check_objects(content, model.DESCRIPTOR)
        model.ParseFromString(content)
    # protobuf's DecodeError differs between its implementations.
    except Exception as error:
        raise InputError(
            f"{path}: is not an ONNX file or is truncated ({reason(error)}); accepted: {_ACCEPTED}"
        ) from None
    del content  # the model holds a copy
    if not model.HasField("graph"):
        raise InputError(f"{path}: holds no graph; accepted: {_ACCEPTED}")
    return _graph(onnx, model, ExternalData(os.path.dirname(os.fspath(path))))


def import_onnx(path: str | os.PathLike[str], doing: str) -> ModuleType:
    """The package onnx; InputError says that `doing` something with the file at `path` needs it."""
    try:
        # Gives NumPy the integers of less than a byte.
        import ml_dtypes  # noqa: F401
        import onnx
    except ImportError as error:
        raise InputError(
            f"{path}: {doing} it needs the package {error.name}, which is not installed; "
            "accepted: after `pip install dorefa[onnx]`"
        ) from None
    return onnx


def _graph(onnx: ModuleType, model: Any, external: ExternalData) -> Graph:
    graph = model.graph
    if len(graph.node) > MAX_NODES:
        raise InputError(f"graph: has {len(graph.node)} nodes; accepted: at most {MAX_NODES}")
    if len(graph.sparse_initializer):
        raise InputError("graph: has sparse initializers; accepted: dense ones")
    constants: dict[str, np.ndarray] = {}
    for tensor in graph.initializer:
        name = clean(tensor.name)
        if name in constants:
            raise InputError(f"initializer {name}: is there twice; accepted: each name once")
        constants[name] = tensor_array(onnx, tensor, f"initializer {name}", external)
    found = _nodes(onnx, graph, external)
    input_name, input_shape = _input(graph, constants)
    outputs = tuple(clean(output.name) for output in graph.output)
    if not outputs:
        raise InputError("graph: has no output; accepted: one or more, as the scores of the classes")
    if len(set(outputs)) < len(outputs):
        raise InputError(f"graph: has the outputs {', '.join(outputs[:5])}; accepted: each name once")
    nodes = needed_nodes(found, {*constants, input_name}, outputs)
    types = _types(graph)
    uses: dict[str, int] = {}
    for name in (*outputs, *(name for node in nodes for name in node.inputs if name)):
        uses[name] = uses.get(name, 0) + 1
    return Graph(
        clean(graph.name) or "network",
        nodes,
        constants,
        input_name,
        input_shape,
        _element_type(onnx, graph, input_name),
        _input_type(types.get(input_name), _element_type(onnx, graph, input_name)),
        outputs,
        uses,
        _opsets(model),
        {(clean(function.domain), clean(function.name)) for function in model.functions},
        types,
        _notes(graph, input_name),
    )


def _notes(graph: Any, input_name: str) -> tuple[str, ...]:
    """What was taken for granted of the file."""
    image = next(value for value in graph.input if clean(value.name) == input_name)
    batch = image.type.tensor_type.shape.dim[0]
    if batch.dim_value > 0:
        return ()
    return (f"the batch of input {input_name}, {clean(batch.dim_param) or 'of unknown size'}, is taken as 1",)


def _opsets(model: Any) -> dict[str, int]:
    """Domain -> version of its operators, "" for that of ONNX."""
    opsets: dict[str, int] = {}
    for entry in model.opset_import:
        domain = clean(entry.domain)
        domain = "" if domain == "ai.onnx" else domain
        if opsets.setdefault(domain, entry.version) != entry.version:
            raise InputError(
                f"graph: has the versions {opsets[domain]} and {entry.version} of the operators of "
                f"{domain or 'ONNX'}; accepted: one"
            )
    return opsets


def _nodes(onnx: ModuleType, graph: Any, external: ExternalData) -> list[Node]:
    nodes: list[Node] = []
    names: set[str] = set()
    for number, proto in enumerate(graph.node):
        name = clean(proto.name) or f"{clean(proto.op_type)}_{number}"
        # Layers take these names, which must differ from each other.
        while name in names:
            name += f".{number}"
        names.add(name)
        nodes.append(
            Node(
                clean(proto.op_type),
                clean(proto.domain),
                name,
                _names(proto.input),
                _names(proto.output),
                _attributes(onnx, proto, name, external),
                number,
            )
        )
    return nodes


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of a node's inputs or outputs, up to the last one that is there."""
    found = list(map(clean, names))
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def _attributes(onnx: ModuleType, proto: Any, name: str, external: ExternalData) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        own = clean(attribute.name)
        if own in attributes:
            raise InputError(f"node {name}: has the attribute {own} twice; accepted: each once")
        if attribute.ref_attr_name:
            raise InputError(f"node {name}: attribute {own} is that of a function; accepted: a value")
        attributes[own] = attribute_value(onnx, attribute, f"node {name}", external)
    return attributes


def _input(graph: Any, constants: dict[str, np.ndarray]) -> tuple[str, tuple[int, ...]]:
    inputs = [value for value in graph.input if clean(value.name) not in constants]
    if len(inputs) != 1:
        names = ", ".join(clean(value.name) for value in inputs[:5]) or "none"
        raise InputError(f"graph: has {len(inputs)} inputs ({names}); accepted: one, the images")
    name = clean(inputs[0].name)
    axes = inputs[0].type.tensor_type.shape.dim
    # A batch of any size is computed image by image.
    for axis, dim in enumerate(axes):
        if dim.dim_value < 1 and (axis or dim.dim_value < -1):
            size = clean(dim.dim_param) or dim.dim_value or "unknown"
            raise InputError(
                f"input {name}: axis {axis} has the size {size}; accepted: fixed sizes "
                "(export without dynamic axes but that of the batch)"
            )
    shape = tuple(max(1, dim.dim_value) for dim in axes)
    if not 2 <= len(shape) <= 4:
        raise InputError(f"input {name}: shape {shape}; accepted: 2 to 4 axes, the batch first")
    if math.prod(shape) > MAX_ELEMENTS:
        raise InputError(f"input {name}: shape {shape}; accepted: at most {MAX_ELEMENTS} elements")
    return name, shape


def _element_type(onnx: ModuleType, graph: Any, name: str) -> str:
    """The element type of the input, as NumPy names it."""
    value = next(value for value in graph.input if clean(value.name) == name)
    kind = value.type.tensor_type.elem_type
    if kind in PACKED:
        return PACKED[kind][0]
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)).name
    except (KeyError, TypeError):
        raise InputError(f"input {name}: element type {kind}; accepted: a type of numbers") from None


def _types(graph: Any) -> dict[str, str]:
    """Tensor -> the data type that is annotated first."""
    found: dict[str, str] = {}
    for annotation in graph.quantization_annotation:
        for entry in annotation.quant_parameter_tensor_names:
            if entry.key == "finn_datatype":
                found.setdefault(clean(annotation.tensor_name), clean(entry.value))
    return found


def _input_type(annotated: str | None, element: str) -> str:
    """The data type of the input: the annotated one; else that of its elements where these are integers of at
    most a byte."""
    if annotated is not None:
        return "" if annotated.startswith("FLOAT") else annotated
    small = {"int8", "uint8", *(name for name, _ in PACKED.values())}
    return element.upper() if element in small else ""
