"""The descriptor of one pass: what the program says to every part of the engine."""

from __future__ import annotations

from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from ..interface.readers import reader_of
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .geometry import PassGeometry
from .passes import Pass, row_words
from .schedule import Schedule


def descriptor(
    schedule: Schedule,
    number: int,
    config: EngineConfig,
    network: IntegerNetwork,
    *,
    weight_base: int,
    param_base: int,
) -> dict[str, int]:
    """Values of the program fields (:mod:`dorefa.hw.interface.program`) of pass `number` of a Schedule."""
    part = schedule.passes[number]
    layer = network.layers[part.layer]
    geometry = part.geometry
    values = _reader(part, schedule.addresses[layer.source + 1], config)
    values |= _compute(part, geometry, config, weight_base)
    values |= _drain(layer, geometry, config)
    values["ends_image"] = number == len(schedule.passes) - 1
    values |= _pooling(layer, geometry, config)
    values |= trunk_store(config).program_values(number, network, schedule)
    if config.signed_codes:
        bits = layer.out_bits or 0
        values |= {
            "signed_activations": layer.a_signed,
            "code_double": layer.code_step == 2,
            "code_offset": layer.code_offset % (1 << bits),
            "stored_mask": (1 << min(bits, config.out_bits)) - 1,
        }
    if config.training:
        values |= {"shared_weights": False, "bare_sums": False}
    values |= weight_source(config).program_values(geometry)
    out_address = 0
    layout = schedule.maps[part.layer]
    if layout is not None:
        apart = row_words(layer, layout, config.fetch_bits) or layout.block_words(config.fetch_bits)
        out_address = schedule.addresses[part.layer + 1] + part.part * apart
    if config.row_steps:
        words = row_words(layer, layout, config.fetch_bits)
        values |= {"row_words": max(words - 1, 0), "row_step": (layer.block[0] - 1) * words}
    return values | {
        "param_base": param_base,
        "code_mask": (1 << layer.code_bits) - 1 if layer.code_bits else 0,
        "out_address": out_address,
    }


def _reader(part: Pass, in_address: int, config: EngineConfig) -> dict[str, int]:
    """Window reader: where the first window lies, and its loops."""
    geometry, layer = part.geometry, part.geometry.layer
    source = geometry.source
    row_bits = layer.in_shape[1] * source.channels
    blocks, kernel_rows, runs_per_row, run_bits = geometry.runs
    top, left = layer.padding[:2]
    # A channel group is a part of each pixel, or several whole blocks.
    in_blocks = source.blocks > 1
    block_bits = source.block_words(config.fetch_bits) * config.fetch_bits
    group_x = 0 if in_blocks else geometry.block_channels
    group_address = geometry.source_blocks * block_bits if in_blocks else 0
    x_start = -left * source.channels + part.first_group * group_x
    return {
        "start_address_step": in_address * config.fetch_bits
        - top * row_bits
        + x_start
        + part.first_group * group_address,
        "start_y_step": -top,
        "start_x_step": x_start,
        **_run_steps(geometry, config, row_bits, block_bits, group_x, group_address),
        "in_rows": layer.in_shape[0],
        "row_bits": run_bits if geometry.whole_block_is_one_run else row_bits,
        "run_bits": run_bits,
        **reader_of(config).program_values(geometry),
        "run_rounds": runs_per_row,
        "row_rounds": kernel_rows,
        "block_rounds": source.plane_groups * blocks,
        "group_rounds": geometry.groups,
        "pixel_rounds": geometry.computed[1],
        "line_rounds": geometry.computed[0],
        **({"plane_blocks": source.plane_groups > 1} if config.plane_groups > 1 else {}),
        "groups": geometry.groups,
        "out_rows": geometry.computed[0],
        "out_cols": geometry.computed[1],
    }


