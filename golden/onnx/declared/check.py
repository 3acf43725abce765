"""Holds a graph against the declarations: what is there is understood, or refused by node and name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InputError
from ..file.graph import Graph, Node
from ..file.proto import PACKED
from . import microsoft, pact
from .advice import refuse_operator
from .annotations import ANNOTATIONS
from .meaning import Declaration, Irrelevant, Meaning, Only, Refused, Unread
from .qonnx import CHANNELS_LAST, DOMAINS, QONNX, VERSIONS, schemas
from .standard import OPSETS, STANDARD

# Place of QGemm's last zero point, which says the type of its results.
_QGEMM_ZERO = 8
_STANDARD_DOMAINS = ("", "ai.onnx")
# Names of NumPy for the element types of ONNX where they differ.
_NUMPY = {"float": "float32", "double": "float64"}
# Number of an element type in an attribute -> its name.
ELEMENT_TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    11: "float64",
    12: "uint32",
    13: "uint64",
    **{number: name for number, (name, _) in PACKED.items()},
}


def understood(graph: Graph) -> Graph:
    """The graph whose nodes hold all their attributes, defaults included, and their element types.

    InputError names the node and what of it is not understood.
    """
    types = {name: array.dtype.name for name, array in graph.constants.items()}
    types[graph.input_name] = graph.element_type
    moving = {graph.input_name}
    nodes = []
    for node in graph.nodes:
        if node.op == pact.OP:
            node = pact.normalized(node)
        declaration, schema = _find(node, graph)
        node = replace(
            node, attributes=_attributes(node, declaration.attributes, schema), since=schema.since_version
        )
        bound = _input_types(node, declaration, schema, types, moving)
        _check_outputs(node, declaration, schema, graph.uses)
        for place, name in enumerate(node.outputs):
            types[name] = _output_type(node, schema, place, bound)
        # The shape of a tensor does not depend on the image.
        if node.op != "Shape" and not moving.isdisjoint(node.inputs):
            moving.update(filter(None, node.outputs))
        nodes.append(replace(node, result=types[node.outputs[0]]))
    return replace(graph, nodes=tuple(nodes))


def _find(node: Node, graph: Graph) -> tuple[Declaration, Any]:
    """The declaration and the schema of a node's operator in the version that the file names."""
    if (node.domain, node.op) in graph.functions:
        node.refuse("is a function of the file", "files whose functions are inlined (onnx.inliner)")
    # Files name no domain where none of ONNX's own operators has the name.
    unnamed = not node.domain and node.op not in STANDARD
    if (unnamed or node.domain in DOMAINS) and node.op in QONNX:
        version = graph.opsets.get(node.domain or DOMAINS[0], VERSIONS[0])
        if version not in VERSIONS:
            node.refuse(f"the file has version {version} of {node.domain}", f"{VERSIONS[0]}..{VERSIONS[-1]}")
        return QONNX[node.op], [s for s in schemas()[node.op] if s.since_version <= version][-1]
    if node.op == pact.OP and node.domain in pact.DOMAINS:
        return pact.REQUANT, pact.schema()
    if (unnamed or node.domain == microsoft.DOMAIN) and node.op in microsoft.MICROSOFT:
        return microsoft.MICROSOFT[node.op], microsoft.schemas()[node.op]
    last = node.domain.endswith(".channels_last") and node.op in CHANNELS_LAST
    if node.op not in STANDARD or not (last or node.domain in _STANDARD_DOMAINS):
        refuse_operator(node)
    return STANDARD[node.op], _standard_schema(node, graph.opsets)


def _standard_schema(node: Node, opsets: Mapping[str, int]) -> Any:
    from onnx import defs

    version = opsets.get("")
    if version is None:
        raise InputError("graph: names no version of the operator set of ONNX; accepted: one")
    newest = min(OPSETS[-1], defs.onnx_opset_version())
    if not OPSETS[0] <= version <= newest:
        raise InputError(
            f"graph: has version {version} of the operator set; accepted: {OPSETS[0]}..{newest} "
            "(onnx.version_converter changes it)"
        )
    try:
        schema = defs.get_schema(node.op, version)
    except defs.SchemaError:
        node.refuse(f"is not in version {version} of the operator set", "operators of the file's version")
    return schema


def _all(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(isinstance(item, kind) for item in value)


# Kind of an attribute -> whether a value is of it, and what is accepted.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "INT": (lambda value: isinstance(value, int), "an integer"),
    "FLOAT": (lambda value: isinstance(value, float), "a number"),
    "STRING": (lambda value: isinstance(value, str), "a string"),
    "INTS": (_all(int), "integers"),
    "FLOATS": (_all(float), "numbers"),
    "TENSOR": (lambda value: isinstance(value, np.ndarray), "a tensor"),
}


def _attributes(node: Node, meanings: Mapping[str, Meaning], schema: Any) -> dict[str, Any]:
    """The attributes of a node with the defaults of its schema for those that it lacks."""
    for name, value in node.attributes.items():
        _check_given(node, name, value, meanings, schema)
    complete = {name: value for name, value in node.attributes.items() if name in schema.attributes}
    for name, known in schema.attributes.items():
        if name in complete:
            continue
        if known.required:
            node.refuse(f"has no attribute {name}", "nodes that hold it")
        if known.default_value.name:
            complete[name] = _default(known.default_value)
    for name, value in complete.items():
        meaning = meanings[name]
        if isinstance(meaning, Only) and value != meaning.value:
            node.refuse(f"{name} is {value!r}", repr(meaning.value))
    return complete


