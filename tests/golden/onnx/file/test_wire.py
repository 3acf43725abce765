"""Bytes that protobuf would make too many objects of: counted first."""

import re

import pytest
from onnx import ModelProto

from dorefa.golden.onnx.file import wire
from dorefa.golden.onnx.file.wire import check_objects

from ..support import assert_refused
from .test_malformed import good_model

GRAPH, NODE, ATTRIBUTE, INITIALIZER = 7, 1, 5, 5


def varint(number):
    digits = b""
    while number > 0x7F:
        digits += bytes([number & 0x7F | 0x80])
        number >>= 7
    return digits + bytes([number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def nested(depth):
    content = b""
    for _ in range(depth):
        # An attribute that holds a graph with a node.
        content = field(NODE, field(ATTRIBUTE, field(6, content)))
    return field(GRAPH, content)


def test_good_files_pass(rng):
    check_objects(good_model(rng).SerializeToString(), ModelProto.DESCRIPTOR)
    check_objects(b"", ModelProto.DESCRIPTOR)
    check_objects(nested(30), ModelProto.DESCRIPTOR)
    check_objects(field(GRAPH, field(INITIALIZER, field(4, bytes(4 << 24)))), ModelProto.DESCRIPTOR)
    # Fields that nobody knows, of every kind.
    check_objects(b"\xf8\x07\x01" + b"\xf9\x07" + bytes(8) + b"\xfd\x07" + bytes(4), ModelProto.DESCRIPTOR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (field(GRAPH, field(NODE, b"") * 600_000), "more than 524288 fields"),
        (field(GRAPH, field(NODE, field(1, b"") * 600_000)), "more than 524288 fields"),
        (
            field(GRAPH, field(INITIALIZER, field(7, b"\x01" * ((1 << 24) + 1)))),
            "more than 16777216 numbers outside of raw data",
        ),
        (
            field(GRAPH, field(INITIALIZER, field(4, bytes(4 * ((1 << 24) + 1))))),
            "more than 16777216 numbers outside of raw data",
        ),
        (nested(40), "more than 100 messages within each other"),
        (field(GRAPH, b"")[:1], "a number that does not end"),
        (b"\x3a\x05", "ends too early"),
        (b"\x3a" + b"\xff" * 20, "a number that does not end"),
        (b"\x3b", "a field of wire type 3"),
        (b"\x3d\0", "ends too early"),
    ],
)
def test_too_many_objects_and_damage(content, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_objects(content, ModelProto.DESCRIPTOR)


def test_a_message_does_not_reach_beyond_its_end():
    inner = field(NODE, b"abc")[:-1]
    with pytest.raises(ValueError, match="^ends too early$"):
        check_objects(field(GRAPH, inner) + b"\x08\x01" * 10, ModelProto.DESCRIPTOR)


def test_a_file_of_empty_nodes_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "MAX_FIELDS", 1000)
    path = tmp_path / "net.onnx"
    path.write_bytes(field(GRAPH, field(NODE, b"") * 1_000_000))
    assert_refused(
        path, r"is not an ONNX file or is truncated \(more than 1000 fields\); accepted: a QONNX file"
    )


def test_an_attribute_of_very_many_numbers(tmp_path, rng):
    model = good_model(rng)
    model.graph.node[0].attribute.add(name="axes", type=7).ints.extend([1] * 70_000)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert_refused(path, "node .*: attribute axes has 70000 numbers; accepted: at most 65536")