def _run_steps(
    geometry: PassGeometry,
    config: EngineConfig,
    row_bits: int,
    block_bits: int,
    group_x: int,
    group_address: int,
) -> dict[str, int]:
    """How far it is from a run to the next one, whichever loop goes on: on the way back from the ends of
    the loops inside it, and one step further."""
    layer, channels = geometry.layer, geometry.source.channels
    blocks, kernel_rows, runs_per_row, _ = geometry.runs
    blocks *= geometry.source.plane_groups
    lines, pixels = geometry.computed
    run = _step(runs_per_row, layer.dilation[1] * channels)
    kernel_y, kernel_address = _step(kernel_rows, layer.dilation[0]), layer.dilation[0] * row_bits
    block = _step(blocks, block_bits)
    group_x = _step(geometry.groups, group_x)
    group = group_x + _step(geometry.groups, group_address)
    pixel = _step(pixels, layer.stride[1] * channels)
    line_y, line = _step(lines, layer.stride[0]), layer.stride[0] * row_bits
    row_end = (runs_per_row - 1) * run
    window_y = (kernel_rows - 1) * kernel_y
    block_end = row_end + (kernel_rows - 1) * kernel_address
    patch_end = block_end + (blocks - 1) * block
    line_end = (pixels - 1) * pixel
    groups_x, groups = (geometry.groups - 1) * group_x, (geometry.groups - 1) * group
    # With several columns, the next group starts from the set's first pixel, not from the last run.
    from_run = config.cols == 1
    # address, y, x
    steps = {
        "run": (run, 0, run),
        "row": (kernel_address - row_end, kernel_y, -row_end),
        "block": (block - block_end, -window_y, -row_end),
        "group": (
            group - from_run * patch_end,
            -from_run * window_y,
            group_x - from_run * row_end,
        ),
        "pixel": (pixel - patch_end - groups, -window_y, pixel - row_end - groups_x),
        "line": (line - line_end - patch_end - groups, line_y - window_y, -line_end - row_end - groups_x),
    }
    if config.cols > 1:
        steps["column"] = pixel - patch_end, -window_y, pixel - row_end
        steps["column_line"] = line - line_end - patch_end, line_y - window_y, -line_end - row_end
    if geometry.spacing:
        # Runs are where the set's first pixel's would be, also those of columns on the lines below.
        together, width = (count * geometry.spacing for count in (config.cols, pixels))
        far = together - patch_end - groups, -window_y, together - row_end
        steps["pixel"] = far
        steps["line"] = far[0] + line - width, line_y - window_y, far[2] - width
        steps["column"] = 0, 0, 0
        steps["column_line"] = line - width - patch_end, line_y - window_y, -width - row_end
    return {
        f"{move}_{part}_step": distance
        for move, distances in steps.items()
        for part, distance in zip(("address", "y", "x"), distances, strict=True)
    }


def _compute(part: Pass, geometry: PassGeometry, config: EngineConfig, weight_base: int) -> dict[str, int]:
    """Issue: the order of tiles, planes and words."""
    layer = geometry.layer
    return {
        "words": geometry.words,
        "last_word": geometry.words - 1,
        "tiles": geometry.tiles,
        "weight_planes": layer.w_bits,
        "activation_planes": layer.a_bits,
        "weight_top": weight_base + (layer.w_bits - 1) * geometry.words,
        "tile_step": _step(geometry.groups * geometry.tiles, layer.w_bits * geometry.words),
        "signed_weights": layer.encoding.signed_top,
        "drain_full": geometry.full_drain,
        "drain_last": geometry.last_drain,
    }


def _drain(layer: IntegerLayer, geometry: PassGeometry, config: EngineConfig) -> dict[str, int]:
    """Drain: how many channels the groups of a tile have."""
    return {
        "bipolar_sum": layer.encoding.corrected and not config.xnor,
        "raw": layer.is_result,
        "full_groups": geometry.full_groups,
        "last_groups": geometry.last_groups,
        "full_count": geometry.rows - (geometry.full_groups - 1) * geometry.quant,
        "last_count": geometry.last_rows - (geometry.last_groups - 1) * geometry.quant,
        "pixel_groups": geometry.pixel_groups,
    }


def _pooling(layer: IntegerLayer, geometry: PassGeometry, config: EngineConfig) -> dict[str, int]:
    """Pooling windows of both axes; without pooling every pixel is one."""
    pool = layer.pool
    values: dict[str, int] = {"pool": pool is not None and pool.kind != "average"}
    if config.sum_values:
        values["pool_values"] = pool is not None and pool.kind == "average"
    if config.sum_codes:
        values["pool_sums"] = pool is not None and pool.kind == "average_codes"
    for axis, number in (("y", 0), ("x", 1)):
        kernel = pool.kernel[number] if pool else 1
        padding = pool.padding[number] if pool else 0
        windows = layer.pooled_shape[number] if pool else geometry.computed[number]
        # Where there is one window only, the stride says nothing.
        stride = pool.stride[number] if pool and windows > 1 else 1
        # A slot begins anew with the next window's first pixel. Where none follows in any slot, that may be
        # further on than the windows are apart.
        period = max(stride * config.pool_slots, kernel)
        values |= {
            f"pool_{axis}_kernel": kernel,
            f"pool_{axis}_period": period,
            f"pool_{axis}_one": kernel == 1,
            f"pool_{axis}_every": period == 1,
            f"pool_{axis}_slot": (windows - 1) % config.pool_slots,
        }
        for slot in range(config.pool_slots):
            place = padding - slot * stride
            values |= {
                f"pool_{axis}_phase_{slot}": place + 2,
                f"pool_{axis}_closes_{slot}": place == kernel - 1,
                f"pool_{axis}_wraps_{slot}": place == period - 1,
            }
    return values


def _step(count: int, distance: int) -> int:
    """Distance between `count` neighbors; 0, which fits any field, where there are none."""
    return distance if count > 1 else 0
