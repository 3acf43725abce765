"""Reads an ONNX file into nodes and constants, trusting nothing in it.

Only what the file really holds is ever allocated: a tensor's claimed shape must match its data.
"""

import math
import os
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError

# Bytes of a file: AlexNet with float weights has 250 million.
MAX_BYTES = 1 << 29
MAX_NODES = 10_000
MAX_RANK = 8
# Elements of the image or of a feature map.
MAX_ELEMENTS = 1 << 27


@dataclass(frozen=True, eq=False)
class Node:
    """One operator: `name` is the file's, or the operator and its number where it has none.

    position: its place in the file.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict = field(default_factory=dict)
    position: int = 0

    def refuse(self, problem, accepted):
        """Raises InputError with the node's name and operator."""
        raise InputError(f"node {self.name} ({self.op}): {problem}; accepted: {accepted}")

    def integer(self, name, default):
        """The attribute `name`, an int."""
        return self._attribute(name, default, lambda value: isinstance(value, int), "an integer")

    def integers(self, name):
        """The attribute `name`, a tuple of ints, or None."""
        return self._attribute(
            name,
            None,
            lambda value: isinstance(value, tuple) and all(isinstance(i, int) for i in value),
            "integers",
        )

    def number(self, name, default):
        """The attribute `name`, a finite float; or its default, which may be None."""
        return self._attribute(
            name,
            default,
            lambda value: isinstance(value, int | float) and math.isfinite(value),
            "a finite number",
        )

    def text(self, name, default):
        """The attribute `name`, a str."""
        return self._attribute(name, default, lambda value: isinstance(value, str), "a string")

    def _attribute(self, name, default, fits, accepted):
        if name not in self.attributes:
            return default
        value = self.attributes[name]
        if not fits(value):
            shown = "of another kind" if value is None else repr(value)
            self.refuse(f"attribute {name} is {shown[:40]}", accepted)
        return value


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes that the output needs, in topological order, and named constants.

    input_shape: the one input, batch first; input_type: data type of QONNX that the file declares for
    it, "" where it is a float; uses: how often each tensor is read, outputs included.
    """

    name: str
    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    input_name: str
    input_shape: tuple[int, ...]
    input_type: str
    outputs: tuple[str, ...]
    uses: dict[str, int]


def read_graph(path):
    """The Graph in the file at `path`; InputError says in one line what is wrong with the file."""
    onnx = import_onnx(path, "reading")
    try:
        size = os.stat(path).st_size
        if size > MAX_BYTES:
            raise InputError(f"{path}: has {size} bytes; accepted: at most {MAX_BYTES}")
        with open(path, "rb") as stream:
            content = stream.read(size)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); accepted: a QONNX file (.onnx)"
        ) from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    # protobuf's DecodeError differs between its implementations.
    except Exception as error:
        raise InputError(
            f"{path}: is not an ONNX file or is truncated ({_line(error)}); accepted: a QONNX file (.onnx)"
        ) from None
    if not model.HasField("graph"):
        raise InputError(f"{path}: holds no graph; accepted: a QONNX file (.onnx)")
    return _graph(onnx, model.graph)


def import_onnx(path, doing):
    """The package onnx; InputError says that `doing` something with the file at `path` needs it."""
    try:
        import onnx
    except ImportError:
        raise InputError(
            f"{path}: {doing} it needs the package onnx, which is not installed; "
            "accepted: after `pip install dorefa[onnx]`"
        ) from None
    return onnx


def _line(error):
    return _clean(str(error).splitlines()[0] if str(error) else type(error).__name__)


def _clean(text):
    """`text` fit for a message of one line; bytes where it is no UTF-8."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    return text if text.isprintable() else repr(text)[1:-1]


def _graph(onnx, graph):
    if len(graph.node) > MAX_NODES:
        raise InputError(f"graph: has {len(graph.node)} nodes; accepted: at most {MAX_NODES}")
    if len(graph.sparse_initializer):
        raise InputError("graph: has sparse initializers; accepted: dense ones")
    constants = {}
    for tensor in graph.initializer:
        name = _clean(tensor.name)
        if name in constants:
            raise InputError(f"initializer {name}: is there twice; accepted: each name once")
        constants[name] = _array(onnx, tensor, f"initializer {name}")
    nodes = _nodes(onnx, graph)
    input_name, input_shape = _input(graph, constants)
    outputs = tuple(_clean(output.name) for output in graph.output)
    if not outputs:
        raise InputError("graph: has no output; accepted: one, the scores of the classes")
    nodes = _sorted(nodes, {*constants, input_name}, outputs)
    uses = {}
    for name in (*outputs, *(name for node in nodes for name in node.inputs if name)):
        uses[name] = uses.get(name, 0) + 1
    return Graph(
        _clean(graph.name) or "network",
        nodes,
        constants,
        input_name,
        input_shape,
        _input_type(onnx, graph, input_name),
        outputs,
        uses,
    )


def _nodes(onnx, graph):
    nodes, names = [], set()
    for number, proto in enumerate(graph.node):
        name = _clean(proto.name) or f"{_clean(proto.op_type)}_{number}"
        # Layers take these names, which must differ from each other.
        while name in names:
            name += f".{number}"
        names.add(name)
        attributes = {a.name: _attribute(onnx, a, f"node {name}") for a in proto.attribute}
        nodes.append(
            Node(
                _clean(proto.op_type),
                _clean(proto.domain),
                name,
                tuple(map(_clean, proto.input)),
                tuple(map(_clean, proto.output)),
                attributes,
                number,
            )
        )
    return nodes


