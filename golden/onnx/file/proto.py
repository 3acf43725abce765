"""Values from the messages of an ONNX file, never larger than what the file really holds."""

import math
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import InputError
from ...reading import MAX_UNPACKED, shown
from .external import ExternalData

MAX_RANK = 8
# Numbers of an attribute: table of a resize, permutation of axes.
MAX_NUMBERS = 1 << 16
# Types whose elements share bytes, the first in the lowest bits: number -> (type, bits).
PACKED = {21: ("uint4", 4), 22: ("int4", 4), 25: ("uint2", 2), 26: ("int2", 2)}


def clean(text: str | bytes) -> str:
    """`text` fit for a message of one line; bytes where it is no UTF-8."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    return text if text.isprintable() else repr(text)[1:-1]


def attribute_value(onnx: ModuleType, proto: Any, where: str, external: ExternalData) -> Any:
    """The attribute's value; None for kinds that no supported operator has."""
    kinds = onnx.AttributeProto
    count = max(len(proto.ints), len(proto.floats))
    if count > MAX_NUMBERS:
        raise InputError(
            f"{where}: attribute {clean(proto.name)} has {count} numbers; accepted: at most {MAX_NUMBERS}"
        )
    if proto.type == kinds.FLOAT:
        return proto.f
    if proto.type == kinds.INT:
        return proto.i
    if proto.type == kinds.STRING:
        return clean(proto.s.decode(errors="replace"))
    if proto.type == kinds.FLOATS:
        return tuple(proto.floats)
    if proto.type == kinds.INTS:
        return tuple(proto.ints)
    if proto.type == kinds.TENSOR:
        return tensor_array(onnx, proto.t, f"{where}: attribute {clean(proto.name)}", external)
    return None


def tensor_array(onnx: ModuleType, tensor: Any, where: str, external: ExternalData) -> np.ndarray:
    """The array of a TensorProto, its claimed size checked against the data that is there: in the file or,
    `external`, beside it."""
    kinds = onnx.TensorProto
    # Type -> NumPy type and the field that holds it when raw_data does not.
    types = {
        kinds.FLOAT: ("<f4", "float_data"),
        kinds.DOUBLE: ("<f8", "double_data"),
        kinds.INT64: ("<i8", "int64_data"),
        kinds.INT32: ("<i4", "int32_data"),
        kinds.UINT8: ("u1", "int32_data"),
        kinds.INT8: ("i1", "int32_data"),
        kinds.UINT16: ("<u2", "int32_data"),
        kinds.INT16: ("<i2", "int32_data"),
        kinds.UINT32: ("<u4", "uint64_data"),
        kinds.UINT64: ("<u8", "uint64_data"),
        kinds.BOOL: ("?", "int32_data"),
    }
    packed, bits = PACKED.get(tensor.data_type, ("", 0))
    if not packed and tensor.data_type not in types:
        raise InputError(
            f"{where}: data type {tensor.data_type}; "
            "accepted: float32, float64, integers of 2 to 64 bits, bool"
        )
    dtype, values = ("u1", "int32_data") if packed else types[tensor.data_type]
    shape = tuple(tensor.dims)
    if len(shape) > MAX_RANK or min(shape, default=1) < 0:
        raise InputError(f"{where}: shape {shown(shape)}; accepted: at most {MAX_RANK} axes, none negative")
    # An axis of length 0 does not make the others possible.
    if math.prod(max(size, 1) for size in shape) > MAX_UNPACKED:
        raise InputError(f"{where}: shape {shape} claims too much; accepted: at most {MAX_UNPACKED} elements")
    count = math.prod(shape)
    claimed = -(-count * bits // 8) if packed else count * np.dtype(dtype).itemsize
    if tensor.data_location == kinds.EXTERNAL:
        content = external.read(tensor.external_data, claimed, where)
        array = np.frombuffer(content, dtype)
        array.setflags(write=False)
    elif len(tensor.external_data):
        raise InputError(
            f"{where}: names another file for its data, which it has itself; accepted: data in one place"
        )
    else:
        array = _own_data(tensor, np.dtype(dtype), values, claimed, where)
    if packed:
        array = _unpacked(array, packed, bits)[:count]
    return array.reshape(shape)


def _unpacked(content: np.ndarray, type_: str, bits: int) -> np.ndarray:
    """The integers of less than a byte that lie in bytes."""
    fields = (content[:, None] >> np.arange(0, 8, bits, dtype=np.uint8)) & ((1 << bits) - 1)
    sign = 0 if type_.startswith("u") else 1 << (bits - 1)
    return ((fields.astype(np.int8) ^ sign) - sign).astype(type_).reshape(-1)


def _own_data(tensor: Any, dtype: np.dtype, field: str, claimed: int, where: str) -> np.ndarray:
    """The `claimed` bytes in a TensorProto itself, raw or in its `field`, in one axis."""
    if tensor.HasField("raw_data"):
        raw = tensor.raw_data
        there = len(raw)
        if there == claimed:
            if dtype.kind == "b" and raw.strip(b"\0\1"):
                raise InputError(f"{where}: a bool is neither 0 nor 1; accepted: 0 and 1")
            return np.frombuffer(raw, dtype)
    else:
        data = getattr(tensor, field)
        there = len(data) * dtype.itemsize
        if there == claimed:
            array = np.array(data).astype(dtype)
            if dtype.kind != "f" and array.tolist() != list(data):
                raise InputError(f"{where}: numbers beyond {dtype}; accepted: numbers that it holds")
            return array
    raise InputError(
        f"{where}: shape {tuple(tensor.dims)} claims {claimed} bytes and {there} are there; "
        "accepted: as many as claimed"
    )
