"""Networks with a layer in channel groups, between others that have none."""

import numpy as np

from dorefa.golden.lowering.lower import lower

from .support import draw_layer, network


def separable(rng, encoding="twos_complement", **fields):
    """:func:`separable_network` in integers."""
    return lower(separable_network(rng, encoding, **fields))


def separable_network(
    rng, encoding="twos_complement", *, groups=12, inner=1, outputs=1, size=4, image=3, w_bits=2, a_bits=2
):
    """A network of a 1x1 layer on an image (size, size, image), a 3x3 layer of `groups` channel groups of
    `inner` input and `outputs` output channels each, and the classes."""
    read, made = groups * inner, groups * outputs
    fields = {"w_bits": w_bits, "encoding": encoding, "a_bits": a_bits}
    return network(
        (size, size, image),
        2,
        draw_layer(
            rng, "point", (read, 1, 1, image), scale=0.3, bias=rng.random(read).astype(np.float32), **fields
        ),
        draw_layer(
            rng,
            "groups",
            (made, 3, 3, inner),
            groups=groups,
            padding=(1, 1, 1, 1),
            scale=0.1,
            bias=rng.random(made).astype(np.float32),
            **fields,
        ),
        draw_layer(rng, "fc", (3, 1, 1, size * size * made), kind="fc", **fields | {"a_bits": None}),
    )