def _check_given(node: Node, name: str, value: Any, meanings: Mapping[str, Meaning], schema: Any) -> None:
    """Refuses an attribute that the operator does not have, not here, or of another kind."""
    if name not in schema.attributes:
        if (node.op, name) in ANNOTATIONS and ANNOTATIONS[node.op, name](value):
            return
        names = ", ".join(sorted(schema.attributes)) or "none"
        node.refuse(f"has an attribute {name}, which version {schema.since_version} lacks", names)
    meaning = meanings[name]
    if isinstance(meaning, Refused):
        node.refuse(f"has an attribute {name}", meaning.accepted)
    fits, accepted = _KINDS[schema.attributes[name].type.name]
    if not isinstance(meaning, Irrelevant) and not fits(value):
        shown = "of another kind" if value is None else repr(value)
        node.refuse(f"attribute {name} is {shown[:40]}", accepted)


def _default(proto: Any) -> Any:
    from onnx import helper

    value = helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode()
    return tuple(value) if isinstance(value, list) else value


def _input_types(
    node: Node, declaration: Declaration, schema: Any, types: Mapping[str, str], moving: set[str]
) -> dict[str, str]:
    """Type parameter of the schema -> element type, from a node's inputs, which are checked."""
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        node.refuse(f"has {len(node.inputs)} inputs", _count(schema.min_input, schema.max_input))
    allowed = {item.type_param_str: item.allowed_type_strs for item in schema.type_constraints}
    bound: dict[str, str] = {}
    for place, name in enumerate(node.inputs):
        port = schema.inputs[min(place, len(schema.inputs) - 1)]
        if not name:
            if port.option == type(schema).FormalParameterOption.Single:
                node.refuse(f"has no {port.name} (input {place})", f"{port.name}")
            continue
        if name in moving and not declaration.types:
            refuse_operator(node)
        found = types[name]
        accepted = [_element_type(text) for text in allowed.get(port.type_str, [port.type_str])]
        if name in moving:
            accepted = [kind for kind in accepted if kind in declaration.types]
        if found not in accepted:
            node.refuse(f"{port.name} {name} has the element type {found}", ", ".join(accepted))
        if port.is_homogeneous and bound.setdefault(port.type_str, found) != found:
            node.refuse(
                f"{port.name} {name} has the element type {found}",
                f"{bound[port.type_str]}, as the input in front of it",
            )
    return bound


def _count(least: int, most: int) -> str:
    if least == most:
        return str(least)
    return f"{least}..{most}" if most < 1 << 20 else f"at least {least}"


def _element_type(text: str) -> str:
    """The name of NumPy for a type of a schema, as "tensor(float)"."""
    name = text.removeprefix("tensor(").removesuffix(")")
    return _NUMPY.get(name, name)


def _check_outputs(node: Node, declaration: Declaration, schema: Any, uses: Mapping[str, int]) -> None:
    if not 1 <= len(node.outputs) <= schema.max_output:
        node.refuse(f"has {len(node.outputs)} outputs", _count(1, schema.max_output))
    for port, name in zip(schema.outputs, node.outputs, strict=False):
        meaning = declaration.outputs[port.name]
        if isinstance(meaning, Refused) and name:
            node.refuse(f"has an output {port.name}", meaning.accepted)
        if isinstance(meaning, Unread) and name in uses:
            node.refuse(f"its output {port.name} {name} is read", meaning.accepted)


def _output_type(node: Node, schema: Any, place: int, bound: Mapping[str, str]) -> str:
    """The element type of an output."""
    if node.op == "QuantizeLinear":
        return _quantized_type(node, bound)
    if node.op == "QGemm":
        return bound["TYZ"] if node.has(_QGEMM_ZERO) else "float32"
    text = schema.outputs[min(place, len(schema.outputs) - 1)].type_str
    if text in bound:
        return bound[text]
    if node.op == "Cast":
        to = node.integer("to")
        if to not in ELEMENT_TYPES:
            node.refuse(f"casts to type {to}", ", ".join(ELEMENT_TYPES.values()))
        return ELEMENT_TYPES[to]
    if node.op == "Constant":
        return _constant_type(node)
    allowed = next(
        (item.allowed_type_strs for item in schema.type_constraints if item.type_param_str == text), [text]
    )
    return _element_type(allowed[0])


def _quantized_type(node: Node, bound: Mapping[str, str]) -> str:
    """The element type of what QuantizeLinear gives: that of the zero point, or what it names."""
    given = node.attributes.get("output_dtype", 0)
    if given and given not in ELEMENT_TYPES:
        node.refuse(f"quantizes to type {given}", ", ".join(ELEMENT_TYPES.values()))
    named = ELEMENT_TYPES[given] if given else "uint8"
    if not node.has(2):
        return named
    found = bound["T2" if node.since < 23 else "T3"]
    if given and named != found:
        node.refuse(f"output_dtype is {named} with a zero point of {found}", "one type")
    return found


def _constant_type(node: Node) -> str:
    if len(node.attributes) != 1:
        names = ", ".join(sorted(node.attributes)) or "no value"
        node.refuse(f"holds {names}", "one number or tensor")
    ((name, value),) = node.attributes.items()
    if isinstance(value, np.ndarray):
        return value.dtype.name
    return "float32" if "float" in name else "int64"
