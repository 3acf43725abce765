"""The layer descriptor: which fields a layer's program holds, and where they lie in its words."""

from amaranth import signed, unsigned
from amaranth.lib import data

from dorefa.golden.errors import InputError

from .geometry import pool_spacing

WORD_BITS = 32
SIZE_BITS = 10  # rows or columns of a feature map
KERNEL_BITS = 6  # rows or columns of a kernel or a pooling window
# Signed, and two more than the position within the period of a pooling window.
PHASE_BITS = KERNEL_BITS + 3


def fields(config):
    """Field name -> shape, in the order in which they lie in the program.

    Every address of the window reader is the address of a bit within one plane, modulo the
    address space, so that strides may be negative and padding may start outside of the map.
    """
    address = unsigned(config.feature_address_bits)
    offset = signed(config.feature_address_bits + 2)
    size = unsigned(SIZE_BITS)
    row = signed(SIZE_BITS + 2)
    kernel = unsigned(KERNEL_BITS)
    weight = unsigned(max(1, (config.weight_depth - 1).bit_length()))
    words = unsigned(config.patch_depth.bit_length())
    channel_groups = unsigned(config.param_depth.bit_length())
    groups_per_tile = -(-config.rows // config.quant)
    tile_groups = unsigned(groups_per_tile.bit_length())
    drain = unsigned((groups_per_tile * config.cols + pool_spacing(config)).bit_length())
    planes = unsigned(4)
    return {
        # window reader: origin of the first window, the map's extent
        "y_start": row,
        "address_start": address,
        "x_start": offset,
        "in_rows": size,
        "row_bits": unsigned(config.feature_address_bits + 1),
        # window reader: from the last run of a kernel row, block, channel group, pixel or line of pixels,
        # and from any other run, to the next one
        "run_step": offset,
        "row_x_step": offset,
        "row_address_step": address,
        "kernel_y_step": row,
        "block_address_step": address,
        "window_y_step": row,
        "group_x_step": offset,
        "group_address_step": address,
        "pixel_x_step": offset,
        "pixel_address_step": address,
        "line_x_step": offset,
        "line_address_step": address,
        "line_y_step": row,
        **(_columns(offset, address) if config.cols > 1 else {}),
        "run_bits": unsigned(config.feature_address_bits + 1),
        "kernel_rows": kernel,
        "runs_per_row": kernel,
        "blocks": size,
        **({"plane_blocks": unsigned(1)} if config.plane_groups > 1 else {}),
        "groups": channel_groups,
        "out_cols": size,
        "out_rows": size,
        # compute
        "words": words,
        "last_word": words,
        "tiles": channel_groups,
        "weight_planes": planes,
        "activation_planes": planes,
        **({"weight_words": unsigned(config.weight_depth.bit_length())}
           if config.weights == "stream" else {}),
        "weight_top": weight,
        "tile_step": weight,
        "signed_weights": unsigned(1),
        **(_signed_codes(config) if config.signed_codes else {}),
        "drain_full": drain,
        "drain_last": drain,
        # drain, quantizer, plane packer
        "bipolar_sum": unsigned(1),
        "raw": unsigned(1),
        "ends_image": unsigned(1),
        "full_groups": tile_groups,
        "last_groups": tile_groups,
        "full_count": unsigned(config.total_quant.bit_length()),
        "last_count": unsigned(config.total_quant.bit_length()),
        "pixel_groups": unsigned(config.pool_depth.bit_length()),
        **_pooling(config),
        **(_trunk(config) if config.trunk_bits else {}),
        "param_base": unsigned(max(1, (config.param_depth - 1).bit_length())),
        "code_mask": unsigned(config.out_bits),
        "out_address": unsigned((config.feature_depth - 1).bit_length()),
    }


def _columns(offset, address):
    """From the last run of a pixel to the next column's, in the same line of pixels or the next."""
    return {
        "column_x_step": offset,
        "column_address_step": address,
        "column_line_x_step": offset,
        "column_line_address_step": address,
    }


def _pooling(config):
    """Pooling windows: kernel, period (distance of windows that share a slot), whether either is 1, slot of
    the last window; of the axis' first pixel, per slot, the phase (two more than its place in the period,
    which is negative before the first window) and whether a window or the period ends there."""
    result = {"pool": unsigned(1)}
    if config.sum_values:
        result["pool_values"] = unsigned(1)
    if config.sum_codes:
        result["pool_sums"] = unsigned(1)
    for axis in "xy":
        result |= {
            f"pool_{axis}_kernel": unsigned(KERNEL_BITS),
            f"pool_{axis}_period": unsigned(PHASE_BITS - 1),
            f"pool_{axis}_one": unsigned(1),
            f"pool_{axis}_every": unsigned(1),
            f"pool_{axis}_slot": unsigned(max(1, (config.pool_slots - 1).bit_length())),
        }
        for slot in range(config.pool_slots):
            result |= {
                f"pool_{axis}_phase_{slot}": signed(PHASE_BITS),
                f"pool_{axis}_closes_{slot}": unsigned(1),
                f"pool_{axis}_wraps_{slot}": unsigned(1),
            }
    return result


def _signed_codes(config):
    """Whether the codes read are two's complement; and from a pooled count to the stored code: twice the
    count or once, plus an offset, as many bits as the mask has."""
    return {
        "signed_activations": unsigned(1),
        "code_double": unsigned(1),
        "code_offset": unsigned(config.out_bits),
        "stored_mask": unsigned(config.out_bits),
    }


def _trunk(config):
    """Residual trunk: whether accumulators are rescaled, nothing but the trunk is wanted, a stored trunk
    is added, the sum is stored; where, and how far behind that the sum goes."""
    address = unsigned(max(1, (config.trunk_depth - 1).bit_length()))
    return {
        "rescale": unsigned(1),
        "trunk_only": unsigned(1),
        "trunk_add": unsigned(1),
        "trunk_store": unsigned(1),
        "trunk_shift": unsigned(5),
        "trunk_address": address,
        "trunk_address_offset": address,
        "trunk_address_step": address,
    }


def layout(config):
    """The descriptor as the components see it."""
    return data.StructLayout(fields(config))


def placement(config):
    """Field name -> (word, lowest bit): fields in order, none across two words."""
    places, word, bit = {}, 0, 0
    for name, shape in fields(config).items():
        if bit + shape.width > WORD_BITS:
            word, bit = word + 1, 0
        places[name] = (word, bit)
        bit += shape.width
    return places


def words_per_layer(config):
    """32-bit words of one layer's descriptor."""
    return max(word for word, _ in placement(config).values()) + 1


def encode(config, layer_name, values):
    """The descriptor `values` (one int per field) as 32-bit words.

    Raises :class:`InputError` that names the layer and field when a value does not fit; addresses
    are taken modulo the address space.
    """
    shapes = fields(config)
    words = [0] * words_per_layer(config)
    for name, (word, bit) in placement(config).items():
        shape, value = shapes[name], int(values[name])
        if name.endswith(("address_step", "address_start", "address_offset")):
            value %= 1 << shape.width
        least = -(1 << (shape.width - 1)) if shape.signed else 0
        greatest = (1 << (shape.width - shape.signed)) - 1
        if not least <= value <= greatest:
            raise InputError(
                f"layer {layer_name}: program field {name} = {value} does not fit its "
                f"{shape.width} bits; accepted: {least} to {greatest}"
            )
        words[word] |= (value & ((1 << shape.width) - 1)) << bit
    return words
