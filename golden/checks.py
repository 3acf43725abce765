"""Checks of single parameters, shared by the descriptions; each failure is one line."""

import numpy as np

from .errors import InputError


def integer(value, where, low, high=None):
    """`value` as an int, refused (InputError) unless it is an integer in low..high."""
    accepted = f"an integer in {low}..{high}" if high is not None else f"an integer >= {low}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InputError(f"{where} is {value!r}; accepted: {accepted}")
    if value < low or (high is not None and value > high):
        raise InputError(f"{where} is {value}; accepted: {accepted}")
    return int(value)


def integers(value, where, names, low):
    """`value` as a tuple of ints >= `low`, one for each of the names in `names`."""
    accepted = f"{len(names)} integers >= {low} ({', '.join(names)})"
    if not isinstance(value, tuple | list) or len(value) != len(names):
        raise InputError(f"{where} is {value!r}; accepted: {accepted}")
    return tuple(integer(item, f"{where} {name}", low) for item, name in zip(value, names, strict=True))


def choice(value, where, accepted):
    """Refuses a `value` that is not one of the strings `accepted`."""
    if not isinstance(value, str) or value not in accepted:
        raise InputError(f"{where} is {value!r}; accepted: {', '.join(accepted)}")
    return value


def array(value, where, dtype, shape=None):
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


def finite(value, where):
    """Refuses NaN and infinity in a float array and says where the first one is."""
    good = np.isfinite(value)
    if not good.all():
        index = tuple(int(i) for i in np.argwhere(~good)[0])
        place = f" at {index}" if index else ""
        raise InputError(f"{where} is {value[index]}{place}; accepted: finite numbers")


def codes(value, where, bits):
    """Refuses a code that does not fit `bits` bits and says where the first one is."""
    if value.size and int(value.max()) >= 1 << bits:
        index = tuple(int(i) for i in np.argwhere(value >= 1 << bits)[0])
        raise InputError(
            f"{where} has the code {value[index]} at {index}; accepted: 0..{(1 << bits) - 1} ({bits} bits)"
        )


def check_images(network, images):
    """Refuses images that are not uint8 (batch, *input_shape) of codes below 2^input_bits."""
    if not isinstance(images, np.ndarray):
        raise InputError(f"images is a {type(images).__name__}; accepted: a NumPy uint8 array")
    if images.dtype != np.uint8:
        raise InputError(f"images has dtype {images.dtype}; accepted: uint8")
    if images.ndim != 4 or images.shape[1:] != network.input_shape or not len(images):
        expected = ", ".join(str(size) for size in network.input_shape)
        raise InputError(f"images has shape {images.shape}; accepted: (batch, {expected}), batch at least 1")
    codes(images, "images", network.input_bits)
