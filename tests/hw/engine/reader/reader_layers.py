"""Random layers for the window readers; what is drawn is printed."""

import numpy as np

from dorefa.golden.network.parts import Pool
from dorefa.hw.compiler.map_layout import MapLayout

from .reader_bench import integer_network


def draw_geometry(rng):
    """A random layer (shape, input shape, fields) with at least one output pixel."""
    while True:
        height, width, per_group = (int(rng.integers(1, top)) for top in (7, 7, 4))
        groups = int(rng.choice([1, 1, 2, 3]))
        kernel = rng.integers(1, 4, 2)
        dilation = rng.choice([1, 1, 1, 2], 2)
        stride = rng.choice([1, 1, 2, 3], 2)
        padding = rng.integers(0, 4, 4) * rng.integers(0, 2, 4)
        padded = np.array([height, width]) + padding[:2] + padding[2:]
        conv = (padded - ((kernel - 1) * dilation + 1)) // stride + 1
        pool = None
        if rng.random() < 0.5:
            pool_kernel = rng.integers(1, 4, 2)
            pool_stride = np.minimum(rng.integers(1, 4, 2), pool_kernel)
            pool = Pool(kind="max", kernel=tuple(map(int, pool_kernel)), stride=tuple(map(int, pool_stride)))
        if (conv >= (pool.kernel if pool else 1)).all():
            break
    fields = {
        "groups": groups,
        "pool": pool,
        "stride": tuple(map(int, stride)),
        "dilation": tuple(map(int, dilation)),
        "padding": tuple(map(int, padding)),
    }
    shape = (groups, *map(int, kernel), per_group)
    return shape, (height, width, per_group * groups), fields


def draw_plane_groups(rng):
    """(network, layout of its image) with more planes than are read together."""
    shape, in_shape, fields = draw_geometry(rng)
    a_bits = int(rng.integers(2, 9))
    plane_groups = -(-a_bits // int(rng.integers(1, a_bits)))
    print(shape, in_shape, fields, a_bits, plane_groups)
    return integer_network(rng, shape, in_shape, a_bits, **fields), MapLayout.dense(in_shape, plane_groups)


def draw_blocks(rng):
    """(network, layout of its image) in blocks of channels, whole ones or the last filled up with zeros."""
    shape, in_shape, fields = draw_geometry(rng)
    groups, channels = fields["groups"], in_shape[2]
    per_group = channels // groups
    if groups > 1:
        # A group reads whole blocks: any number of them that divides its channels.
        block = int(rng.choice([n for n in range(1, per_group + 1) if per_group % n == 0]))
    else:
        block = int(rng.integers(1, channels + 1))
    source = MapLayout(shape=in_shape, blocks=-(-channels // block), channels=block)
    print(shape, source, fields)
    return integer_network(rng, shape, in_shape, int(rng.integers(1, 4)), **fields), source
