"""RequantShift, the quantizer between integers of PULP's tools: (x mul + add) / div, half up, clipped."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ..file.graph import Node
from .meaning import NUMBERS, Declaration, honoured

OP = "RequantShift"
DOMAINS = ("PACTOps", "ai.onnx.contrib", "")

REQUANT = Declaration(
    inputs=honoured("x", "mul", "add"),
    outputs=honoured("y"),
    attributes=honoured("div", "signed", "n_levels"),
    types=NUMBERS,
)


def normalized(node: Node) -> Node:
    """The node with its attributes as integers under one name each; files have them as tensors too."""
    attributes = {}
    for name, value in node.attributes.items():
        if isinstance(value, np.ndarray | float) and np.size(value) == 1:
            number = np.asarray(value).item()
            value = int(number) if number == int(number) else number
        attributes["n_levels" if name == "n_levels_out" else name] = value
    return replace(node, attributes=attributes)


@cache
def schema() -> Any:
    """Its OpSchema."""
    import onnx

    form = onnx.defs.OpSchema
    numbers = [f"tensor({name})" for name in ("float", "double", "int8", "uint8", "int32", "int64")]
    return form(
        OP,
        DOMAINS[0],
        1,
        inputs=[form.FormalParameter("x", "T"), *(form.FormalParameter(n, f"T_{n}") for n in ("mul", "add"))],
        outputs=[form.FormalParameter("y", "T")],
        type_constraints=[(letter, numbers, "") for letter in ("T", "T_mul", "T_add")],
        attributes=[
            form.Attribute(name, form.AttrType.INT, "", required=True)
            for name in ("div", "signed", "n_levels")
        ],
    )
