"""The operators of ONNX that are understood."""

from .meaning import ANY, FLOATS, HONOURED, INTEGERS, Declaration, Irrelevant, Only, Refused, Unread, honoured

# Versions of the operator set. Before 7 broadcasting and BatchNormalization were other ones.
OPSETS = range(7, 29)

_WINDOWS = honoured("auto_pad", "dilations", "kernel_shape", "pads", "strides")
_TRAINING = Refused("only the first: others are there in training")
_OF_FLOAT8 = Irrelevant("of casts to float8, which are refused")
_OF_CROPS = Irrelevant("of tf_crop_and_resize, which is refused")
_SHAPE_ONLY = Irrelevant("shape of the classes, which are not returned")


def _plain(
    inputs: str = "X", output: str = "Y", attributes: str = "", types: tuple[str, ...] = ANY
) -> Declaration:
    """An operator of which all is honoured; inputs, attributes: their names with spaces between."""
    return Declaration(
        inputs=honoured(*inputs.split()),
        outputs=honoured(output),
        attributes=honoured(*attributes.split()),
        types=types,
    )


def _scores(inputs: str, outputs: str, **attributes: Only | Irrelevant) -> Declaration:
    """An operator behind the scores, along an axis."""
    return Declaration(
        inputs=honoured(*inputs.split()),
        outputs=honoured(*outputs.split()),
        attributes={**honoured("axis"), **attributes},
    )


