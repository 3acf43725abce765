"""Codes into kernels, digit by digit, and what they sum to."""

import numpy as np

WEIGHTS = {
    "bipolar": lambda rng, shape: rng.choice([-1, 1], shape),
    "odd": lambda rng, shape: 2 * rng.integers(-4, 4, shape) + 1,
    "ternary": lambda rng, shape: rng.integers(-1, 2, shape),
    "signed": lambda rng, shape: rng.integers(-128, 128, shape),
    "unsigned": lambda rng, shape: rng.integers(0, 16, shape),
    "sparse": lambda rng, shape: rng.integers(-7, 8, shape) * (rng.random(shape) < 0.2),
}


def codes(rng, count, inputs, bits):
    """Random codes, all zeros and all largest ones first."""
    drawn = rng.integers(0, 1 << bits, (count, inputs))
    drawn[0], drawn[1] = 0, (1 << bits) - 1
    return drawn


def beats(kernel, drawn, rng):
    """(word of `x`, whether it is first, number of the code that it ends or None) of every cycle; between
    codes of serial kernels there are idle cycles at times."""
    size, found = kernel.options.digit_bits, []
    width = size * kernel.digits
    for number, row in enumerate(drawn.tolist()):
        if kernel.steps == 1:
            found.append((sum(code << (width * at) for at, code in enumerate(row)), True, number))
            continue
        for _ in range(int(rng.integers(0, 3))):
            found.append(
                (int.from_bytes(rng.bytes(len(row)), "little") & ((1 << size * len(row)) - 1), False, None)
            )
        for step in reversed(range(kernel.steps)):
            digits = [code >> (size * step) & ((1 << size) - 1) for code in row]
            word = sum(digit << (size * at) for at, digit in enumerate(digits))
            found.append((word, step == kernel.steps - 1, None if step else number))
    return found


def sums_of(kernel, word):
    """The sums in a word of `y`, with the signs of the layer."""
    bits, found = kernel.sum_bits, []
    for output, negated in enumerate(kernel.negated):
        value = word >> (bits * output) & ((1 << bits) - 1)
        value -= (value >> (bits - 1)) << bits
        found.append(-value if negated else value)
    return np.array(found)
