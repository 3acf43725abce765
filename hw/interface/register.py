"""A register that a host sees, as data: which fields lie in which bits, who writes them, what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from amaranth import Cat, Const, Value

from dorefa.golden.errors import InputError

from ..config.engine import EngineConfig

WORD_BITS = 32


class Access(StrEnum):
    """Who writes a field: nobody (always the same in one engine), the hardware, the host, the hardware until
    the host writes a 1 (fields of one bit), or the host, as a command that reads as 0."""

    CONSTANT = "const"
    READ_ONLY = "ro"
    READ_WRITE = "rw"
    CLEAR = "w1c"
    COMMAND = "wo"


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits of a register, `width` of them from `lsb` on.

    `reset`: value after reset; of a constant also the name of what has the value (:func:`engine_registers`,
    :func:`board_registers`). `only`: an engine parameter and the values without which the field is always 0;
    a register of nothing but such fields is not there.
    Raises ValueError for a field that no register can have.
    """

    name: str
    lsb: int
    width: int
    access: Access
    meaning: str
    reset: int | str = 0
    only: tuple[str | int, ...] | None = None

    def __post_init__(self) -> None:
        if not (self.lsb >= 0 and 1 <= self.width <= WORD_BITS - self.lsb):
            raise ValueError(f"field {self.name}: bits {self.end - 1}-{self.lsb} of a {WORD_BITS}-bit word")
        if self.access is Access.CLEAR and self.width != 1:
            raise ValueError(f"field {self.name}: {self.width} bits that are cleared by writing 1, not one")
        if self.access in (Access.READ_ONLY, Access.CLEAR, Access.COMMAND) and self.reset != 0:
            raise ValueError(f"field {self.name}: reset value of what the host does not set")
        if isinstance(self.reset, int) and not 0 <= self.reset <= self.greatest:
            raise ValueError(f"field {self.name}: {self.reset} after reset; accepted: 0 to {self.greatest}")
        if isinstance(self.reset, str) and self.access is not Access.CONSTANT:
            raise ValueError(f"field {self.name}: only a constant has a named value")

    @property
    def end(self) -> int:
        """The bit behind the field."""
        return self.lsb + self.width

    @property
    def greatest(self) -> int:
        """The greatest value."""
        return (1 << self.width) - 1

    @property
    def mask(self) -> int:
        """Ones where the field lies in the register."""
        return self.greatest << self.lsb

    @property
    def bits(self) -> str:
        """The bits as documentation names them: ``15-8``, or ``3``."""
        return str(self.lsb) if self.width == 1 else f"{self.end - 1}-{self.lsb}"

    @property
    def reset_number(self) -> int:
        """`reset` of a field whose value has no name."""
        assert isinstance(self.reset, int), f"field {self.name}: {self.reset} has no number yet"
        return self.reset

    def of(self, word: Value) -> Value:
        """The field's bits of a signal that carries the register."""
        return word[self.lsb : self.end]

    def exists(self, config: EngineConfig) -> bool:
        """Whether an engine of this configuration has the field."""
        return self.only is None or getattr(config, str(self.only[0])) in self.only[1:]

    def as_dict(self) -> dict[str, int | str]:
        """What a host's program needs, ready for JSON."""
        names = ("name", "lsb", "width", "access", "reset", "meaning")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class Register:
    """A 32-bit word at the word address `address`; `fields` from the lowest bit up, what they leave is 0.

    Raises ValueError where fields overlap, are out of order or share a name.
    """

    name: str
    address: int
    meaning: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        for lower, upper in zip(self.fields, self.fields[1:], strict=False):
            if upper.lsb < lower.end:
                raise ValueError(f"register {self.name}: field {upper.name} does not lie above {lower.name}")
        if len({field.name for field in self.fields}) != len(self.fields):
            raise ValueError(f"register {self.name}: two fields of one name")

    @property
    def offset(self) -> int:
        """Address in bytes."""
        return self.address * WORD_BITS // 8

    @property
    def access(self) -> str:
        """``rw`` where a write has an effect, ``wo`` where nothing can be read either, else ``ro``."""
        if len(self._of(Access.COMMAND)) == len(self.fields):
            return "wo"
        return "rw" if any(self._of(Access.READ_WRITE, Access.CLEAR)) else "ro"

    @property
    def constant(self) -> bool:
        """Whether it always reads as :attr:`reset_word`."""
        return all(field.access is Access.CONSTANT for field in self.fields)

    @property
    def reset_word(self) -> int:
        """The word after reset, of fields with numbers for reset values."""
        return self._pack({field.name: field.reset_number for field in self.fields})

    @property
    def clear_word(self) -> int:
        """The word that clears all that is cleared by writing 1."""
        return self._pack({field.name: 1 for field in self._of(Access.CLEAR)})

    def exists(self, config: EngineConfig) -> bool:
        """Whether an engine of this configuration has any of its fields."""
        return any(field.exists(config) for field in self.fields)

    def encode(self, **values: int) -> int:
        """The word to write, from values of fields; those not given keep their value after reset, or are
        not cleared. Raises :class:`InputError` for a value that does not fit."""
        resets = {field.name: field.reset_number for field in self._of(Access.READ_WRITE)}
        return self._pack(resets | values)

    def decode(self, word: int) -> dict[str, int]:
        """Value of each field of a word that was read."""
        return {field.name: (word & field.mask) >> field.lsb for field in self.fields}

    def join(self, values: Mapping[str, Value | int]) -> Value:
        """The word as hardware: `values` of some fields, none wider than its field, zero between them. Ends
        with the highest one."""
        parts, end = [], 0
        for field in self.fields:
            if field.name in values:
                value = values[field.name]
                value = Const(value, field.width) if isinstance(value, int) else value
                parts += [Const(0, field.lsb - end), value]
                end = field.lsb + len(value)
        return Cat(*parts)

    def with_constants(self, value_of: Callable[[str], int]) -> Register:
        """The register with numbers for named values. Raises :class:`InputError` for one that does not
        fit."""
        values = {field.name: value_of(field.reset) for field in self.fields if isinstance(field.reset, str)}
        self._pack(values)
        return self._with_resets(values)

    def with_resets(self, word: int) -> Register:
        """The register whose fields that the host writes begin as in `word`."""
        values = self.decode(word)
        return self._with_resets({field.name: values[field.name] for field in self._of(Access.READ_WRITE)})

    def _with_resets(self, values: Mapping[str, int]) -> Register:
        fields = (replace(field, reset=values.get(field.name, field.reset)) for field in self.fields)
        return replace(self, fields=tuple(fields))

    def _of(self, *accesses: Access) -> list[Field]:
        return [field for field in self.fields if field.access in accesses]

    def _pack(self, values: Mapping[str, int]) -> int:
        """The word of these values of fields, the rest 0."""
        word, known = 0, {field.name: field for field in self.fields}
        for name, value in values.items():
            field = known[name]
            if not 0 <= value <= field.greatest:
                raise InputError(
                    f"register {self.name}: field {name} is {value}; accepted: 0 to {field.greatest} "
                    f"({field.width} bits)"
                )
            word |= value << field.lsb
        return word
