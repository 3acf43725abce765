"""What to do about an operator that is not understood, by its kind."""

from typing import NoReturn

from ..file.graph import Node

_DOCS = "the operators in docs/qonnx.md"
# (operators, problem, what is accepted)
_KINDS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        (
            "DynamicQuantizeLinear",
            "QLinearMul",
            "QLinearSigmoid",
            "QLinearSoftmax",
            "QLinearReduceMean",
        ),
        "is integer ONNX of a kind that is not computed",
        "QuantizeLinear and DequantizeLinear around operators on floats (onnxruntime: QuantFormat.QDQ)",
    ),
    (
        ("FloatQuant",),
        "quantizes to floating point",
        "quantizers to integers (Quant, BipolarQuant)",
    ),
    (
        ("Sin", "Cos", "Abs", "Mish", "Swish", "Gelu", "QuickGelu", "HardSwish", "Elu", "Selu", "Celu"),
        "is not monotone",
        "monotone operators between two quantizers (Relu, LeakyRelu, PRelu, Clip): "
        "train with one of them as activation",
    ),
    (
        ("HardSigmoid", "Tanh", "Erf", "Exp", "Log", "Softplus", "Softsign", "ThresholdedRelu", "Sign"),
        "has no exact form in rational numbers",
        "Relu, LeakyRelu, PRelu, Clip or a quantizer: train with one of them as activation",
    ),
    (
        (
            "LayerNormalization",
            "InstanceNormalization",
            "GroupNormalization",
            "LpNormalization",
            "LRN",
            "Attention",
            "MultiHeadAttention",
            "Einsum",
        ),
        "depends on statistics or products of the activations",
        "BatchNormalization with stored statistics, layers with constant weights",
    ),
    (
        ("MaxUnpool", "GridSample", "Col2Im", "AffineGrid", "RoiAlign", "MaxRoiPool"),
        "moves pixels by more than whole blocks",
        "Resize (nearest, whole factors), ConvTranspose, DepthToSpace: cut the file in front of it and run "
        "the rest elsewhere",
    ),
    (
        ("SplitToSequence", "GatherND", "GatherElements", "Expand", "Tile", "Where"),
        "takes maps apart or puts them together",
        "Add and Concat of maps, Slice, Gather and Split; on shapes and constants: export with constant "
        "folding and fixed sizes",
    ),
    (
        ("NonZero", "Range", "ConstantOfShape", "Size", "OneHot", "ScatterND", "Compress", "Unique"),
        "computes shapes or constants in the graph",
        "a file with constants folded and fixed sizes (do_constant_folding, onnxsim)",
    ),
    (
        ("Pow", "Sqrt", "Reciprocal"),
        "reads the image or a feature map",
        "constants as its inputs",
    ),
    (
        ("LSTM", "GRU", "RNN", "Loop", "If", "Scan", "SequenceMap"),
        "has state or branches",
        "feed-forward networks: export the graph unrolled",
    ),
)


def refuse_operator(node: Node) -> NoReturn:
    """Refuses a node whose operator is not understood, with what to do for its kind."""
    if "fpgadataflow" in node.domain:
        node.refuse("is a layer of generated hardware", "the file before its layers became hardware")
    for operators, problem, accepted in _KINDS:
        if node.op in operators:
            node.refuse(problem, accepted)
    where = f" of the domain {node.domain}" if node.domain else ""
    node.refuse(f"is an operator{where} that is not supported", _DOCS)
