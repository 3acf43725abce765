"""The three convolutions of a training step, product by product: shares nothing with what is tested."""

import numpy as np


def direct_sums(shape, activations, weights, gradients, scales):
    """(forward, backward-input, backward-weight) sums, int64, of operands as codes."""
    v_w = 2 * weights.astype(np.int64) - (2**shape.w_bits - 1)
    v_g = 2 * gradients.astype(np.int64) - (2**shape.g_bits - 1)
    samples, height, width, channels = activations.shape
    _, rows, columns, outputs = gradients.shape
    outer, inner = outputs // shape.groups, channels // shape.groups
    forward = np.zeros(v_g.shape, np.int64)
    inputs = np.zeros(activations.shape, np.int64)
    taps = np.zeros(v_w.shape, np.int64)
    for oy, ox, ky, kx in np.ndindex(rows, columns, *shape.kernel):
        y = oy * shape.stride[0] + ky * shape.dilation[0] - shape.padding[0]
        x = ox * shape.stride[1] + kx * shape.dilation[1] - shape.padding[1]
        if not (0 <= y < height and 0 <= x < width):
            continue
        for group in range(shape.groups):
            out, into = slice(group * outer, (group + 1) * outer), slice(group * inner, (group + 1) * inner)
            a = activations[:, y, x, into].astype(np.int64)
            g, w = v_g[:, oy, ox, out], v_w[out, ky, kx]
            forward[:, oy, ox, out] += (a[:, None] * w).sum(axis=2)
            inputs[:, y, x, into] += (g[:, :, None] * w).sum(axis=1)
            taps[out, ky, kx] += (scales[:, None, None] * g[:, :, None] * a[:, None]).sum(axis=0)
    return forward, inputs, taps
