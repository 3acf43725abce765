"""Every attribute, input and output that the format knows is declared, in every version that is accepted."""

from collections import Counter
from dataclasses import replace

import onnx
import pytest
from onnx import defs, helper
from onnxruntime.capi import onnxruntime_pybind11_state as pybind
from qonnx.custom_op.registry import getCustomOp

from dorefa.golden.onnx.constants import CONSTANT, PASSING
from dorefa.golden.onnx.declared.meaning import HONOURED, Honoured, Irrelevant, Only, Refused, Unread
from dorefa.golden.onnx.declared.microsoft import DOMAIN, MICROSOFT
from dorefa.golden.onnx.declared.microsoft import schemas as microsoft_schemas
from dorefa.golden.onnx.declared.pact import OP
from dorefa.golden.onnx.declared.qonnx import DOMAINS, QONNX, schemas
from dorefa.golden.onnx.declared.standard import OPSETS, STANDARD
from dorefa.golden.onnx.operators import SUPPORTED

# Folded where they read constants only.
ON_CONSTANTS = {"Pow", "Sqrt", "Abs", "Reciprocal"}


def history():
    """Operator of ONNX -> its schemas in the accepted versions, oldest first."""
    found = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in STANDARD:
            found.setdefault(schema.name, []).append(schema)
    for name, versions in found.items():
        versions.sort(key=lambda schema: schema.since_version)
        older = [schema for schema in versions if schema.since_version <= OPSETS[0]]
        newer = [schema for schema in versions if OPSETS[0] < schema.since_version <= OPSETS[-1]]
        found[name] = older[-1:] + newer
    return found


def names(versions):
    """(attributes, inputs, outputs) of any of the schemas."""
    return (
        {name for schema in versions for name in schema.attributes},
        {port.name for schema in versions for port in schema.inputs},
        {port.name for schema in versions for port in schema.outputs},
    )


def undeclared(declaration, versions):
    """What of an operator is in one of the schemas or in its declaration alone."""
    declared = (set(declaration.attributes), set(declaration.inputs), set(declaration.outputs))
    return [there ^ known for there, known in zip(names(versions), declared, strict=True)]


@pytest.mark.parametrize("op", STANDARD)
def test_all_of_a_standard_operator_is_declared(op):
    assert undeclared(STANDARD[op], history()[op]) == [set(), set(), set()]


@pytest.mark.parametrize("op", QONNX)
def test_all_of_an_operator_of_qonnx_is_declared(op):
    assert undeclared(QONNX[op], schemas()[op]) == [set(), set(), set()]


@pytest.mark.parametrize("op", MICROSOFT)
def test_schemas_of_the_runtime_are_its_own(op):
    """Inputs, outputs, types, attributes and defaults of ONNX Runtime's domain."""
    everything = pybind.get_all_operator_schema()
    theirs = next(item for item in everything if (item.domain, item.name) == (DOMAIN, op))
    ours = microsoft_schemas()[op]
    allowed = [
        {item.type_param_str: sorted(item.allowed_type_strs) for item in schema.type_constraints}
        for schema in (ours, theirs)
    ]

    def ports(schema, types, parameters, type_of):
        return [
            (port.name, types.get(type_of(port), type_of(port)), str(port.option).rpartition(".")[2])
            for port in parameters
        ]

    def floats(found):
        return [
            (name, "tensor(float)" if kind == ["tensor(float)"] else kind, how) for name, kind, how in found
        ]

    assert ours.since_version == theirs.since_version
    for which in ("inputs", "outputs"):
        mine = ports(ours, allowed[0], getattr(ours, which), lambda port: port.type_str)
        other = ports(theirs, allowed[1], getattr(theirs, which), lambda port: port.typeStr)
        assert floats(mine) == floats(other)
    assert {*ours.attributes} == {*theirs.attributes}
    for name, attribute in theirs.attributes.items():
        assert attribute.required == ours.attributes[name].required
        default = ours.attributes[name].default_value
        assert onnx.AttributeProto.FromString(attribute._default_value) == default or not default.name
    declared = MICROSOFT[op]
    names_of = ({*ours.attributes}, {port.name for port in ours.inputs}, {port.name for port in ours.outputs})
    assert names_of == (set(declared.attributes), set(declared.inputs), set(declared.outputs))


@pytest.mark.parametrize("op", QONNX)
def test_schemas_of_qonnx_are_those_of_the_package(op):
    """Attributes, defaults and what must be there, version by version."""
    for schema in schemas()[op]:
        node = helper.make_node(op, ["x"], ["y"], domain=DOMAINS[0])
        own = getCustomOp(node, schema.since_version).get_nodeattr_types()
        assert set(schema.attributes) == set(own)
        for name, (letter, required, default, *_) in own.items():
            attribute = schema.attributes[name]
            if attribute.required:
                # The executor demands it, so that its default is nowhere used.
                assert required, name
                continue
            found = getattr(attribute.default_value, letter)
            found = list(found) if letter == "ints" else found.decode() if letter == "s" else found
            # Names and annotations may be missing: nothing depends on them.
            free = isinstance(QONNX[op].attributes[name], Irrelevant)
            assert found == default and (free or not required), name


def test_a_new_attribute_would_be_found():
    """An operator whose declaration misses, or invents, something fails the test above."""
    cast = STANDARD["Cast"]
    versions = history()["Cast"]
    for fewer in ("saturate", "to"):
        kept = {name: meaning for name, meaning in cast.attributes.items() if name != fewer}
        assert undeclared(replace(cast, attributes=kept), versions)[0] == {fewer}
    more = {**cast.outputs, "mask": HONOURED}
    assert undeclared(replace(cast, outputs=more), versions)[2] == {"mask"}


def test_declarations_say_why():
    """Meanings carry their reason; the operators are those that the import has code for."""
    meanings = [
        meaning
        for table in (STANDARD, QONNX, MICROSOFT)
        for entry in table.values()
        for meaning in entry.meanings()
    ]
    for meaning in meanings:
        match meaning:
            case Irrelevant(reason):
                assert len(reason.split()) >= 3
            case Refused(accepted) | Unread(accepted):
                assert accepted
            case _:
                assert isinstance(meaning, Honoured | Only)
    counts = Counter(type(meaning).__name__ for meaning in meanings)
    versions = sum(map(len, history().values())) + sum(map(len, schemas().values())) + len(MICROSOFT)
    print(
        f"{len(meanings)} declarations for {len(STANDARD) + len(QONNX) + len(MICROSOFT)} operators, "
        f"{versions} schemas:",
        counts,
    )
    assert set(STANDARD) | set(QONNX) | set(MICROSOFT) | {OP} == {*SUPPORTED, *ON_CONSTANTS}
    assert {*CONSTANT, *PASSING} <= {*STANDARD, *QONNX}
