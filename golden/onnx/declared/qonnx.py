"""The operators of QONNX that are understood, with schemas as the package qonnx defines them."""

from functools import cache
from typing import Any

from .meaning import FLOATS, Declaration, Irrelevant, Only, honoured

# Domains that files of Brevitas and FINN have had, one after the other.
DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "finn")
# Operators of ONNX whose maps are channels last here.
CHANNELS_LAST = ("Conv", "MaxPool", "BatchNormalization")
VERSIONS = range(1, 3)

_QUANT = honoured("signed", "narrow", "rounding_mode")

QONNX: dict[str, Declaration] = {
    **dict.fromkeys(
        ("Quant", "IntQuant"),
        Declaration(
            inputs=honoured("X", "scale", "zeropt", "bitwidth"),
            outputs=honoured("Y"),
            attributes=_QUANT,
            types=FLOATS,
        ),
    ),
    "BipolarQuant": Declaration(inputs=honoured("X", "scale"), outputs=honoured("Y"), types=FLOATS),
    "Trunc": Declaration(
        inputs=honoured("X", "scale", "zeropt", "in_bitwidth", "out_scale", "out_bitwidth"),
        outputs=honoured("Y"),
        attributes=_QUANT,
        types=FLOATS,
    ),
    "MultiThreshold": Declaration(
        inputs=honoured("X", "thresholds"),
        outputs=honoured("Y"),
        attributes={
            **honoured("out_scale", "out_bias", "data_layout"),
            "out_dtype": Irrelevant("annotates what out_scale and out_bias give"),
        },
        types=FLOATS,
    ),
    "XnorPopcountMatMul": Declaration(inputs=honoured("A", "B"), outputs=honoured("Y"), types=FLOATS),
    "Im2Col": Declaration(
        inputs=honoured("X"),
        outputs=honoured("Y"),
        attributes={
            **honoured("stride", "kernel_size", "pad_amount", "dilations"),
            "pad_value": Only(0),
            "input_shape": Irrelevant("repeats the shape of the input"),
            "depthwise": Irrelevant("choice of a hardware unit; the patches are the same"),
        },
        types=FLOATS,
    ),
    "MaxPoolNHWC": Declaration(
        inputs=honoured("X"),
        outputs=honoured("Y"),
        attributes=honoured("kernel_shape", "pads", "strides", "ceil_mode"),
        types=FLOATS,
    ),
    "DebugMarker": Declaration(
        inputs=honoured("X"),
        outputs=honoured("Y"),
        attributes={"export_debug_name": Irrelevant("a name for a person")},
        types=FLOATS,
    ),
}

# Operator -> per version (inputs, attributes); an attribute with its default, or its kind where the executor
# demands it.
_INTS, _INT, _TEXT = "INTS", "INT", "STRING"
_Form = tuple[str, dict[str, Any]]
_FORMS: dict[str, dict[int, _Form]] = {
    **dict.fromkeys(
        ("Quant", "IntQuant"),
        {1: ("X scale zeropt bitwidth", {"signed": _INT, "narrow": _INT, "rounding_mode": b"ROUND"})},
    ),
    "BipolarQuant": {1: ("X scale", {})},
    "Trunc": {
        1: ("X scale zeropt in_bitwidth out_bitwidth", {"rounding_mode": _TEXT}),
        2: (
            "X scale zeropt in_bitwidth out_scale out_bitwidth",
            {"rounding_mode": _TEXT, "signed": 1, "narrow": 0},
        ),
    },
    "MultiThreshold": {
        1: ("X thresholds", {"out_dtype": b"", "out_scale": 1.0, "out_bias": 0.0, "data_layout": b""})
    },
    "XnorPopcountMatMul": {1: ("A B", {})},
    "Im2Col": {
        1: (
            "X",
            {
                "stride": _INTS,
                "kernel_size": _INTS,
                "input_shape": b"",
                "pad_amount": [0, 0, 0, 0],
                "pad_value": 0,
                "depthwise": 0,
                "dilations": [1, 1],
            },
        )
    },
    "MaxPoolNHWC": {1: ("X", {"kernel_shape": _INTS, "pads": _INTS, "strides": _INTS, "ceil_mode": 0})},
    "DebugMarker": {1: ("X", {"export_debug_name": b""})},
}


@cache
def schemas() -> dict[str, list[Any]]:
    """Operator -> its OpSchemas, oldest first."""
    return {op: [_schema(op, since, *form) for since, form in forms.items()] for op, forms in _FORMS.items()}


def _schema(op: str, since: int, inputs: str, attributes: dict[str, Any]) -> Any:
    import onnx

    schema = onnx.defs.OpSchema
    numbers = [f"tensor({name})" for name in ("float", "double", "int8", "uint8", "int32", "int64", "bool")]
    first, *parameters = inputs.split()
    described = []
    for name, default in attributes.items():
        if isinstance(default, str):
            kind = getattr(schema.AttrType, default)
            described.append(schema.Attribute(name, kind, "", required=True))
        else:
            described.append(schema.Attribute(name, onnx.helper.make_attribute(name, default)))
    return schema(
        op,
        DOMAINS[0],
        since,
        inputs=[
            schema.FormalParameter(first, "T"),
            # Each parameter has a type of its own.
            *(schema.FormalParameter(name, f"T_{name}") for name in parameters),
        ],
        # What the package infers, whatever X is.
        outputs=[schema.FormalParameter("Y", "tensor(float)")],
        type_constraints=[
            ("T", ["tensor(float)", "tensor(double)"], ""),
            *((f"T_{name}", numbers, "") for name in parameters),
        ],
        attributes=described,
    )
