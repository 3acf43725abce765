"""The layer descriptor: which fields a layer's program holds, and where they lie in its words.

It begins with a table of distances from each run of the window reader to the next one, as many words for
every move; the other fields follow, in order.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from amaranth import Shape, signed, unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import Out

from dorefa.golden.errors import InputError

from ..config.engine import EngineConfig, pool_spacing
from ..lib.lfsr_counter import loop_bits, loop_code
from .encodings import signed_code_fields
from .readers import reader_of
from .trunk_stores import trunk_store
from .weight_sources import weight_source

WORD_BITS = 32
# Least bits of the number of channel groups where there are jobs: theirs are input channels.
JOB_GROUP_BITS = 10


class Move(enum.Enum, shape=4):  # type: ignore[call-arg]  # to mypy the base is Any, without arguments
    """From a run to the next one: from the origin to a pass's first run; further in its kernel row; to the
    next one; to the window's next block; to the next channel group's window; to the next pixel's, or the next
    line of pixels', of the next set, and of the same set (column)."""

    START = 0
    RUN = 1
    ROW = 2
    BLOCK = 3
    GROUP = 4
    PIXEL = 5
    LINE = 6
    COLUMN = 7
    COLUMN_LINE = 8


def moves(config: EngineConfig) -> list[str]:
    """Names of an engine's moves in the order of their numbers."""
    names = [name.lower() for name in Move.__members__]
    return names if config.cols > 1 else names[: names.index("line") + 1]


def distance_fields(config: EngineConfig) -> dict[str, Shape]:
    """Part of a move's distance -> shape; address modulo the address space."""
    return {
        "address": unsigned(config.feature_address_bits),
        "y": signed(config.size_bits + 2),
        "x": signed(config.feature_address_bits + 2),
    }


def distance_words(config: EngineConfig) -> list[dict[str, int]]:
    """The words of one move's distance, a power of two of them: in each, part -> lowest bit."""
    words: list[dict[str, int]] = [{}]
    bit = 0
    for part, shape in distance_fields(config).items():
        if bit + shape.width > WORD_BITS:
            words.append({})
            bit = 0
        words[-1][part] = bit
        bit += shape.width
    return words + [{}] * ((1 << (len(words) - 1).bit_length()) - len(words))


def table_words(config: EngineConfig) -> int:
    """Words of a descriptor's table of distances, which it begins with."""
    return len(moves(config)) * len(distance_words(config))


def table_signature(config: EngineConfig) -> wiring.Signature:
    """Writes of the table of distances, the words as they lie in the program. The highest bit of `address`
    with `prefetch`: which half is written, also while `en` is low; the pass that runs reads the other."""
    return wiring.Signature(
        {
            "en": Out(1),
            "address": Out((table_words(config) - 1).bit_length() + config.prefetch),
            "data": Out(WORD_BITS),
        }
    )


def loops(config: EngineConfig) -> dict[str, int]:
    """Field name of each loop of the run generator -> the greatest number of its rounds. How pixels are
    counted is the reader's."""
    kernel, size = (1 << config.kernel_bits) - 1, (1 << config.size_bits) - 1
    groups = (1 << _group_bits(config)) - 1
    return {
        "run_rounds": kernel,
        "row_rounds": kernel,
        "block_rounds": size,
        "group_rounds": groups,
        **reader_of(config).loops(size),
        "line_rounds": size,
    }


