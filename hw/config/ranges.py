"""What every engine parameter accepts by itself: the range of a number, the choice of names."""

from dorefa.golden.errors import InputError
from dorefa.golden.reading import shown

STRUCTURES = ("compress", "sum", "mapped")
# The index is the number of levels from one register to the next.
PIPELINES = ("none", "level", "level2", "level3", "level4")

CHOICES = {
    "encoding": ("bipolar", "twos_complement", "unsigned", "any"),
    "quantizer": ("thresholds", "affine"),
    "structure": STRUCTURES,
    "pipeline": PIPELINES,
    "weights": ("onchip", "stream"),
    "trunks": ("onchip", "stream"),
    "column_reads": ("separate", "shared"),
    "results": ("single", "wide"),
    "checks": ("full", "basic", "none"),
}

# name: (least, greatest, unit)
RANGES = {
    "lanes": (8, 1024, "bits of the reduction per cycle"),
    "rows": (1, 256, "output channels in parallel"),
    "cols": (1, 16, "output pixels in parallel"),
    "w_bits": (1, 8, "bits of the widest weight"),
    "a_bits": (1, 16, "bits of the widest activation the engine reads"),
    "out_bits": (1, 16, "bits of the widest activation the engine writes"),
    "plane_groups": (1, 8, "groups of activation planes that are read one after another"),
    "engines": (1, 4, "engines that compute different channels of the same pixels"),
    "quant": (1, 64, "channels quantized per cycle"),
    "fetch_bits": (8, 1024, "bits of a feature-memory word, per plane"),
    "acc_bits": (4, 48, "bits of a signed accumulator"),
    "mul_bits": (1, 48, "bits of an affine multiplier"),
    "bias_bits": (2, 96, "bits of a signed affine offset"),
    "shift_bits": (1, 6, "bits of an affine shift amount"),
    "weight_depth": (1, 1 << 20, "words of `lanes` bits per row"),
    "feature_depth": (2, 1 << 22, "words of `fetch_bits` bits per plane"),
    "image_depth": (2, 1 << 22, "words of `fetch_bits` bits per plane read by the first layer only"),
    "patch_depth": (1, 1 << 12, "words of `lanes` bits per patch"),
    "patch_slots": (2, 16, "patches in the patch buffer"),
    "image_patch_depth": (1, 1 << 12, "words of `lanes` bits per patch of the first layer"),
    "param_depth": (1, 1 << 16, "groups of `quant` channels of all layers"),
    "pool_depth": (1, 1 << 12, "groups of `quant` channels of one pixel"),
    "pool_slots": (1, 8, "pooling windows of one axis that overlap"),
    "line_depth": (1, 1 << 20, "groups of `quant` channels of one row of pooled pixels"),
    "sum_values": (0, 1, "whether accumulators can be summed over pooling windows"),
    "sum_codes": (0, 1, "whether codes can be summed over pooling windows"),
    "signed_codes": (0, 1, "whether activations can be two's complement"),
    "trunk_bits": (0, 32, "bits of a signed residual trunk, 0 for none"),
    "trunk_depth": (1, 1 << 20, "groups of `quant` channels of residual trunks, or of their streams' queues"),
    "trunk_mul_bits": (2, 24, "bits of the signed multiplier that rescales into a trunk"),
    "trunk_bias_bits": (2, 64, "bits of the signed offset that rescales into a trunk"),
    "layer_depth": (1, 4096, "passes of a program: layers, or parts of layers"),
    "size_bits": (10, 16, "bits of the rows and columns of a map"),
    "kernel_bits": (6, 12, "bits of the rows and columns of a kernel or pooling window"),
    "row_steps": (0, 1, "whether a pass may leave out rows of the map that it writes"),
    "prefetch": (0, 1, "whether the next pass's descriptor is fetched while one runs"),
    "port_bytes": (1, 64, "bytes per beat of the image port"),
    "batch": (1, 64, "images per packet"),
    "training": (0, 1, "whether the engine runs the jobs of training steps"),
}


def check_parameter(name: str, value: object) -> None:
    """Raises :class:`InputError` unless `value` is what engine parameter `name` accepts by itself."""
    (check_choice if name in CHOICES else check_range)(name, value)


def check_range(name: str, value: object) -> None:
    """Raises :class:`InputError` unless `value` is an integer that engine parameter `name` accepts."""
    least, greatest, unit = RANGES[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{name} is {shown(value)}; accepted: an integer, {least} to {greatest} ({unit})")
    if not least <= value <= greatest:
        raise InputError(f"{name} is {shown(value)}; accepted: {least} to {greatest} ({unit})")


def check_choice(name: str, value: object) -> None:
    """Raises :class:`InputError` unless `value` is a name that engine parameter `name` accepts."""
    if value not in CHOICES[name]:
        raise InputError(f"{name} is {shown(value)}; accepted: {', '.join(CHOICES[name])}")
