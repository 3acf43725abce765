"""From a lowered network to the program and memory images of one engine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dorefa.golden.affine import affine_form
from dorefa.golden.errors import InputError

from . import cycles, program
from .affine_quantizer import AffineQuantizer
from .geometry import LayerGeometry
from .memory_map import MemoryMap
from .problems import find_problems, raw_range, xnor_constants


@dataclass(frozen=True, kw_only=True)
class CompiledLayer:
    """Where a layer's codes lie, and what it should cost.

    `out_address` is the first feature-memory word of its output map of `out_shape` (H, W, C) and
    `out_bits` planes (None for the last layer, whose results leave the engine). `binary_ops` counts
    one AND and one count of a bit as one.
    """

    name: str
    out_address: int
    out_shape: tuple[int, int, int]
    out_bits: int | None
    binary_ops: int
    cycles: int
    bound: int
    bound_by: str


class CompiledNetwork:
    """A network on one engine: `config`, `network` (the integer network), `layers`, `memories`.

    `memories` has ``program`` (32-bit words), ``weights`` (per row, words of `lanes` bits), ``params``
    (per parameter memory, words) and ``registers`` (layers, image_bytes, control). Every list is
    only as long as the network needs.
    """

    def __init__(self, network, config, layers, memories):
        self.network = network
        self.config = config
        self.layers = layers
        self.memories = memories

    def host_writes(self):
        """Yields (word address, 32-bit word) pairs that load the network through the host port; the
        last one enables the engine."""
        memory_map = MemoryMap.of(self.config)
        for address, word in enumerate(self.memories["program"]):
            yield from memory_map.writes(memory_map.program, 0, address, word)
        for window, images in (
            (memory_map.weights, self.memories["weights"]),
            (memory_map.params, self.memories["params"]),
        ):
            for number, words in enumerate(images):
                for address, word in enumerate(words):
                    yield from memory_map.writes(window, number, address, word)
        yield from self.register_writes()

    def register_writes(self):
        """The last part of :meth:`host_writes`: the registers alone."""
        from .memory_map import REGISTERS

        for name in ("layers", "image_bytes", "control"):
            yield REGISTERS[name][0], self.memories["registers"][name]

    @cached_property
    def cycles(self) -> int:
        """Predicted cycles per image."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits that the network fills of each memory of the engine."""
        params = MemoryMap.of(self.config).params
        return {
            "program": 32 * len(self.memories["program"]),
            "weights": self.config.lanes * sum(map(len, self.memories["weights"])),
            "params": params.width * sum(map(len, self.memories["params"])),
        }


