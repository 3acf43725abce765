"""How many objects the bytes of a file are, counted before the parser of protobuf makes them.

Two bytes can be an empty message, which takes a hundred in memory; weights belong into raw data, where a
byte is a byte.
"""

from typing import Any

# Fields of all messages: 10,000 nodes have 300,000.
MAX_FIELDS = 1 << 19
# Packed numbers; each takes up to eight bytes in memory, and is read as an object of Python.
MAX_NUMBERS = 1 << 24
# Messages within each other: protobuf's own limit.
MAX_DEPTH = 100

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Types of fields, as in descriptor.proto.
_STRING, _MESSAGE, _RAW = 9, 11, 12
# Bytes of those numbers that always have as many: double, float.
_WIDTHS = {1: 8, 2: 4}


def check_objects(content: bytes, descriptor: Any) -> None:
    """Refuses (ValueError) bytes of a message, of protobuf's `descriptor`, that are too many objects,
    nest too deeply or are damaged."""
    size = len(content)
    kinds: dict[str, dict[int, tuple[int, Any]]] = {}
    # Ends of the messages around `at`, and what they are.
    stack, at, fields, numbers = [(size, _kinds(descriptor, kinds))], 0, 0, 0
    while stack:
        end, known = stack[-1]
        if at == end:
            stack.pop()
            continue
        fields += 1
        if fields > MAX_FIELDS:
            raise ValueError(f"more than {MAX_FIELDS} fields")
        key, at = _varint(content, at, end)
        kind, inner = known.get(key >> 3, (_RAW, None))
        length, at = _length(content, at, end, key & 7)
        if at + length > end:
            raise ValueError("ends too early")
        if key & 7 == _BYTES and kind == _MESSAGE:
            if len(stack) == MAX_DEPTH:
                raise ValueError(f"more than {MAX_DEPTH} messages within each other")
            stack.append((at + length, _kinds(inner, kinds)))
            continue
        if key & 7 == _BYTES and kind not in (_STRING, _RAW):
            numbers += length // _WIDTHS.get(kind, 1)
            if numbers > MAX_NUMBERS:
                raise ValueError(f"more than {MAX_NUMBERS} numbers outside of raw data")
        at += length


def _kinds(descriptor: Any, known: dict[str, dict[int, tuple[int, Any]]]) -> dict[int, tuple[int, Any]]:
    """Number -> (type, descriptor of a message) of the fields of a message."""
    name = descriptor.full_name
    if name not in known:
        known[name] = {field.number: (field.type, field.message_type) for field in descriptor.fields}
    return known[name]


def _length(content: bytes, at: int, end: int, wire: int) -> tuple[int, int]:
    """Bytes of a field's value, and where it begins."""
    if wire == _VARINT:
        return 0, _varint(content, at, end)[1]
    if wire == _BYTES:
        return _varint(content, at, end)
    if wire in (_FIXED64, _FIXED32):
        return (8 if wire == _FIXED64 else 4), at
    raise ValueError(f"a field of wire type {wire}")


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """An integer, and where it ends."""
    if at < end and content[at] < 0x80:  # nearly always
        return content[at], at + 1
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that does not end")
