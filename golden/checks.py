"""Checks of single parameters, shared by the descriptions; each failure is one line."""

from collections.abc import Collection, Sequence

import numpy as np

from .errors import InputError
from .reading import shown


def integer(value: object, where: str, low: int, high: int | None = None) -> int:
    """`value` as an int, refused (InputError) unless it is an integer in low..high."""
    accepted = f"an integer in {low}..{high}" if high is not None else f"an integer >= {low}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InputError(f"{where} is {shown(value)}; accepted: {accepted}")
    if value < low or (high is not None and value > high):
        raise InputError(f"{where} is {shown(int(value))}; accepted: {accepted}")
    return int(value)


def integers(value: object, where: str, names: Sequence[str], low: int) -> tuple[int, ...]:
    """`value` as a tuple of ints >= `low`, one for each of the names in `names`."""
    accepted = f"{len(names)} integers >= {low} ({', '.join(names)})"
    if not isinstance(value, tuple | list) or len(value) != len(names):
        raise InputError(f"{where} is {shown(value)}; accepted: {accepted}")
    return tuple(integer(item, f"{where} {name}", low) for item, name in zip(value, names, strict=True))


def choice(value: object, where: str, accepted: Collection[str]) -> str:
    """Refuses a `value` that is not one of the strings `accepted`."""
    if not isinstance(value, str) or value not in accepted:
        raise InputError(f"{where} is {shown(value)}; accepted: {', '.join(accepted)}")
    return value


def text(value: object, where: str) -> str:
    """Refuses a `value` that is no name: printable text, not empty."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise InputError(f"{where} is {shown(value)}; accepted: printable text, not empty")
    return value


def flag(value: object, where: str) -> bool:
    """Refuses a `value` that is neither True nor False."""
    if not isinstance(value, bool):
        raise InputError(f"{where} is {shown(value)}; accepted: True or False")
    return value


def array(value: object, where: str, dtype: str, shape: Sequence[int] | None = None) -> np.ndarray:
    """`value` as a read-only array of exactly `dtype` (and `shape`); floats must be finite.

    A writable array is copied, so that a checked description cannot change behind its back.
    """
    if not isinstance(value, np.ndarray | np.generic):
        raise InputError(f"{where} is a {type(value).__name__}; accepted: a NumPy {dtype} array")
    value = np.asarray(value)
    if value.dtype != np.dtype(dtype):
        raise InputError(f"{where} has dtype {value.dtype}; accepted: {dtype}")
    if shape is not None and value.shape != tuple(shape):
        raise InputError(f"{where} has shape {value.shape}; accepted: {tuple(shape)}")
    if value.dtype.kind == "f":
        finite(value, where)
    if value.flags.writeable:
        value = value.copy()
        value.setflags(write=False)
    return value


def finite(value: np.ndarray, where: str) -> None:
    """Refuses NaN and infinity in a float array and says where the first one is."""
    good = np.isfinite(value)
    if not good.all():
        index = tuple(int(i) for i in np.argwhere(~good)[0])
        place = f" at {index}" if index else ""
        raise InputError(f"{where} is {value[index]}{place}; accepted: finite numbers")


def codes(value: np.ndarray, where: str, bits: int) -> None:
    """Refuses a code that does not fit `bits` bits and says where the first one is."""
    if value.size and int(value.max()) >= 1 << bits:
        index = tuple(int(i) for i in np.argwhere(value >= 1 << bits)[0])
        raise InputError(
            f"{where} has the code {value[index]} at {index}; accepted: 0..{(1 << bits) - 1} ({bits} bits)"
        )
