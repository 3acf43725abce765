"""How the windows of several columns are read: one after another, or what they share once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Shape, Value, unsigned
from amaranth.lib.wiring import Member, Out

from ..config.engine import EngineConfig


@dataclass(frozen=True)
class Reader:
    """What an engine, its program and its compiler need to know of how windows are read: here of each column
    by itself.

    `name`: the engine parameter `column_reads`. `shares`: columns on one line are read together. `turns`: the
    feature memory brings a window's first bit to the lowest place. `read_to_ready`: cycles from a patch's
    last copy step to its first computing step.
    """

    name: str
    shares: bool
    turns: bool
    read_to_ready: int

    def loops(self, size: int) -> dict[str, int]:
        """Loops of the run generator over the pixels of a line, up to `size`: field -> greatest number of
        rounds."""
        return {"pixel_rounds": size}

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        """Program fields, name -> shape."""
        return {}

    def program_values(self, geometry: Any) -> dict[str, int]:
        """Values of these fields for a pass of this PassGeometry."""
        return {}

    def run_fields(self, config: EngineConfig) -> dict[str, int]:
        """What else every run says, name -> bits."""
        return {}

    def move_fields(self, config: EngineConfig) -> dict[str, int]:
        """What else the move to a run says, name -> bits."""
        return {}

    def write_ports(self, config: EngineConfig, piece: dict[str, Member]) -> dict[str, Member]:
        """Members of the port that writes a `piece` of a patch word."""
        return {"column": Out(range(max(2, config.cols))), **piece}

    def written(self, port: Any, column: int, subword: int) -> tuple[Any, Any, Any]:
        """(Whether that port writes this piece of a column, word, data)."""
        return port.pieces[subword] & (port.column == column), port.word, port.data

    def reach(self, geometry: Any, row_bits: int) -> int:
        """Bits that runs and their distances reach over, of a padded row of `row_bits`."""
        return row_bits

    def set_steps(self, geometry: Any, number: int) -> tuple[int, int]:
        """Cycles to copy the patches of set `number` for one channel group, and how many more the first time
        in a slot."""
        columns = min(geometry.cols, geometry.pixels - number * geometry.cols)
        steps, cleared = geometry.copy_steps
        return columns * steps, columns * cleared

    def read_steps(self, geometry: Any) -> int:
        """Cycles to copy all patches, those of slots used the first time left out."""
        return geometry.patches * geometry.cols * geometry.copy_steps[0]

    def look_up_tables(self, *, fetch: int, planes: int, cols: int, lanes: int) -> int:
        """Rough number of LUTs of the planes' shifters and registers, the patch buffer's choice of a plane
        and the masks: good enough to order readers."""
        shift = fetch.bit_length() - 1
        return planes * fetch * (shift + 7) + _choice(planes, cols, lanes) + 4 * fetch


@dataclass(frozen=True)
class _Shared(Reader):
    """Every bit of the windows of a set is fetched once (:mod:`dorefa.hw.compiler.column_slices`)."""

    def loops(self, size: int) -> dict[str, int]:
        # Segments of columns count pixels (:mod:`dorefa.hw.engine.reader.column_segments`).
        return {}

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        """Whether columns on one line share reads, or each has runs of its own; first and last bit of each
        column's slice of a run (of column 0 the first is 0); whether parts that end with the column are
        flushed; a part's last piece: its bits (0 for all), and the first piece behind it that is cleared (0
        for none)."""
        bit = unsigned(config.feature_address_bits + 1)
        return {
            "shares": unsigned(1),
            **{f"column_first_{column}": bit for column in range(1, config.cols)},
            **{f"column_last_{column}": bit for column in range(config.cols)},
            "column_flush": unsigned(config.cols),
            "tail_bits": unsigned((config.fetch_bits - 1).bit_length()),
            "clear_from": unsigned(max(1, (config.subwords - 1).bit_length())),
        }

    def program_values(self, geometry: Any) -> dict[str, int]:
        slices = geometry.shared_reads.slices
        columns = range(slices.cols)
        return {
            "shares": slices.spacing > 0,
            "column_flush": sum(flush << column for column, flush in enumerate(slices.flush)),
            "tail_bits": slices.tail,
            "clear_from": slices.clear_from,
            **{f"column_first_{column}": slices.first(column) for column in columns[1:]},
            **{f"column_last_{column}": slices.last(column) for column in columns},
        }

    def run_fields(self, config: EngineConfig) -> dict[str, int]:
        """Its columns, one bit each; the steps of `fetch_bits` that have bits for them; `flush`."""
        step = config.feature_address_bits + 2 - config.fetch_bits.bit_length()
        return {**self.move_fields(config), "first_step": step, "last_step": step, "flush": 1}

    def move_fields(self, config: EngineConfig) -> dict[str, int]:
        return {"columns": config.cols}

    def write_ports(self, config: EngineConfig, piece: dict[str, Member]) -> dict[str, Member]:
        return {name: member.array(config.cols) for name, member in piece.items()}

    def written(self, port: Any, column: int, subword: int) -> tuple[Value, Value, Value]:
        return port.pieces[column][subword], port.word[column], port.data[column]

    def reach(self, geometry: Any, row_bits: int) -> int:
        """A set reaches over all columns on one line."""
        slices = geometry.shared_reads.slices
        return max(row_bits, slices.run_bits) + slices.cols * slices.spacing

    def set_steps(self, geometry: Any, number: int) -> tuple[int, int]:
        return geometry.shared_reads.set_steps(number)

    def read_steps(self, geometry: Any) -> int:
        return geometry.groups * geometry.shared_reads.steps

    def look_up_tables(self, *, fetch: int, planes: int, cols: int, lanes: int) -> int:
        column = planes * fetch * (fetch.bit_length() + 1) + 4 * fetch + 40
        return planes * fetch + _choice(planes, cols, lanes) + 6 * fetch + 400 + cols * column


def _choice(planes: int, cols: int, lanes: int) -> int:
    """LUTs of the patch buffer's choice of a plane."""
    return cols * (planes - 1) * lanes * 3 // 4


READERS: dict[str, Reader] = {
    "separate": Reader("separate", shares=False, turns=True, read_to_ready=7),
    "shared": _Shared("shared", shares=True, turns=False, read_to_ready=9),
}


def reader_of(config: EngineConfig) -> Reader:
    """How an engine of `config` reads windows."""
    return READERS[config.column_reads]