def compile_network(network, config) -> CompiledNetwork:
    """Program and memory images that run `network` (:class:`IntegerNetwork`) on an engine of `config`.

    Raises :class:`InputError` with the first problem; :func:`dorefa.hw.problems.find_problems` lists
    them all.
    """
    problems = find_problems(network, config)
    if problems:
        raise InputError(problems[0])
    predicted = cycles.predict(network.layers, config)
    in_address, weight_base, param_base = 0, 0, 0
    words, layers = [], []
    weights = [[] for _ in range(config.rows)]
    params = [[] for _ in range(MemoryMap.of(config).params.memories)]
    for index, layer in enumerate(network.layers):
        geometry = LayerGeometry.of(layer, config)
        last = index == len(network.layers) - 1
        # Maps lie at the two ends of the memory in turn.
        map_words = -(-math.prod(layer.out_shape) // config.fetch_bits)
        out_address = 0 if index % 2 or last else config.feature_depth - map_words
        values = _descriptor(
            layer, geometry, config, in_address=in_address, out_address=out_address,
            weight_base=weight_base, param_base=param_base, last=last,
        )  # fmt: skip
        words += program.encode(config, layer.name, values)
        for row, image in enumerate(_weight_words(layer, geometry)):
            weights[row] += image
        _append_params(params, param_base, layer, geometry, config)
        weight_base += geometry.weight_words
        param_base += geometry.pixel_groups
        layers.append(
            CompiledLayer(
                name=layer.name, out_address=out_address, out_shape=layer.out_shape,
                out_bits=layer.out_bits, binary_ops=layer.macs * layer.w_bits * layer.a_bits,
                cycles=predicted[index].cycles, bound=geometry.bound,
                bound_by=predicted[index].bound_by,
            )
        )  # fmt: skip
        in_address = out_address
    registers = {
        "layers": len(layers),
        "image_bytes": math.prod(network.input_shape),
        "control": 1,
    }
    memories = {"program": words, "weights": weights, "params": params, "registers": registers}
    return CompiledNetwork(network, config, tuple(layers), memories)


def _descriptor(layer, geometry, config, *, in_address, out_address, weight_base, param_base, last):
    """Values of the program fields of one layer."""
    in_rows, in_cols, channels = layer.in_shape
    row_bits = in_cols * channels
    stride_y, stride_x = layer.stride
    pool_rows, pool_cols = geometry.pool_kernel
    pool_y, pool_x = geometry.pool_stride
    kernel_rows, runs_per_row, run_bits = geometry.runs
    top, left = layer.padding[:2]
    return {
        "y_start": -top,
        "address_start": in_address * config.fetch_bits - top * row_bits,
        "x_start": -left * channels,
        "in_rows": in_rows,
        "row_bits": run_bits if geometry.whole_window_is_one_run else row_bits,
        "pixel_x_step": _step(layer.out_shape[1], pool_x * stride_x * channels),
        "pixel_y_step": _step(layer.out_shape[0], pool_y * stride_y),
        "pixel_address_step": pool_y * stride_y * row_bits,
        "window_x_step": _step(pool_cols, stride_x * channels),
        "window_y_step": _step(pool_rows, stride_y),
        "window_address_step": stride_y * row_bits,
        "kernel_y_step": _step(kernel_rows, layer.dilation[0]),
        "kernel_address_step": layer.dilation[0] * row_bits,
        "run_step": _step(runs_per_row, layer.dilation[1] * channels),
        "group_step": channels // layer.groups,
        "run_bits": run_bits,
        "kernel_rows": kernel_rows,
        "runs_per_row": runs_per_row,
        "pool_rows": pool_rows,
        "pool_cols": pool_cols,
        "groups": layer.groups,
        "out_cols": layer.out_shape[1],
        "sets": geometry.sets,
        "last_cols": geometry.pixels - (geometry.sets - 1) * config.cols,
        "words": geometry.words,
        "tiles": geometry.tiles,
        "weight_planes": layer.w_bits,
        "activation_planes": layer.a_bits,
        "weight_top": weight_base + (layer.w_bits - 1) * geometry.words,
        "tile_step": _step(layer.groups * geometry.tiles, layer.w_bits * geometry.words),
        "signed_weights": layer.encoding == "twos_complement",
        "drain_full": config.cols * geometry.full_groups,
        "drain_last": config.cols * geometry.last_groups,
        "bipolar_sum": layer.encoding == "bipolar" and not config.xnor,
        "raw": last,
        "full_groups": geometry.full_groups,
        "last_groups": geometry.last_groups,
        "full_count": config.rows - (geometry.full_groups - 1) * config.quant,
        "last_count": geometry.last_rows - (geometry.last_groups - 1) * config.quant,
        "param_base": param_base,
        "code_mask": 0 if last else (1 << layer.out_bits) - 1,
        "out_address": out_address,
    }


def _step(count, distance):
    """Distance between `count` neighbors; 0, which fits any field, where there are none."""
    return distance if count > 1 else 0


def _weight_words(layer, geometry):
    """Per row, the words of one layer: channel group, tile, plane, word; unused lanes and rows 0."""
    codes = layer.codes.reshape(layer.groups, geometry.group_channels, geometry.reduction)
    padded = np.zeros(
        (layer.groups, geometry.tiles * geometry.rows, geometry.words * geometry.lanes), np.uint8
    )
    padded[:, : geometry.group_channels, : geometry.reduction] = codes
    planes = (padded[..., None] >> np.arange(layer.w_bits, dtype=np.uint8)) & 1
    # group, tile, row, word, lane, plane -> row, group, tile, plane, word, lane
    planes = planes.reshape(
        layer.groups, geometry.tiles, geometry.rows, geometry.words, geometry.lanes, layer.w_bits
    ).transpose(2, 0, 1, 5, 3, 4)
    packed = np.packbits(planes.reshape(-1, geometry.lanes), axis=1, bitorder="little")
    words = [int.from_bytes(row.tobytes(), "little") for row in packed]
    return [
        words[row * geometry.weight_words : (row + 1) * geometry.weight_words]
        for row in range(geometry.rows)
    ]


def _channel_groups(layer, geometry):
    """Output channels of every quantizer group of a pixel, in drain order."""
    for group in range(layer.groups):
        for tile in range(geometry.tiles):
            first = group * geometry.group_channels + tile * geometry.rows
            end = min(first + geometry.rows, (group + 1) * geometry.group_channels)
            for channel in range(first, end, geometry.quant):
                yield range(channel, min(channel + geometry.quant, end))


def _append_params(params, base, layer, geometry, config):
    """Adds a layer's parameter words to the memories' images."""
    constants = xnor_constants(layer, geometry) if config.xnor else np.zeros(len(layer.codes), int)
    groups = list(_channel_groups(layer, geometry))
    if layer.out_bits is None:
        rows = [
            _raw_params(layer, channel, int(constant), config)
            for channel, constant in enumerate(constants)
        ]
    elif config.quantizer == "affine":
        rows = _affine_params(layer, constants, config)
    else:
        rows = _threshold_params(layer, geometry, constants, config)
    stages = len(params) // config.quant
    for lane in range(config.quant):
        for stage in range(stages):
            image = params[lane * stages + stage]
            image += [0] * ((base << stage) - len(image))
            for channels in groups:
                if lane < len(channels):
                    image += rows[channels[lane]][stage]
                else:
                    image += [0] * (1 << stage)


def _raw_params(layer, channel, constant, config):
    """Parameters of a channel of the last layer: the constant that its accumulator lacks."""
    if config.quantizer == "affine":
        return [[_affine_word(layer, channel, config, b=constant)]]
    mask = (1 << config.acc_bits) - 1
    return [[constant & mask], *([0] * (1 << stage) for stage in range(1, config.out_bits))]


def _threshold_params(layer, geometry, constants, config):
    """Per channel and stage of the binary search, its thresholds."""
    least, greatest = raw_range(layer, geometry, config)
    never = greatest + 1
    used = layer.thresholds.shape[1]
    codes = 1 << config.out_bits
    mask = (1 << config.acc_bits) - 1
    rows = []
    for channel, thresholds in enumerate(layer.thresholds):
        # One beyond what this channel's counts reach may lie beyond the width as well.
        stored = (thresholds - constants[channel]).clip(least, never)
        # thresholds of codes 1, 2, ...; index 0 is not a threshold
        level = [0, *(int(t) & mask for t in stored)]
        level += [never & mask] * (codes - 1 - used)
        stages = []
        for stage in range(config.out_bits):
            step = codes >> (stage + 1)
            stages.append([level[(2 * bits + 1) * step] for bits in range(1 << stage)])
        if layer.inverted[channel]:
            stages[0][0] |= 1 << config.acc_bits
        rows.append(stages)
    return rows


def _affine_params(layer, constants, config):
    """Per channel, one word of the affine quantizer."""
    form = affine_form(layer, config.mul_bits)
    rows = []
    for channel, constant in enumerate(constants):
        m, b, f, tie = (int(values[channel]) for values in (form.m, form.b, form.f, form.tie))
        b += m * int(constant)
        invert = int(layer.inverted[channel])
        rows.append([[_affine_word(layer, channel, config, m=m, b=b, f=f, tie=tie, invert=invert)]])
    return rows


def _affine_word(layer, channel, config, *, b, f=0, **fields):
    """A word of the affine quantizer; `m` is known to fit."""
    limit = 1 << (config.bias_bits - 1)
    if f >= 1 << config.shift_bits or not -limit <= b < limit:
        raise InputError(
            f"layer {layer.name} channel {channel}: affine offset b = {b} and shift f = {f} do "
            f"not fit bias_bits = {config.bias_bits} and shift_bits = {config.shift_bits}; "
            "accepted: wider ones, or quantizer thresholds"
        )
    return AffineQuantizer.param_layout(config).const({"b": b, "f": f, **fields}).as_value().value
