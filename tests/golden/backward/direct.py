"""The three convolutions of a training step, product by product, and what of the jobs' sums differs."""

import numpy as np

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.input import BackwardInput
from dorefa.golden.backward.weight import LONGEST_KERNEL, BackwardWeight, WeightForm
from dorefa.golden.quantizers.gradient import SCALE_BITS
from dorefa.golden.random.backward import random_convolution, widths_of
from dorefa.golden.random.draws import RawDraws


def direct_sums(shape, activations, weights, gradients, scales):
    """(forward, backward-input, backward-weight) sums, int64, of operands as codes: shares nothing with what
    is tested but the numbers of the shape."""
    v_w = 2 * weights.astype(np.int64) - (2**shape.w_bits - 1)
    v_g = 2 * gradients.astype(np.int64) - (2**shape.g_bits - 1)
    _, height, width, channels = activations.shape
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


def drawn(seed, number):
    """Case `number` of a session with `seed`."""
    return random_convolution(RawDraws(seed * 1000 + number), widths_of(number), 1 << SCALE_BITS)


def forms_of(shape):
    """Both forms of weight gradients, split otherwise for other shapes: 1 to 4 parts."""
    return [WeightForm(name, 1 + (sum(shape.in_shape) + number) % 4) for number, name in enumerate("PB")]


def differing(case, run, longest=LONGEST_KERNEL):
    """Names of the convolutions whose sums are not the direct ones."""
    forward, inputs, taps = direct_sums(
        case.shape, case.activations, case.weights, case.gradients, case.scales
    )
    found = {
        "forward": (Forward(case.shape).sums(run, case.activations, case.weights), forward),
        "input": (BackwardInput(case.shape).sums(run, case.gradients, case.weights), inputs),
    }
    for form in forms_of(case.shape):
        planner = BackwardWeight(case.shape, form, len(case.scales), longest)
        found[form.name] = planner.sums(run, case.gradients, case.scales, case.activations), taps
    assert all(sums.dtype == np.int64 and sums.shape == direct.shape for sums, direct in found.values())
    return {name for name, (sums, direct) in found.items() if not np.array_equal(sums, direct)}