def _attribute(onnx, proto, where):
    """The attribute's value; None for kinds that no supported operator has."""
    kinds = onnx.AttributeProto
    if proto.type == kinds.FLOAT:
        return proto.f
    if proto.type == kinds.INT:
        return proto.i
    if proto.type == kinds.STRING:
        return _clean(proto.s.decode(errors="replace"))
    if proto.type == kinds.FLOATS:
        return tuple(proto.floats)
    if proto.type == kinds.INTS:
        return tuple(proto.ints)
    if proto.type == kinds.TENSOR:
        return _array(onnx, proto.t, f"{where}: attribute {_clean(proto.name)}")
    return None


def _array(onnx, tensor, where):
    """The array of a TensorProto, its claimed size checked against the data that is there."""
    kinds = onnx.TensorProto
    # Type -> NumPy type and the field that holds it when raw_data does not.
    types = {
        kinds.FLOAT: ("<f4", "float_data"),
        kinds.DOUBLE: ("<f8", "double_data"),
        kinds.INT64: ("<i8", "int64_data"),
        kinds.INT32: ("<i4", "int32_data"),
        kinds.UINT8: ("u1", "int32_data"),
        kinds.INT8: ("i1", "int32_data"),
        kinds.BOOL: ("?", "int32_data"),
    }
    if tensor.data_type not in types:
        raise InputError(
            f"{where}: data type {tensor.data_type}; "
            "accepted: float32, float64, int64, int32, uint8, int8, bool"
        )
    if tensor.data_location == kinds.EXTERNAL or len(tensor.external_data):
        raise InputError(f"{where}: its data is in another file; accepted: data in the file itself")
    dtype, values = types[tensor.data_type]
    shape = tuple(tensor.dims)
    if len(shape) > MAX_RANK or min(shape, default=1) < 0:
        raise InputError(f"{where}: shape {shape}; accepted: at most {MAX_RANK} axes, none negative")
    claimed = math.prod(shape) * np.dtype(dtype).itemsize
    if tensor.HasField("raw_data"):
        there = len(tensor.raw_data)
        if there == claimed:
            return np.frombuffer(tensor.raw_data, dtype).reshape(shape)
    else:
        data = getattr(tensor, values)
        there = len(data) * np.dtype(dtype).itemsize
        if there == claimed:
            return np.array(data, dtype=np.int64 if dtype[-2] == "i" else None).astype(dtype).reshape(shape)
    raise InputError(
        f"{where}: shape {shape} claims {claimed} bytes and {there} are there; accepted: as many as claimed"
    )


def _input(graph, constants):
    inputs = [value for value in graph.input if _clean(value.name) not in constants]
    if len(inputs) != 1:
        names = ", ".join(_clean(value.name) for value in inputs[:5]) or "none"
        raise InputError(f"graph: has {len(inputs)} inputs ({names}); accepted: one, the images")
    name = _clean(inputs[0].name)
    axes = inputs[0].type.tensor_type.shape.dim
    for axis, dim in enumerate(axes):
        if dim.dim_value < 1:
            size = _clean(dim.dim_param) or dim.dim_value or "unknown"
            raise InputError(
                f"input {name}: axis {axis} has the size {size}; accepted: fixed sizes "
                "(export with a batch of 1, without dynamic axes)"
            )
    shape = tuple(dim.dim_value for dim in axes)
    if not 2 <= len(shape) <= 4:
        raise InputError(f"input {name}: shape {shape}; accepted: 2 to 4 axes, the batch first")
    if math.prod(shape) > MAX_ELEMENTS:
        raise InputError(f"input {name}: shape {shape}; accepted: at most {MAX_ELEMENTS} elements")
    return name, shape


def _input_type(onnx, graph, name):
    """The annotated data type of the input; else UINT8 or INT8 where its elements are of that type."""
    for annotation in graph.quantization_annotation:
        if _clean(annotation.tensor_name) == name:
            for entry in annotation.quant_parameter_tensor_names:
                if entry.key == "finn_datatype":
                    return "" if _clean(entry.value).startswith("FLOAT") else _clean(entry.value)
    kinds = onnx.TensorProto
    element = next(value for value in graph.input if _clean(value.name) == name)
    return {kinds.UINT8: "UINT8", kinds.INT8: "INT8"}.get(element.type.tensor_type.elem_type, "")


def _sorted(nodes, known, outputs):
    """The nodes that `outputs` need, each after those it reads."""
    producers = {}
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in producers or name in known:
                node.refuse(f"its output {name} exists already", "each tensor from one node")
            producers[name] = node
    for output in outputs:
        if output not in producers and output not in known:
            raise InputError(f"graph: output {output} is made by no node; accepted: by one")
    result, done, entered = [], set(), set()
    stack = [producers[name] for name in reversed(outputs) if name in producers]
    while stack:
        node = stack[-1]
        if node.name in done:
            stack.pop()
            continue
        entered.add(node.name)
        waiting = []
        for name in filter(None, node.inputs):
            if name in producers:
                if producers[name].name not in done:
                    waiting.append(producers[name])
            elif name not in known:
                node.refuse(
                    f"reads {name}, which no node, input or initializer provides", "tensors that are there"
                )
        for before in waiting:
            if before.name in entered:
                node.refuse(
                    f"reads {before.outputs[0]} of {before.name}, which depends on it",
                    "a graph without cycles",
                )
        if waiting:
            stack.extend(waiting)
        else:
            done.add(node.name)
            result.append(stack.pop())
    return tuple(result)
