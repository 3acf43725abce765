"""Liberty files: what synthesis needs of a cell library is there, and what a gate equivalent is in it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.golden.reading import opened, read_up_to, shown, unpacked

# NAND2 equivalents, written for this project.
DEFAULT = Path(__file__).with_name("nand2.lib")
# Bytes of a library's text, and groups and attributes in it; the largest open ones have 50 million bytes.
LIMIT = 1 << 26
MAX_STATEMENTS = 2_000_000

_SPACE = re.compile(r"(?:[\s\\;]++|/\*.*?\*/|//[^\n]*+)*+", re.DOTALL)
# A group `name (arguments) {`, a complex attribute `name (arguments)`, a simple one `name : value`, `}`, or
# the end.
_STATEMENT = re.compile(
    _SPACE.pattern
    + r"""(?:(\w++)\s*+(?:\(((?:[^()"]++|"[^"]*+")*+)\)(\s*+\{)?|:\s*+("[^"]*+"|[^;{}"\n]++))|\}|(\Z))""",
    re.DOTALL,
)
# Characters of the function of a gate with two inputs, at most.
_SHORT = 100
_TERM = re.compile(r"\s*([A-Za-z_]\w*|[01!'()&*|+^])")


@dataclass
class Cell:
    """A cell: `area` (None if not given), its input `pins`, the `functions` of its outputs by pin, and
    whether it stores (`flip_flop`, `latch`)."""

    area: float | None = None
    pins: list[str] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    flip_flop: bool = False
    latch: bool = False


@dataclass(frozen=True, kw_only=True)
class Library:
    """A cell library: `name`, `text` of the file, `cells` by name, the name and area of the smallest
    two-input NAND (one gate equivalent)."""

    name: str
    text: str
    cells: dict[str, Cell]
    nand2: str
    nand2_area: float

    @property
    def area_unit(self) -> str:
        """``NAND2`` for a library that counts in gate equivalents, else ``um2``, as libraries do."""
        return "NAND2" if self.nand2_area == 1 else "um2"

    @property
    def flip_flops(self) -> frozenset[str]:
        """Names of the flip-flops."""
        return frozenset(name for name, cell in self.cells.items() if cell.flip_flop)


def load(path: Path | str = DEFAULT) -> Library:
    """The :class:`Library` in a Liberty file, compressed with gzip or not.

    Raises :class:`InputError` for a file that cannot be read, is malformed or truncated, or has no
    flip-flop or no two-input NAND: without them nothing can be mapped or compared.
    """
    path = Path(path)
    text = _read(path)
    name, cells = _cells(path, text)
    if not any(cell.flip_flop for cell in cells.values()):
        raise InputError(
            f"{path}: library {shown(name)[1:-1]} has no flip-flop among {len(cells)} cells; "
            "accepted: a library with a D flip-flop"
        )
    nands = [(cell.area, key) for key, cell in cells.items() if (cell.area or 0) > 0 and _is_nand2(cell)]
    if not nands:
        raise InputError(
            f"{path}: library {shown(name)[1:-1]} has no NAND2 with an area among {len(cells)} cells; "
            "accepted: a library with a two-input NAND"
        )
    area, nand2 = min(nands)
    return Library(name=name, text=text, cells=cells, nand2=nand2, nand2_area=area)


def _read(path):
    """Text of a file, decompressed where it begins as gzip does."""
    accepted = "a Liberty file (.lib or .lib.gz)"
    with opened(path, accepted, LIMIT) as file:
        text = read_up_to(unpacked(file), LIMIT + 1)
    if len(text) > LIMIT:
        raise InputError(f"{path}: unpacks to more than {LIMIT} bytes; accepted: {accepted}, at most that")
    return text.decode(errors="replace")


def _cells(path, text):
    """(name of the library, its cells), from the groups and attributes that matter."""
    cells, stack, library = {}, [], None
    for statement in _statements(path, text):
        keyword, arguments, opens, value, _ = statement.groups()
        argument = (arguments or value or "").strip().strip('"')
        if not stack and (library is not None or keyword != "library" or not opens):
            _refuse(path, text, statement.start())
        if keyword is None:
            stack.pop()
        elif opens:
            stack.append((keyword, argument))
            library = argument if library is None else library
            if len(stack) == 2 and keyword == "cell":
                cells[argument] = Cell()
            elif len(stack) > 2 and stack[1][0] == "cell":
                _enter(cells[stack[1][1]], stack)
        elif value is not None and len(stack) >= 2 and stack[1][0] == "cell":
            _attribute(path, cells[stack[1][1]], stack, keyword, argument)
    if stack or library is None:
        where = f"inside {stack[-1][0]} ({shown(stack[-1][1])[1:-1]})" if stack else "before any library"
        raise InputError(f"{path}: the file ends {where}; accepted: a complete Liberty file")
    return library, cells


def _statements(path, text):
    """The match of _STATEMENT for each one in `text`."""
    at = 0
    for _ in range(MAX_STATEMENTS):
        found = _STATEMENT.match(text, at)
        if found is None:
            _refuse(path, text, at)
        if found[5] is not None:
            return
        yield found
        at = found.end()
    raise InputError(f"{path}: more than {MAX_STATEMENTS} groups and attributes; accepted: at most that")


def _refuse(path, text, at):
    """Raises InputError for the text that begins, behind spaces, at `at`."""
    at = _SPACE.match(text, at).end()
    line = text.count("\n", 0, at) + 1
    raise InputError(
        f"{path}: line {line}: {shown(text[at : at + 30].partition(chr(10))[0])} is not expected here; "
        "accepted: a Liberty file, library (NAME) {...}"
    )


def _enter(cell, stack):
    """Notes a group inside a cell."""
    if len(stack) == 3 and stack[2][0] in ("ff", "ff_bank"):
        cell.flip_flop = True
    elif len(stack) == 3 and stack[2][0] in ("latch", "latch_bank"):
        cell.latch = True


def _attribute(path, cell, stack, keyword, value):
    """Notes an attribute of a cell or of one of its pins."""
    if len(stack) == 2 and keyword == "area":
        try:
            cell.area = float(value)
        except ValueError:
            cell.area = math.nan
        if not 0 <= cell.area < math.inf:
            name = shown(stack[1][1])[1:-1]
            raise InputError(
                f"{path}: cell ({name}): area is {shown(value)}; accepted: a number, not negative"
            )
    elif len(stack) == 3 and stack[2][0] == "pin":
        if keyword == "direction" and value == "input":
            cell.pins.append(stack[2][1])
        elif keyword == "function":
            cell.functions[stack[2][1]] = value


def _is_nand2(cell):
    """Whether the cell is a NAND of its two inputs and nothing else."""
    if len(cell.pins) != 2 or len(cell.functions) != 1 or cell.flip_flop or cell.latch:
        return False
    (function,) = cell.functions.values()
    if len(function) > _SHORT:
        return False
    pins = [dict(zip(cell.pins, (bool(row & 1), bool(row & 2)), strict=True)) for row in range(4)]
    try:
        return [evaluate(function, values) for values in pins] == [True, True, True, False]
    except ValueError:
        return False


def evaluate(function: str, pins: dict[str, bool]) -> bool:
    """Value (bool) of a Liberty function for values of its `pins`, {name: bool}; ValueError if it is no
    such expression. Operators, strongest first: ``!`` and ``'``, ``^``, ``&`` ``*`` or nothing,
    ``|`` ``+``."""
    tokens, at = [], 0
    while function[at:].strip():
        found = _TERM.match(function, at)
        if found is None:
            raise ValueError(f"{function!r} is no function of pins")
        tokens.append(found[1])
        at = found.end()
    value = _either(tokens, pins)
    if tokens:
        raise ValueError(f"{function!r} goes on after its end: {tokens[0]!r}")
    return value


def _either(tokens, pins):
    value = _both(tokens, pins)
    while tokens and tokens[0] in "|+":
        del tokens[0]
        value |= _both(tokens, pins)
    return value


def _both(tokens, pins):
    value = _differ(tokens, pins)
    while tokens and tokens[0] not in "|+)":
        if tokens[0] in "&*":
            del tokens[0]
        value &= _differ(tokens, pins)
    return value


def _differ(tokens, pins):
    value = _term(tokens, pins)
    while tokens and tokens[0] == "^":
        del tokens[0]
        value ^= _term(tokens, pins)
    return value


def _term(tokens, pins):
    token = tokens.pop(0) if tokens else "end"
    if token == "!":
        return not _term(tokens, pins)
    if token == "(":
        value = _either(tokens, pins)
        if not tokens or tokens.pop(0) != ")":
            raise ValueError("a parenthesis stays open")
    elif token in "01":
        value = token == "1"
    elif token in pins:
        value = pins[token]
    else:
        raise ValueError(f"{token!r} is no pin")
    while tokens and tokens[0] == "'":
        del tokens[0]
        value = not value
    return value
