"""Arrays of Python integers and Fractions, and what element types make of them."""

import math
from fractions import Fraction

import numpy as np


def fractions(array):
    """The array's numbers, exact; infinite ones, as bounds are, stay what they are."""
    if array.dtype == object:
        return array
    flat = [
        Fraction(value) if isinstance(value, float) and math.isfinite(value) else value
        for value in array.ravel().tolist()
    ]
    result = np.empty(len(flat), object)
    result[:] = flat
    return result.reshape(array.shape)


def fits(array, dtype):
    """Whether numbers, cut towards zero, are in the range of an integer type; any for another type."""
    if dtype.kind not in "iu":
        return True
    info = np.iinfo(dtype)
    return bool((array > info.min - 1).all() and (array < info.max + 1).all())


def mapped(function, array):
    """function of every element."""
    result = np.empty(array.shape, object)
    result.ravel()[:] = [function(value) for value in array.ravel()]
    return result


def _wrapped(dtype):
    """From a number to one of an integer type: cut towards zero, then modulo the type."""
    info = np.iinfo(dtype)
    return lambda value: (math.trunc(value) - info.min) % (1 << info.bits) + info.min


def typed(array, dtype):
    """Values as an element type holds them; floats of 32 and 64 bits are exact here."""
    if dtype.kind == "b":
        return mapped(lambda value: int(value != 0), array)
    if dtype == np.float16:
        return mapped(lambda value: Fraction(float(np.float16(float(value)))), array)
    return array if dtype.kind == "f" else mapped(_wrapped(dtype), array)