def fields(config: EngineConfig) -> dict[str, Shape]:
    """Field name -> shape of what the components see of a descriptor (:func:`layout`), in order.

    Of jobs: `shared_weights`, whether every channel group has the weights of the first, and `bare_sums`,
    whether raw accumulators leave without the constants of their channels.

    Every address of the window reader is the address of a bit within one plane, modulo the
    address space, so that strides may be negative and padding may start outside of the map.
    """
    size = unsigned(config.size_bits)
    weight = unsigned(max(1, (config.weight_depth - 1).bit_length()))
    words = unsigned(config.patch_depth.bit_length())
    channel_groups = unsigned(_group_bits(config))
    groups_per_tile = -(-config.rows // config.quant)
    tile_groups = unsigned(groups_per_tile.bit_length())
    drain = unsigned((groups_per_tile * config.cols + pool_spacing(config)).bit_length())
    planes = unsigned(max(4, config.a_bits.bit_length()))
    return {
        # window reader: the map's extent, the length of a run
        "in_rows": size,
        "row_bits": unsigned(config.feature_address_bits + 1),
        "run_bits": unsigned(config.feature_address_bits + 1),
        **reader_of(config).program_fields(config),
        # run generator: rounds of its loops, as loop_code
        **{name: unsigned(loop_bits(most) + 1) for name, most in loops(config).items()},
        **({"plane_blocks": unsigned(1)} if config.plane_groups > 1 else {}),
        # compute
        "groups": channel_groups,
        "out_cols": size,
        "out_rows": size,
        "words": words,
        "last_word": words,
        "tiles": channel_groups,
        "weight_planes": planes,
        "activation_planes": planes,
        **weight_source(config).program_fields(config),
        "weight_top": weight,
        "tile_step": weight,
        **({"shared_weights": unsigned(1)} if config.training else {}),
        "signed_weights": unsigned(1),
        **(signed_code_fields(config) if config.signed_codes else {}),
        "drain_full": drain,
        "drain_last": drain,
        # drain, quantizer, plane packer
        "bipolar_sum": unsigned(1),
        "raw": unsigned(1),
        **({"bare_sums": unsigned(1)} if config.training else {}),
        "ends_image": unsigned(1),
        "full_groups": tile_groups,
        "last_groups": tile_groups,
        "full_count": unsigned(config.total_quant.bit_length()),
        "last_count": unsigned(config.total_quant.bit_length()),
        "pixel_groups": unsigned(config.pool_depth.bit_length()),
        **_pooling(config),
        **trunk_store(config).program_fields(config),
        "param_base": unsigned(max(1, (config.param_depth - 1).bit_length())),
        "code_mask": unsigned(config.out_bits),
        "out_address": unsigned((config.feature_depth - 1).bit_length()),
        **(_row_steps(config) if config.row_steps else {}),
    }


def _row_steps(config: EngineConfig) -> dict[str, Shape]:
    """Words of a row that is written, less one, and words from its end to the next one that is written."""
    words = unsigned((config.feature_depth - 1).bit_length())
    return {"row_words": words, "row_step": words}


def _group_bits(config: EngineConfig) -> int:
    """Bits of a number of tiles or channel groups."""
    return max(config.param_depth.bit_length(), JOB_GROUP_BITS if config.training else 0)


def _pooling(config: EngineConfig) -> dict[str, Shape]:
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
            f"pool_{axis}_kernel": unsigned(config.kernel_bits),
            f"pool_{axis}_period": unsigned(config.phase_bits - 1),
            f"pool_{axis}_one": unsigned(1),
            f"pool_{axis}_every": unsigned(1),
            f"pool_{axis}_slot": unsigned(max(1, (config.pool_slots - 1).bit_length())),
        }
        for slot in range(config.pool_slots):
            result |= {
                f"pool_{axis}_phase_{slot}": signed(config.phase_bits),
                f"pool_{axis}_closes_{slot}": unsigned(1),
                f"pool_{axis}_wraps_{slot}": unsigned(1),
            }
    return result


def layout(config: EngineConfig) -> data.StructLayout:
    """The descriptor as the components see it."""
    return data.StructLayout(fields(config))


def shapes(config: EngineConfig) -> dict[str, Shape]:
    """Field name -> shape of everything in a descriptor: ``<move>_<part>_step`` of the table, then
    :func:`fields`."""
    table = {
        f"{move}_{part}_step": shape
        for move in moves(config)
        for part, shape in distance_fields(config).items()
    }
    return table | fields(config)


def placement(config: EngineConfig) -> dict[str, tuple[int, int]]:
    """Field name -> (word, lowest bit): the table, then the fields in order, none across two words."""
    places: dict[str, tuple[int, int]] = {}
    word = bit = 0
    for move in moves(config):
        for parts in distance_words(config):
            places |= {f"{move}_{part}_step": (word, start) for part, start in parts.items()}
            word += 1
    for name, shape in fields(config).items():
        if bit + shape.width > WORD_BITS:
            word, bit = word + 1, 0
        places[name] = (word, bit)
        bit += shape.width
    return places


def words_per_layer(config: EngineConfig) -> int:
    """32-bit words of one layer's descriptor."""
    return _coding(config)[-1].word + 1


def accepted(config: EngineConfig) -> dict[str, tuple[int, int]]:
    """Field name -> (least, greatest) value that :func:`encode` takes."""
    ranges = {}
    for name, shape in shapes(config).items():
        least = -(1 << (shape.width - 1)) if shape.signed else 0
        ranges[name] = least, least + (1 << shape.width) - 1
    return ranges | {name: (1, most) for name, most in loops(config).items()}


def encode(config: EngineConfig, layer_name: str, values: Mapping[str, int]) -> list[int]:
    """The descriptor `values` (one int per field) as 32-bit words. Of a loop the value is its rounds.

    Raises :class:`InputError` that names the layer and field when a value does not fit; addresses
    are taken modulo the address space.
    """
    coding = _coding(config)
    words = [0] * (coding[-1].word + 1)
    for field in coding:
        value = int(values[field.name])
        if field.modulo:
            value %= 1 << field.width
        if not field.least <= value <= field.greatest:
            raise InputError(
                f"layer {layer_name}: program field {field.name} = {value} does not fit its "
                f"{field.width} bits; accepted: {field.least} to {field.greatest}"
            )
        if field.loop:
            value = loop_code(value, field.width - 1)
        words[field.word] |= (value & ((1 << field.width) - 1)) << field.bit
    return words


class _Field(NamedTuple):
    """How :func:`encode` places a field: its `width` bits from `bit` of `word` on; `modulo`: modulo their
    range; `loop`: as a loop's code."""

    name: str
    word: int
    bit: int
    width: int
    least: int
    greatest: int
    modulo: bool
    loop: bool


# An engine's programs have many passes, and its fields take long to work out.
@lru_cache(maxsize=16)
def _coding(config: EngineConfig) -> tuple[_Field, ...]:
    known, ranges, coded = shapes(config), accepted(config), loops(config)
    return tuple(
        _Field(
            name,
            word,
            bit,
            known[name].width,
            *ranges[name],
            modulo=name.endswith(("address_step", "address_offset")),
            loop=name in coded,
        )
        for name, (word, bit) in placement(config).items()
    )