STANDARD: dict[str, Declaration] = {
    "Conv": Declaration(
        inputs=honoured("X", "W", "B"),
        outputs=honoured("Y"),
        attributes={**_WINDOWS, **honoured("group")},
        types=FLOATS,
    ),
    "Gemm": Declaration(
        inputs=honoured("A", "B", "C"),
        outputs=honoured("Y"),
        attributes={**honoured("alpha", "beta", "transB"), "transA": Only(0)},
        types=FLOATS,
    ),
    "MatMul": _plain("A B"),
    "Pad": Declaration(
        inputs=honoured("data", "pads", "constant_value", "axes"),
        outputs=honoured("output"),
        attributes={**honoured("pads", "value"), "mode": Only("constant")},
    ),
    **dict.fromkeys(("Mul", "Div", "Add", "Sub"), _plain("A B", "C")),
    "Neg": _plain(),
    "BatchNormalization": Declaration(
        inputs=honoured("X", "scale", "B", "mean", "var", "input_mean", "input_var"),
        outputs={
            "Y": HONOURED,
            **dict.fromkeys(
                ("mean", "var", "saved_mean", "saved_var", "running_mean", "running_var"), _TRAINING
            ),
        },
        attributes={
            "epsilon": HONOURED,
            "momentum": Irrelevant("of the running statistics in training"),
            "spatial": Only(1),
            "training_mode": Only(0),
        },
        types=FLOATS,
    ),
    "Relu": _plain(),
    "Clip": _plain("input min max", "output", "min max"),
    "LeakyRelu": _plain(attributes="alpha", types=FLOATS),
    "PRelu": _plain("X slope"),
    **dict.fromkeys(("Floor", "Ceil", "Round"), _plain(types=FLOATS)),
    "QuantizeLinear": Declaration(
        inputs=honoured("x", "y_scale", "y_zero_point"),
        outputs=honoured("y"),
        attributes={
            **honoured("axis", "block_size", "output_dtype"),
            "saturate": _OF_FLOAT8,
            "precision": Only(0),
        },
        types=FLOATS,
    ),
    "DequantizeLinear": Declaration(
        inputs=honoured("x", "x_scale", "x_zero_point"),
        outputs=honoured("y"),
        attributes={**honoured("axis", "block_size"), "output_dtype": Only(0)},
        types=INTEGERS,
    ),
    "QLinearConv": Declaration(
        inputs=honoured(
            *("x", "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point", "B")
        ),
        outputs=honoured("y"),
        attributes={**_WINDOWS, **honoured("group")},
        types=INTEGERS,
    ),
    "QLinearMatMul": _plain(
        "a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point", "y", types=INTEGERS
    ),
    "ConvInteger": Declaration(
        inputs=honoured("x", "w", "x_zero_point", "w_zero_point"),
        outputs=honoured("y"),
        attributes={**_WINDOWS, **honoured("group")},
        types=INTEGERS,
    ),
    "MatMulInteger": _plain("A B a_zero_point b_zero_point", types=INTEGERS),
    "MaxPool": Declaration(
        inputs=honoured("X"),
        outputs={"Y": HONOURED, "Indices": Unread("only the maxima")},
        attributes={
            **_WINDOWS,
            "ceil_mode": HONOURED,
            "storage_order": Irrelevant("order of the Indices, which nothing may read"),
        },
    ),
    "AveragePool": Declaration(
        inputs=honoured("X"),
        outputs=honoured("Y"),
        attributes={
            **_WINDOWS,
            "ceil_mode": HONOURED,
            "count_include_pad": Irrelevant("averages over padding are refused"),
        },
        types=FLOATS,
    ),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _plain(types=FLOATS)),
    "ConvTranspose": Declaration(
        inputs=honoured("X", "W", "B"),
        outputs=honoured("Y"),
        attributes={**_WINDOWS, **honoured("group", "output_padding", "output_shape")},
        types=FLOATS,
    ),
    "DepthToSpace": _plain("input", "output", "blocksize mode"),
    "SpaceToDepth": _plain("input", "output", "blocksize mode"),
    "Resize": Declaration(
        inputs={**honoured("X", "scales", "sizes"), "roi": _OF_CROPS},
        outputs=honoured("Y"),
        attributes={
            **honoured("axes", "coordinate_transformation_mode", "mode", "nearest_mode"),
            **dict.fromkeys(
                ("cubic_coeff_a", "exclude_outside"), Irrelevant("of cubic ones, which are refused")
            ),
            "extrapolation_value": _OF_CROPS,
            "antialias": Irrelevant("of others than nearest, which are refused"),
            "keep_aspect_ratio_policy": Only("stretch"),
        },
    ),
    "Upsample": _plain("X scales", attributes="mode scales"),
    "ReduceMean": Declaration(
        inputs=honoured("data", "axes"),
        outputs=honoured("reduced"),
        attributes={
            **honoured("axes", "keepdims"),
            "noop_with_empty_axes": Irrelevant("without axes it is refused"),
        },
        types=FLOATS,
    ),
    "Reshape": _plain("data shape", "reshaped", "allowzero"),
    "Flatten": _plain("input", "output", "axis"),
    "Transpose": _plain("data", "transposed", "perm"),
    "Squeeze": _plain("data axes", "squeezed", "axes"),
    "Unsqueeze": _plain("data axes", "expanded", "axes"),
    "Identity": _plain("input", "output"),
    "Dropout": Declaration(
        inputs={
            **honoured("data", "training_mode"),
            "ratio": Irrelevant("of training, which is refused"),
        },
        outputs={"output": HONOURED, "mask": Unread("only the data")},
        attributes={
            "ratio": Irrelevant("of training, which these versions do not have"),
            "seed": Irrelevant("of training, which is refused"),
        },
        types=ANY,
    ),
    "Cast": Declaration(
        inputs=honoured("input"),
        outputs=honoured("output"),
        attributes={"to": HONOURED, "saturate": _OF_FLOAT8, "round_mode": _OF_FLOAT8},
        types=ANY,
    ),
    "Constant": Declaration(
        inputs={},
        outputs=honoured("output"),
        attributes={
            **honoured("value", "value_float", "value_floats", "value_int", "value_ints"),
            "sparse_value": Refused("dense numbers"),
            "value_string": Refused("numbers"),
            "value_strings": Refused("numbers"),
        },
        types=(),
    ),
    "Shape": _plain("data", "shape", "start end"),
    "Concat": _plain("inputs", "concat_result", "axis"),
    "Gather": _plain("data indices", "output", "axis"),
    "Slice": Declaration(
        inputs=honoured("data", "starts", "ends", "axes", "steps"),
        outputs=honoured("output"),
        attributes=honoured("starts", "ends", "axes"),
    ),
    "Split": Declaration(
        inputs=honoured("input", "split"),
        outputs=honoured("outputs"),
        attributes=honoured("axis", "split", "num_outputs"),
    ),
    "Pow": _plain("X Y", "Z", types=()),
    **dict.fromkeys(("Sqrt", "Abs", "Reciprocal"), _plain(types=())),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _scores("input", "output")),
    "Sigmoid": _plain(),
    "ArgMax": _scores("data", "reduced", keepdims=_SHAPE_ONLY, select_last_index=Only(0)),
    "TopK": Declaration(
        inputs=honoured("X", "K"),
        outputs=honoured("Values", "Indices"),
        attributes={**honoured("axis", "k"), "largest": Only(1), "sorted": Only(1)},
    ),
}
