"""The operators of ONNX Runtime's own domain that its static quantization writes, with its schemas."""

from functools import cache
from typing import Any

from .meaning import FLOATS, INTEGERS, Declaration, Irrelevant, Meaning, Only, honoured

DOMAIN = "com.microsoft"
VERSION = 1

# Operator -> inputs with the letters of their types, those behind a slash not required; attributes with
# their defaults or kinds, a question mark behind those that may lack.
_FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "QLinearAdd": ("A:T A_scale:F A_zero_point:T B:T B_scale:F B_zero_point:T C_scale:F C_zero_point:T", {}),
    "QGemm": (
        "A:TA a_scale:F a_zero_point:TA B:TB b_scale:F b_zero_point:TB / C:TC y_scale:F y_zero_point:TYZ",
        {"alpha": 1.0, "transA": 0, "transB": 0},
    ),
    "QLinearAveragePool": (
        "X:T x_scale:F x_zero_point:T y_scale:F y_zero_point:T",
        {
            "auto_pad": b"NOTSET",
            "kernel_shape": "INTS",
            "pads": "INTS?",
            "strides": "INTS?",
            "ceil_mode": 0,
            "count_include_pad": 0,
            "channels_last": 0,
        },
    ),
    "QLinearGlobalAveragePool": (
        "X:T x_scale:F x_zero_point:T y_scale:F y_zero_point:T",
        {"channels_last": 0},
    ),
    # Behind its own scale and zero point, map, scale and zero point of each.
    "QLinearConcat": ("Y_scale:F Y_zero_point:T8 inputs:TV", {"axis": "INT"}),
    "QLinearLeakyRelu": ("X:T X_scale:F X_zero_point:T Y_scale:F Y_zero_point:T", {"alpha": 0.01}),
    # Written in files of versions of ONNX whose own do not have integers of 4 or 16 bits.
    "QuantizeLinear": ("x:TH y_scale:TH y_zero_point:T2", {"axis": "INT?"}),
    "DequantizeLinear": ("x:T1 x_scale:TH x_zero_point:T1", {"axis": "INT?"}),
}
_WITH_ZEROS = ("QGemm", "QLinearGlobalAveragePool", "QLinearConcat")
_TYPES = {
    "T": ("int8", "uint8"),
    "TA": ("int8", "uint8"),
    "TB": ("int8", "uint8"),
    "TC": ("int32",),
    "TYZ": ("int8", "uint8"),
    "TY": ("float", "int8", "uint8"),
    "T8": ("int8", "uint8"),
    "TV": ("float", "int8", "uint8"),
    "TH": ("float", "float16"),
    "T1": ("int16", "int32", "int4", "int8", "uint16", "uint4", "uint8"),
    "T2": ("int16", "int4", "int8", "uint16", "uint4", "uint8"),
}
# Type of the one output, where it is not T.
_RESULTS = {"QGemm": "TY", "QLinearConcat": "T8", "QuantizeLinear": "T2", "DequantizeLinear": "TH"}

_SPECIAL: dict[str, Meaning] = {
    "transA": Only(0),
    "count_include_pad": Irrelevant("averages over padding are refused"),
}


def _output(op: str) -> str:
    """Name of an operator's one output."""
    return {"QLinearAdd": "C", "QuantizeLinear": "y", "DequantizeLinear": "y"}.get(op, "Y")


MICROSOFT: dict[str, Declaration] = {
    op: Declaration(
        inputs=honoured(*(word.partition(":")[0] for word in inputs.replace("/", "").split())),
        outputs=honoured(_output(op)),
        attributes={
            **honoured(*attributes),
            **{name: _SPECIAL[name] for name in attributes if name in _SPECIAL},
        },
        types=FLOATS if op == "QuantizeLinear" else INTEGERS,
    )
    for op, (inputs, attributes) in _FORMS.items()
}


@cache
def schemas() -> dict[str, Any]:
    """Operator -> its OpSchema."""
    return {op: _schema(op, *form) for op, form in _FORMS.items()}


def _schema(op: str, inputs: str, attributes: dict[str, Any]) -> Any:
    import onnx

    schema = onnx.defs.OpSchema
    required, _, optional = inputs.partition("/")
    ports = [
        *((word, schema.FormalParameterOption.Single) for word in required.split()),
        *((word, schema.FormalParameterOption.Optional) for word in optional.split()),
    ]
    parameters = []
    for word, option in ports:
        name, _, letter = word.partition(":")
        # A zero point may be left out, but for those of two operators.
        if name.lower().endswith("_zero_point") and op not in _WITH_ZEROS:
            option = schema.FormalParameterOption.Optional
        kind = "tensor(float)" if letter == "F" else letter
        if name == "inputs":
            option = schema.FormalParameterOption.Variadic
        parameters.append(
            schema.FormalParameter(name, kind, param_option=option, is_homogeneous=name != "inputs")
        )
    described = []
    for name, default in attributes.items():
        if isinstance(default, str):
            kind = getattr(schema.AttrType, default.rstrip("?"))
            described.append(schema.Attribute(name, kind, "", required=not default.endswith("?")))
        else:
            described.append(schema.Attribute(name, onnx.helper.make_attribute(name, default)))
    result = _RESULTS.get(op, "T")
    used = {result, *(word.partition(":")[2] for word in inputs.replace("/", "").split())} - {"F"}
    return schema(
        op,
        DOMAIN,
        VERSION,
        inputs=parameters,
        outputs=[schema.FormalParameter(_output(op), result)],
        type_constraints=[
            (letter, [f"tensor({name})" for name in _TYPES[letter]], "") for letter in sorted(used)
        ],
        attributes=described,
    )
