"""The coverage that random cases are to have: points with their bins, crosses of them, and what is waived."""

from dataclasses import dataclass

_RELATIONS = ("fewer", "as many", "a multiple", "a remainder")
_WIDTHS = tuple(range(1, 9))

# point: its bins.
POINTS = {
    "weight_bits": _WIDTHS,
    "activation_bits": _WIDTHS,
    "code_bits": _WIDTHS,
    "encoding": ("bipolar", "unsigned", "twos_complement"),
    "kernel": ("1x1", "2x2", "3x3", "larger square", "row", "column", "rectangle", "fully connected"),
    "stride": ("1", "2", "3", "unequal"),
    "dilation": ("1", "2", "3", "unequal"),
    "padding": ("none", "top", "left", "bottom", "right"),
    "groups": ("one", "several", "depthwise"),
    "merged": ("as they are", "merged"),
    "passes": ("one", "several"),
    "pooling": (
        "none",
        "max",
        "overlapping max",
        "padded max",
        "overlapping padded max",
        "average",
        "overlapping average",
        "average_codes",
        "overlapping average_codes",
    ),
    "lanes": _RELATIONS,
    "rows": _RELATIONS,
    "line": _RELATIONS,
    "slope": ("rising", "constant", "falling"),
    "saturation": ("every value", "no value", "between"),
    "trunk": ("none", "begins", "begins and keeps", "adds", "adds and keeps"),
    "engine_encoding": ("bipolar", "unsigned", "twos_complement", "any"),
    "quantizer": ("thresholds", "affine"),
    "columns": (1, 2, 3, 4),
    "engines": (1, 2, 3, 4),
    "weights": ("onchip", "stream"),
    "trunks": ("none", "onchip", "stream"),
    "results": ("single", "wide"),
    "column_reads": ("separate", "shared"),
    "port_bytes": (1, 2, 4, 8),
    "plane_groups": ("1", "2", "more"),
    "pieces": ("1", "2", "more"),
    "slots": (2, 4),
    "prefetch": (0, 1),
    "structure": ("compress", "sum"),
    "pipeline": ("none", "level"),
    "stalls": ("none", "few", "some", "many"),
    "latency": ("none", "short", "long"),
    "reset": ("none", "loading", "computing"),
    "loading": ("direct", "host port"),
    "job": ("forward", "input", "P", "B"),
    "job_weight_bits": _WIDTHS,
    "job_activation_bits": _WIDTHS,
    "job_gradient_bits": _WIDTHS,
    "job_stalls": ("none", "some"),
    "job_weights": ("onchip", "stream"),
    "job_engines": (1, 2),
    "job_groups": ("one", "several"),
    "job_stride": ("1", "2", "3", "unequal"),
    "job_padding": ("none", "some"),
}

# Every combination of the bins of these points.
CROSSES = (
    ("weight_bits", "activation_bits"),
    ("weight_bits", "encoding"),
    ("encoding", "engine_encoding"),
    ("kernel", "stride"),
    ("kernel", "padding"),
    ("kernel", "groups"),
    ("stride", "padding"),
    ("stride", "columns"),
    ("padding", "columns"),
    ("groups", "columns"),
    ("groups", "engines"),
    ("pooling", "columns"),
    ("pooling", "quantizer"),
    ("lanes", "columns"),
    ("lanes", "engines"),
    ("rows", "engines"),
    ("line", "columns"),
    ("slope", "quantizer"),
    ("slope", "encoding"),
    ("saturation", "quantizer"),
    ("code_bits", "quantizer"),
    ("columns", "engines"),
    ("columns", "results"),
    ("columns", "column_reads"),
    ("engines", "results"),
    ("weights", "trunks"),
    ("weights", "columns"),
    ("weights", "engines"),
    ("weights", "stalls"),
    ("weights", "reset"),
    ("trunks", "stalls"),
    ("trunks", "reset"),
    ("stalls", "reset"),
    ("stalls", "results"),
    ("reset", "columns"),
    ("reset", "prefetch"),
    ("plane_groups", "columns"),
    ("plane_groups", "port_bytes"),
    ("job", "job_stalls"),
    ("job", "job_weights"),
    ("job", "job_engines"),
    ("job", "job_groups"),
    ("job", "job_stride"),
    ("job", "job_padding"),
)


# What the cases of make test and make test-long do not have: the soak's part.
LATER = {
    "pooling": (
        "padded max",
        "overlapping padded max",
        "average_codes",
        "overlapping average_codes",
    ),
    "engine_encoding": ("unsigned",),
    "columns": (3,),
    "engines": (4,),
    "port_bytes": (2,),
    "plane_groups": ("more",),
    "job_weights": ("onchip",),
    "job_engines": (1,),
    "job_stride": ("3",),
}


@dataclass(frozen=True)
class Waiver:
    """Bins that nobody has to reach: those with one of the values of every point in `when`; `because`."""

    when: dict
    because: str

    def covers(self, values):
        """Whether the bin with these {point: value} is one of them."""
        return all(values.get(point) in accepted for point, accepted in self.when.items())


WAIVERS = (
    Waiver(
        {"engine_encoding": ("bipolar",), "encoding": ("unsigned", "twos_complement")},
        "XNOR products: the engine accepts bipolar weights only",
    ),
    Waiver(
        {"engine_encoding": ("unsigned",), "encoding": ("bipolar", "twos_complement")},
        "no plane counts negatively: the engine accepts unsigned weights only",
    ),
    Waiver(
        {"engine_encoding": ("twos_complement",), "encoding": ("bipolar",)},
        "AND products without the activation-sum row: the engine does not accept bipolar weights",
    ),
    Waiver(
        {"kernel": ("fully connected",), "stride": ("2", "3", "unequal")},
        "a fully connected layer has one window",
    ),
    Waiver(
        {"kernel": ("fully connected",), "padding": ("top", "left", "bottom", "right")},
        "a fully connected layer has no padding",
    ),
    Waiver(
        {"kernel": ("fully connected",), "groups": ("several", "depthwise")},
        "a fully connected layer has one group",
    ),
    Waiver(
        {"columns": (1,), "line": ("fewer", "a remainder")},
        "no line is shorter than one column, and none leaves a remainder",
    ),
    Waiver({"columns": (1,), "column_reads": ("shared",)}, "one column has nothing to share"),
)


@dataclass(frozen=True)
class Bin:
    """`values` of one or two points, as {point: value}."""

    values: tuple

    def __str__(self):
        return ", ".join(f"{point} {value}" for point, value in self.values)


def declared(points=POINTS, crosses=CROSSES):
    """Every bin of the table, waived ones too."""
    for point, own in points.items():
        yield from (Bin(((point, value),)) for value in own)
    for first, second in crosses:
        yield from (Bin(((first, one), (second, two))) for one in points[first] for two in points[second])
